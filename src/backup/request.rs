//! Writes the rows of a request for a backup or a restore to a new database, in one transaction with the job.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::dump::BACKUP;
use crate::admin_db::backups::{Backup, NewBackup};
use crate::admin_db::containers::{Container, copies, states};
use crate::admin_db::log::Actor;
use crate::admin_db::people::accounts;
use crate::admin_db::{backups, constraint, containers, new_id};
use crate::app::App;
use crate::backup::restore::source::openable;
use crate::backup::restore::{RESTORE, offline, partial};
use crate::config::Tier;
use crate::configured::check_available;
use crate::domain::backup_schedule::Policy;
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::engine::EngineKind;
use crate::domain::names::{ContainerName, DbName, DbUser};
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::engine::part::DumpMode;
use crate::engine::partial::Selection;
use crate::provision::request::{CreateRequest, Created, make_in};
use crate::provision::{lifetime, pinning};
use crate::queue::enqueue::enqueue;
use crate::queue::flow::Flow;
use crate::queue::refusal::{RequestError, settled};

/// Enqueues a backup of `c`. Returns the ids of the backup and of the job.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn backup(app: &App, c: &Container, reason: &str, actor: &Actor) -> Result<(Uuid, Uuid), RequestError> {
    let store = app.stores.first().ok_or(RequestError::NoTarget)?;
    if c.engine.engine().backup().is_none() {
        return Err(RequestError::NoBackup(c.engine.label()));
    }
    let now = app.clock.now();
    let id = new_id();
    let mut tx = app.db.begin().await?;
    settled(states::lock(&mut tx, c.id).await?)?;
    let new = NewBackup { id, container: c.id, reason, target: store.name(), drill_of: None };
    backups::insert(&mut tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("backup_log_running_key") => RequestError::Busy,
        _ => e.into(),
    })?;
    let job = enqueue(app, &mut tx, &BACKUP, (c.id, &c.name), actor, reason).await?;
    backups::set_job(&mut tx, id, job).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((id, job))
}

/// What [`backup_each`] has done for a database.
#[derive(Debug)]
pub struct BackupOutcome {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// The job, or why there is none.
    pub job: Result<Uuid, RequestError>,
}

/// Enqueues a backup of every database that can be backed up now. The others are in the result too, with the reason.
///
/// # Errors
/// [`RequestError::NoTarget`], or mydb_admin.
pub async fn backup_all(app: &App, reason: &str, actor: &Actor) -> Result<Vec<BackupOutcome>, RequestError> {
    if app.stores.first().is_none() {
        return Err(RequestError::NoTarget);
    }
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    drop(db);
    Ok(backup_each(app, rows, reason, actor).await)
}

/// Enqueues a backup of each of these databases.
pub async fn backup_each(app: &App, rows: Vec<Container>, reason: &str, actor: &Actor) -> Vec<BackupOutcome> {
    let mut outcomes = Vec::new();
    for c in rows {
        let job = backup(app, &c, reason, actor).await.map(|(_, job)| job);
        outcomes.push(BackupOutcome { name: c.name, owner: c.owner, job });
    }
    outcomes
}

/// Name and owner of the new container restored from a backup.
#[derive(Debug)]
pub struct RestoreRequest {
    /// Its name.
    pub name: ContainerName,
    /// The owner's account.
    pub owner: Uuid,
    /// The part to restore; `None` for the whole backup.
    pub only: Option<Selection>,
    /// The storage tier; `None` for that of the database.
    pub storage: Option<String>,
    /// What the backup is restored for.
    pub purpose: Purpose,
}

/// What a backup is restored for. This decides about the settings of the new container.
#[derive(Debug)]
pub enum Purpose {
    /// To have the data again: the site's usual time to live and cores.
    Restore,
    /// To clone the backup, with this memory limit instead of the source's, and this expiry, if any.
    Clone(Option<ByteSize>, Option<DateTime<Utc>>),
    /// To recreate the database after everything was lost: everything as it was.
    Rebuild,
}

/// Enqueues the restore of a backup into a new container.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn restore(
    app: &App,
    backup: &Backup,
    wanted: &RestoreRequest,
    actor: &Actor,
) -> Result<Created, RequestError> {
    if !backup.is_good() {
        return Err(RequestError::NoSuchBackup);
    }
    openable(app, backup)?;
    let mut db = app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, backup.id).await?.ok_or(RequestError::NoSuchBackup)?;
    let owner = accounts::by_id(&mut db, wanted.owner).await?.and_then(|a| a.user()).ok_or(RequestError::Gone)?;
    drop(db);
    if let Some(only) = &wanted.only {
        partial::allowed(manifest.container.engine, only)?;
        manifest.clone().reduced(only).map_err(RequestError::NotAlone)?;
    }
    let made_at = manifest.started_at;
    let of = manifest.container;
    let image = app.catalog.find(&of.image).ok_or_else(|| RequestError::NoImage(of.image.clone()))?;
    let engine = of.engine.engine();
    let names = (DbName::parse(&of.dbname, &engine.database_rules()), DbUser::parse(&of.dbuser, &engine.user_rules()));
    let (Ok(dbname), Ok(dbuser)) = names else { return Err(RequestError::NoSuchBackup) };
    // If one database is selected, it becomes the database to connect to, provided that its name is valid here.
    let only = wanted.only.as_ref();
    let dbname = only.and_then(|o| DbName::parse(&o.database, &engine.database_rules()).ok()).unwrap_or(dbname);
    let tier = match &wanted.storage {
        Some(name) => chosen(app, name)?,
        // The tier may no longer exist; the default one will do for a copy.
        None => app.config.tier(&of.storage).or(app.config.storage.first()).ok_or(RequestError::NoSuchBackup)?,
    };
    let (memory, cores, expires_at) = match wanted.purpose {
        Purpose::Restore => (None, pinning::usual(app).await, lifetime::usual_end(app, owner.role, of.engine)),
        Purpose::Clone(memory, end) => (memory, CpuRequest::stored(of.cpuset.as_deref()), end),
        Purpose::Rebuild => (None, CpuRequest::stored(of.cpuset.as_deref()), of.expires_at),
    };
    let source = (of.id, made_at);
    let request = CreateRequest {
        image,
        name: wanted.name.clone(),
        dbname,
        dbuser,
        password: None,
        owner,
        contact: of.contact,
        department: of.department,
        description: of.description,
        storage: tier.name.clone(),
        memory: memory.unwrap_or(ByteSize(of.memory_bytes)),
        cpus: MilliCpus(of.millicpus),
        cores,
        extensions: Vec::new(),
        backup_freq: Policy::stored(&of.backup_freq),
        expires_at,
    };
    let mut tx = app.db.begin().await?;
    let made = make_in(app, &mut tx, &request, actor, restore_flow(of.engine), Some((backup.id, only))).await?;
    if wanted.only.is_none() && !matches!(wanted.purpose, Purpose::Rebuild) {
        copies::set_source(&mut tx, made.id, source).await?;
    }
    tx.commit().await?;
    app.wake.notify_one();
    Ok(made)
}

/// The storage tier that was chosen for a restore.
fn chosen<'a>(app: &'a App, name: &str) -> Result<&'a Tier, RequestError> {
    let none = || RequestError::TierRefused(format!("There is no storage tier “{name}”."));
    let tier = app.config.tier(name).ok_or_else(none)?;
    check_available(tier).map_err(|e| RequestError::TierRefused(e.to_string()))?;
    Ok(tier)
}

/// The flow that restores a backup into a new database of this engine.
pub fn restore_flow(engine: EngineKind) -> &'static Flow {
    match engine.engine().backup().map(super::super::engine::backup::EngineBackup::dump_mode) {
        Some(DumpMode::Stopped) => &offline::RESTORE_COPY,
        _ => &RESTORE,
    }
}
