//! Writes the rows of requests for snapshots and clones, in one transaction with the job.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::copies::NewCopy;
use crate::admin_db::containers::credentials::{Credential, CredentialKind};
use crate::admin_db::containers::snapshots::{CLONE as FOR_CLONE, NewSnapshot, Snapshot, USER};
use crate::admin_db::containers::{Container, copies, cores, credentials, snapshots, states};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::accounts;
use crate::admin_db::{containers, jobs, log, new_id};
use crate::app::App;
use crate::blueprint::password;
use crate::clones::clone::CLONE;
use crate::clones::restore_snapshot::RESTORE_SNAPSHOT;
use crate::clones::snapshot::SNAPSHOT;
use crate::domain::backup_schedule::Policy;
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::job_kind::JobKind;
use crate::domain::names::{ContainerName, DbName, DbUser};
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::provision::request::{CreateRequest, Created, make_in};
use crate::provision::tier_access;
use crate::provision::tier_access::TierUse;
use crate::queue::cancel_backup::over_backup;
use crate::queue::enqueue::enqueue;
use crate::queue::refusal::{RequestError, settled};

/// How long a request waits for a snapshot that another request of the same database is taking.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two attempts.
const AGAIN: Duration = Duration::from_millis(100);

/// A clone to make.
#[derive(Debug)]
pub struct CloneRequest {
    /// Its name.
    pub name: ContainerName,
    /// Its memory limit, if not that of its source.
    pub memory: Option<ByteSize>,
    /// The snapshot to clone; if none, the current data.
    pub snapshot: Option<Uuid>,
    /// When it expires, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Takes a snapshot of `c` for its user. Returns the ids of the snapshot and of the job.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn take(
    app: &App,
    c: &Container,
    note: &str,
    until: Option<DateTime<Utc>>,
    actor: &Actor,
) -> Result<(Uuid, Uuid), RequestError> {
    over_backup(app, &[c], actor, || take_once(app, c, (note, until), actor)).await
}

async fn take_once(
    app: &App,
    c: &Container,
    (note, until): (&str, Option<DateTime<Utc>>),
    actor: &Actor,
) -> Result<(Uuid, Uuid), RequestError> {
    let mut tx = app.db.begin().await?;
    tier_access::check_owner(app, &mut tx, c, TierUse::Copy, actor).await?;
    let taken = take_in(app, &mut tx, c, (USER, note, until), actor).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(taken)
}

/// The same in the caller's transaction, for the given reason.
async fn take_in(
    app: &App,
    tx: &mut PgConnection,
    c: &Container,
    (reason, note, until): (&str, &str, Option<DateTime<Utc>>),
    actor: &Actor,
) -> Result<(Uuid, Uuid), RequestError> {
    settled(states::lock(&mut *tx, c.id).await?)?;
    let id = new_id();
    let admin = password(app, &mut *tx, c.id, CredentialKind::Admin).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    let admin = admin.ok_or(RequestError::Gone)?;
    let sealed = app.sealer.seal(&admin, &Snapshot::context(id))?;
    let job = enqueue(app, &mut *tx, &SNAPSHOT, (c.id, &c.name), actor, "requested").await?;
    let new = NewCopy { id, container: c.id, job, reason, image: &c.image, note, until, sealed: &sealed };
    copies::insert(&mut *tx, &new, app.clock.now()).await?;
    Ok((id, job))
}

/// The snapshot that a clone, a refresh or a template is made from, and the job that it waits for.
pub(crate) async fn origin(
    app: &App,
    tx: &mut PgConnection,
    c: &Container,
    actor: &Actor,
) -> Result<(Uuid, Uuid), RequestError> {
    tier_access::check_owner(app, &mut *tx, c, TierUse::Copy, actor).await?;
    // Requests that arrive before the snapshot is taken share it.
    match copies::not_yet_frozen(&mut *tx, c.id).await? {
        Some(waiting) => Ok(waiting),
        None => take_in(app, tx, c, (FOR_CLONE, "", None), actor).await,
    }
}

/// Repeats a request while another one of the same database is taking a snapshot, which takes a moment.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, RequestError>>>(
    app: &App,
    source: Uuid,
    request: impl Fn() -> F,
) -> Result<T, RequestError> {
    let begin = Instant::now();
    loop {
        match request().await {
            Err(RequestError::Busy) if begin.elapsed() < PATIENCE && is_taking(app, source).await? => {
                tokio::time::sleep(AGAIN).await;
            }
            done => return done,
        }
    }
}

/// Whether the job of a database is a snapshot, or has ended meanwhile.
async fn is_taking(app: &App, id: Uuid) -> Result<bool, RequestError> {
    let mut db = app.db.acquire().await?;
    let c = containers::by_id(&mut db, id).await?.ok_or(RequestError::Gone)?;
    Ok(c.active_job.is_none() || c.active_kind() == Some(JobKind::Snapshot))
}

/// Clones the current data of `c`, or one of its snapshots. The clone belongs to the owner of `c`.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn clone(app: &App, c: &Container, wanted: &CloneRequest, actor: &Actor) -> Result<Created, RequestError> {
    over_backup(app, &[c], actor, || patiently(app, c.id, || clone_once(app, c, wanted, actor))).await
}

async fn clone_once(app: &App, c: &Container, wanted: &CloneRequest, actor: &Actor) -> Result<Created, RequestError> {
    let mut db = app.db.acquire().await?;
    let owner = accounts::by_id(&mut db, c.account_id).await?.and_then(|a| a.user()).ok_or(RequestError::Gone)?;
    drop(db);
    let mut tx = app.db.begin().await?;
    if c.cpuset.is_some() {
        // Before the locks on rows of the source.
        cores::lock(&mut tx).await?;
    }
    // The source is locked before the rows of its owner, as in all requests.
    let of = match wanted.snapshot {
        None => {
            settled(states::lock(&mut tx, c.id).await?)?;
            containers::by_id(&mut tx, c.id).await?.ok_or(RequestError::Gone)?.image
        }
        Some(id) => match copies::hold(&mut tx, id).await? {
            true => snapshots::by_id(&mut tx, id).await?.ok_or(RequestError::NoSuchSnapshot)?.image,
            false => return Err(RequestError::NoSuchSnapshot),
        },
    };
    let image = app.catalog.find(&of).ok_or_else(|| RequestError::NoImage(of.clone()))?;
    let engine = c.engine.engine();
    let names = (DbName::parse(&c.dbname, &engine.database_rules()), DbUser::parse(&c.dbuser, &engine.user_rules()));
    let (Ok(dbname), Ok(dbuser)) = names else { return Err(RequestError::NoSuchSnapshot) };
    let request = CreateRequest {
        image,
        name: wanted.name.clone(),
        dbname,
        dbuser,
        password: Some(Password::generate(&app.random)),
        owner,
        contact: c.contact.clone(),
        department: c.department.clone(),
        description: c.description.clone(),
        storage: c.storage.clone(),
        memory: wanted.memory.unwrap_or(ByteSize(c.memory_bytes)),
        cpus: MilliCpus(c.millicpus),
        cores: CpuRequest::stored(c.cpuset.as_deref()),
        extensions: c.extensions.clone(),
        // The backups of its source contain the data of the clone.
        backup_freq: Policy::Never,
        expires_at: wanted.expires_at,
    };
    let mut made = make_in(app, &mut tx, &request, actor, &CLONE, None).await?;
    // Last, because a backup yields only to a request that nothing else refuses.
    let (snapshot, job) = match wanted.snapshot {
        None => origin(app, &mut tx, c, actor).await.map(|(id, job)| (id, Some(job)))?,
        Some(id) => (id, None),
    };
    copies::set_origin(&mut tx, made.id, c.id, snapshot).await?;
    if let Some(job) = job {
        jobs::start_after(&mut tx, made.job, job).await?;
    }
    made.generated = Some(keep_password(app, &mut tx, made.id, &request).await?);
    tx.commit().await?;
    app.wake.notify_one();
    Ok(made)
}

/// Marks the password of a copy as generated, so that it is shown once, and keeps it for later: a reset sets it again.
pub(crate) async fn keep_password(
    app: &App,
    tx: &mut PgConnection,
    id: Uuid,
    request: &CreateRequest<'_>,
) -> Result<secrecy::SecretString, RequestError> {
    let secret = request.password.as_ref().map(|p| p.secret().clone()).unwrap_or_default();
    keep_secret(app, tx, id, (request.dbuser.as_str(), &secret)).await?;
    Ok(secret)
}

/// The same for a user and a password.
pub(crate) async fn keep_secret(
    app: &App,
    tx: &mut PgConnection,
    id: Uuid,
    (dbuser, secret): (&str, &secrecy::SecretString),
) -> Result<(), RequestError> {
    for (kind, generated) in [(CredentialKind::User, true), (CredentialKind::Clone, false)] {
        let sealed = app.sealer.seal(secret, &kind.context(id))?;
        let credential = Credential { username: dbuser.to_owned(), sealed, generated };
        credentials::take(&mut *tx, id, kind).await?;
        credentials::insert(&mut *tx, id, kind, &credential, app.clock.now()).await?;
    }
    Ok(())
}

/// Replaces the data of `c` with one of its snapshots; for a clone, also with its origin.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn restore(app: &App, c: &Container, snapshot: Uuid, actor: &Actor) -> Result<Uuid, RequestError> {
    over_backup(app, &[c], actor, || restore_once(app, c, snapshot, actor)).await
}

async fn restore_once(app: &App, c: &Container, snapshot: Uuid, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    if !copies::hold(&mut tx, snapshot).await? {
        return Err(RequestError::NoSuchSnapshot);
    }
    let job = restore_in(app, &mut tx, c, snapshot, actor).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

async fn restore_in(
    app: &App,
    tx: &mut PgConnection,
    c: &Container,
    snapshot: Uuid,
    actor: &Actor,
) -> Result<Uuid, RequestError> {
    settled(states::lock(&mut *tx, c.id).await?)?;
    let of = snapshots::by_id(&mut *tx, snapshot).await?.ok_or(RequestError::NoSuchSnapshot)?;
    if app.catalog.find(&of.image).is_none() {
        return Err(RequestError::NoImage(of.image));
    }
    let detail = format!("snapshot {snapshot}");
    let job = enqueue(app, &mut *tx, &RESTORE_SNAPSHOT, (c.id, &c.name), actor, &detail).await?;
    let new = NewSnapshot {
        id: new_id(),
        container: c.id,
        job,
        reason: "restore",
        backup: None,
        image: &c.image,
        image_after: &of.image,
        source: Some(snapshot),
    };
    snapshots::insert(&mut *tx, &new, app.clock.now()).await?;
    Ok(job)
}

/// Resets a clone to its origin.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn reset(app: &App, c: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    let origin = c.origin.ok_or(RequestError::NoClone)?;
    let mut db = app.db.acquire().await?;
    let kept = snapshots::by_id(&mut db, origin).await?.is_some();
    drop(db);
    if kept { restore(app, c, origin, actor).await } else { Err(RequestError::NoOrigin) }
}

/// Replaces the data of a clone with the current data of its source.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn refresh(app: &App, c: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    let from = c.cloned_from.filter(|_| c.origin.is_some()).ok_or(RequestError::NoClone)?;
    let mut db = app.db.acquire().await?;
    let source = containers::by_id(&mut db, from).await?.filter(|s| s.purged_at.is_none());
    drop(db);
    let source = source.ok_or(RequestError::NoSource)?;
    same_owner(c, &source)?;
    let attempt = || patiently(app, source.id, || refresh_once(app, c, &source, actor));
    over_backup(app, &[c, &source], actor, attempt).await
}

async fn refresh_once(app: &App, c: &Container, source: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    still_same_owner(&mut tx, c, source).await?;
    settled(states::lock(&mut tx, c.id).await?)?;
    let (snapshot, taking) = origin(app, &mut tx, source, actor).await?;
    let job = restore_in(app, &mut tx, c, snapshot, actor).await?;
    jobs::start_after(&mut tx, job, taking).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Whoever may use a clone gets the data of its source with a refresh, so both must belong to the same person at the time
/// of the request. This holds for administrators too: the data goes to the clone's owner.
pub(crate) fn same_owner(clone: &Container, source: &Container) -> Result<(), RequestError> {
    if clone.account_id == source.account_id { Ok(()) } else { Err(RequestError::SourceOfOther) }
}

/// The same, read again under the lock on the source: either may have got another owner in the meantime.
pub(crate) async fn still_same_owner(
    tx: &mut PgConnection,
    clone: &Container,
    source: &Container,
) -> Result<(), RequestError> {
    states::lock(&mut *tx, source.id).await?.ok_or(RequestError::Gone)?;
    for id in [clone.id, source.id] {
        let now = containers::by_id(&mut *tx, id).await?.ok_or(RequestError::Gone)?;
        same_owner(clone, &now)?;
    }
    Ok(())
}

/// Makes a clone an ordinary database, which is backed up daily.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn promote(app: &App, c: &Container, actor: &Actor) -> Result<(), RequestError> {
    let mut tx = app.db.begin().await?;
    states::lock(&mut tx, c.id).await?.ok_or(RequestError::Gone)?;
    let now = app.clock.now();
    if !copies::promote(&mut tx, c.id, Policy::Daily.as_str(), now).await? {
        return Err(RequestError::NoClone);
    }
    credentials::take(&mut tx, c.id, CredentialKind::Clone).await?;
    let entry = LogEntry {
        action: "container.promote",
        container: Some((c.id, &c.name)),
        outcome: Outcome::Ok,
        detail: "no longer a clone",
    };
    log::append(&mut tx, actor, &entry, now).await?;
    Ok(tx.commit().await?)
}

/// Lets a snapshot expire now. Its directory is removed when no clone can be reset to it.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn delete(app: &App, c: &Container, snapshot: &Snapshot, actor: &Actor) -> Result<(), RequestError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    copies::expire(&mut tx, snapshot.id, now).await?;
    let detail = format!("snapshot {}", snapshot.id);
    let entry = LogEntry {
        action: "container.snapshot-delete",
        container: Some((c.id, &c.name)),
        outcome: Outcome::Ok,
        detail: &detail,
    };
    log::append(&mut tx, actor, &entry, now).await?;
    Ok(tx.commit().await?)
}
