//! Writes the rows of a request in one transaction, including the job. Nothing slow happens here.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use super::spares::take;
use super::tier_access::TierUse;
use super::{pinning, quota, tier_access};
use crate::admin_db::backups::retention;
use crate::admin_db::containers::credentials::{Credential, CredentialKind};
use crate::admin_db::containers::input::NewContainer;
use crate::admin_db::containers::ports::PortOwner;
use crate::admin_db::containers::{Container, cores, credentials, input, ports, states};
use crate::admin_db::log::Actor;
use crate::admin_db::spares::Spare;
use crate::admin_db::{constraint, containers, new_id, spares, templates};
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::domain::backup_schedule::Policy;
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::job_kind::JobKind;
use crate::domain::names::{ContainerName, DbName, DbUser, container_name};
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::user::User;
use crate::engine::partial::Selection;
use crate::queue::cancel_backup::over_backup;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

/// A validated form.
#[derive(Debug)]
pub struct CreateRequest<'a> {
    /// Image.
    pub image: &'a CatalogImage,
    /// Name.
    pub name: ContainerName,
    /// The user's database.
    pub dbname: DbName,
    /// The user's role.
    pub dbuser: DbUser,
    /// The role's password; if `None`, one is generated and shown once.
    pub password: Option<Password>,
    /// The owner.
    pub owner: User,
    /// Contact for questions about it.
    pub contact: String,
    /// Department.
    pub department: String,
    /// Its purpose.
    pub description: String,
    /// Storage tier.
    pub storage: String,
    /// Memory limit.
    pub memory: ByteSize,
    /// CPU limit.
    pub cpus: MilliCpus,
    /// The cores to pin it to.
    pub cores: CpuRequest,
    /// Extensions to install in the user's database.
    pub extensions: Vec<String>,
    /// Schedule of its backups.
    pub backup_freq: Policy,
    /// When it expires, if ever.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Result of a create request.
#[derive(Debug)]
pub struct Created {
    /// The container.
    pub id: Uuid,
    /// Its job.
    pub job: Uuid,
    /// The password, if it was generated.
    pub generated: Option<SecretString>,
}

/// Writes everything for a new container in one transaction: container, state, ports, encrypted credentials, log and
/// job.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn create(app: &App, request: &CreateRequest<'_>, actor: &Actor) -> Result<Created, RequestError> {
    make(app, request, actor, &super::create::CREATE, None).await
}

/// The same with another flow, for a container made from a backup.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub(crate) async fn make(
    app: &App,
    request: &CreateRequest<'_>,
    actor: &Actor,
    flow: &'static Flow,
    restored_from: Option<Uuid>,
) -> Result<Created, RequestError> {
    make_of(app, request, actor, flow, restored_from.map(|backup| (backup, None))).await
}

/// The same for a part of a backup.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub(crate) async fn make_of(
    app: &App,
    request: &CreateRequest<'_>,
    actor: &Actor,
    flow: &'static Flow,
    from: Option<(Uuid, Option<&Selection>)>,
) -> Result<Created, RequestError> {
    let mut tx = app.db.begin().await?;
    let made = make_in(app, &mut tx, request, actor, flow, from).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(made)
}

/// The same in the caller's transaction. The caller wakes the workers after the commit.
///
/// # Errors
/// [`RequestError`]
pub(crate) async fn make_in(
    app: &App,
    tx: &mut PgConnection,
    request: &CreateRequest<'_>,
    actor: &Actor,
    flow: &'static Flow,
    from: Option<(Uuid, Option<&Selection>)>,
) -> Result<Created, RequestError> {
    let place = (request.storage.as_str(), request.image.engine);
    tier_access::check(app, &mut *tx, place, (&request.owner, TierUse::of(flow.kind)), actor).await?;
    if request.cores.is_pinned() {
        cores::lock(&mut *tx).await?;
    }
    let (restored_from, restored_only) = from.unzip();
    let now = app.clock.now();
    let spare = match flow.kind {
        JobKind::Create => {
            let place = (request.image, request.storage.as_str());
            take::find(app, &mut *tx, place, (request.memory, request.cpus)).await?
        }
        _ => None,
    };
    // A server that was started in advance already has the id of its container.
    let id = spare.as_ref().map_or_else(new_id, |spare| spare.id);
    let engine = request.image.engine;
    let docker_name = container_name(&app.config.instance, id);
    if let Some(backup) = restored_from
        && !retention::hold(&mut *tx, backup).await?
    {
        return Err(RequestError::NoSuchBackup);
    }
    let new = NewContainer {
        id,
        name: request.name.as_str(),
        engine,
        image: &request.image.image,
        dbname: request.dbname.as_str(),
        dbuser: request.dbuser.as_str(),
        account_id: request.owner.id,
        contact: &request.contact,
        department: &request.department,
        description: &request.description,
        storage: &request.storage,
        memory_bytes: request.memory.0,
        millicpus: request.cpus.0,
        extensions: &request.extensions,
        docker_name: &docker_name,
        restored_from,
        restored_only: restored_only.flatten(),
        backup_freq: request.backup_freq.as_str(),
        expires_at: request.expires_at,
        created_by: &actor.name,
    };
    // Create requests for one owner wait for each other here, so that each counts those before it.
    let before = quota::before(&mut *tx, request.owner.id).await?;
    input::insert(&mut *tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("container_name_key") => RequestError::NameTaken,
        _ => e.into(),
    })?;
    if !request.owner.is_admin() {
        let most = app.config.limits.containers_per_user;
        let (databases, templates) = held(&mut *tx, request.owner.id).await?;
        if databases + templates > most {
            return Err(RequestError::too_many(request.owner.username.as_str(), most, templates));
        }
    }
    states::insert(&mut *tx, id, &actor.name, now).await?;
    pinning::pin_new(app, &mut *tx, id, &request.cores).await?;
    before.check(app, tx).await?;
    let generated = request.password.is_none();
    let password = request.password.clone().unwrap_or_else(|| Password::generate(&app.random));
    match &spare {
        Some(spare) => become_container(&mut *tx, spare, engine.engine().admin_user(), now).await?,
        None => {
            for port in engine.engine().ports() {
                let range = &app.config.databases.ports;
                let taken = ports::take(&mut *tx, range, PortOwner::Container(id), port.purpose, now).await?;
                taken.ok_or(RequestError::NoPort)?;
            }
            let kind = CredentialKind::Admin;
            let sealed = app.sealer.seal(Password::generate(&app.random).secret(), &kind.context(id))?;
            let credential = Credential { username: engine.engine().admin_user().to_owned(), sealed, generated: true };
            credentials::insert(&mut *tx, id, kind, &credential, now).await?;
        }
    }
    let sealed = app.sealer.seal(password.secret(), &CredentialKind::User.context(id))?;
    let credential = Credential { username: request.dbuser.to_string(), sealed, generated };
    credentials::insert(&mut *tx, id, CredentialKind::User, &credential, now).await?;
    let detail = format!("{} for {}", request.image.label, request.owner.username);
    let job = enqueue(app, tx, flow, (id, request.name.as_str()), actor, &detail).await?;
    Ok(Created { id, job, generated: generated.then(|| password.secret().clone()) })
}

/// The numbers of existing databases and templates that count towards the limit of an account.
///
/// # Errors
/// If mydb_admin is unavailable.
pub async fn held(db: &mut PgConnection, account: Uuid) -> Result<(i64, i64), sqlx::Error> {
    Ok((containers::owned(&mut *db, account).await?, templates::owned(db, account).await?))
}

/// Gives a new container the server that was started in advance under its id.
async fn become_container(
    tx: &mut PgConnection,
    spare: &Spare,
    admin_user: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    spares::become_container(&mut *tx, spare.id).await?;
    containers::record::set_from_spare(&mut *tx, spare).await?;
    for (kind, sealed) in [(CredentialKind::Admin, &spare.admin_sealed), (CredentialKind::Seed, &spare.seed_sealed)] {
        let credential = Credential { username: admin_user.to_owned(), sealed: sealed.clone(), generated: true };
        credentials::insert(&mut *tx, spare.id, kind, &credential, now).await?;
    }
    Ok(())
}

/// Enqueues an action on a container with its log row, in one transaction.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn act(app: &App, c: &Container, flow: &'static Flow, actor: &Actor) -> Result<Uuid, RequestError> {
    over_backup(app, &[c], actor, || act_once(app, c, flow, actor)).await
}

async fn act_once(app: &App, c: &Container, flow: &'static Flow, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    let job = act_in(app, &mut tx, c, flow, actor).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// The same in the caller's transaction.
///
/// # Errors
/// [`RequestError`]
pub(crate) async fn act_in(
    app: &App,
    tx: &mut PgConnection,
    c: &Container,
    flow: &'static Flow,
    actor: &Actor,
) -> Result<Uuid, RequestError> {
    allowed(flow.kind, c.state)?;
    if makes_data(flow.kind) {
        tier_access::check_owner(app, &mut *tx, c, TierUse::of(flow.kind), actor).await?;
    }
    if flow.kind == JobKind::Stop && c.started_at.is_none() {
        // It has never been started. The state “stopped” would promise data that can be started again.
        return Err(RequestError::State(c.state));
    }
    if flow.kind != JobKind::Undelete {
        return enqueue(app, tx, flow, (c.id, &c.name), actor, "requested").await;
    }
    // A database restored from the trash counts towards the quota again.
    let before = quota::before(&mut *tx, c.account_id).await?;
    let job = enqueue(app, tx, flow, (c.id, &c.name), actor, "requested").await?;
    before.check(app, tx).await?;
    Ok(job)
}

/// Whether a flow makes the data of a new database.
fn makes_data(kind: JobKind) -> bool {
    use JobKind as K;
    matches!(kind, K::Create | K::Load | K::LoadStopped | K::Restore | K::RestoreCopy | K::Clone | K::FromTemplate)
}

/// Which flows are allowed in which state, so that a late click is answered with a sentence instead of a failed job.
fn allowed(kind: JobKind, state: ContainerState) -> Result<(), RequestError> {
    use ContainerState as S;
    let fine = match kind {
        kind if makes_data(kind) => matches!(state, S::Requested | S::Failed),
        JobKind::Start => matches!(state, S::Stopped | S::Failed | S::Running),
        JobKind::Stop => matches!(state, S::Running | S::Failed),
        JobKind::Restart | JobKind::Resize => matches!(state, S::Running),
        JobKind::Delete => matches!(state, S::Running | S::Stopped | S::Failed | S::Requested),
        JobKind::Undelete => state == S::Trashed,
        JobKind::Purge => matches!(state, S::Trashed | S::Failed | S::Requested),
        _ => false,
    };
    if fine { Ok(()) } else { Err(RequestError::State(state)) }
}
