//! Requests imports: the rows of a version in one transaction with its job.

use uuid::Uuid;

use crate::admin_db::backups::{Backup, retention};
use crate::admin_db::containers::{Container, copies, snapshots};
use crate::admin_db::jobs::payload::JobPayload;
use crate::admin_db::jobs::{NewJob, enqueue};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::accounts;
use crate::admin_db::templates::versions::{NewVersion, TemplateVersion, VersionStatus};
use crate::admin_db::templates::{Template, versions};
use crate::admin_db::{backups, constraint, containers, jobs, log, new_id};
use crate::app::App;
use crate::backup::restore::source::openable;
use crate::clones::request::{origin, patiently};
use crate::domain::password::Password;
use crate::provision::tier_access;
use crate::provision::tier_access::TierUse;
use crate::queue::cancel_backup::over_backup;
use crate::queue::refusal::RequestError;
use crate::templates::import::IMPORT;

/// Requests the import of a template's source. Returns the ids of the version and of the job.
///
/// # Errors
/// [`RequestError::Busy`] if an import of it is running; nothing is written then.
pub async fn refresh(app: &App, t: &Template, actor: &Actor) -> Result<(Uuid, Uuid), RequestError> {
    if let Some(id) = t.origin.backup() {
        openable(app, &backup(app, id).await?)?;
    }
    let Some(c) = database(app, t).await? else { return import(app, t, None, actor).await };
    let mut db = app.db.acquire().await?;
    let last = versions::latest(&mut db, t.id, 1).await?;
    drop(db);
    if last.first().is_some_and(|v| v.status() == VersionStatus::Importing) {
        return Err(RequestError::Busy);
    }
    let request = || patiently(app, c.id, || import(app, t, Some(&c), actor));
    match t.origin.snapshot() {
        // What is in a snapshot does not depend on the database's jobs.
        Some(_) => request().await,
        None => over_backup(app, &[&c], actor, request).await,
    }
}

/// The database that a template is made from; `None` if it is made from a dump.
///
/// # Errors
/// [`RequestError::Template`] if the database was deleted permanently.
pub async fn database(app: &App, t: &Template) -> Result<Option<Container>, RequestError> {
    let Some(id) = t.origin.database() else { return Ok(None) };
    let mut db = app.db.acquire().await?;
    let found = containers::by_id(&mut db, id).await?.filter(|c| c.purged_at.is_none());
    let gone = || RequestError::Template("The database that this template is made from no longer exists.".to_owned());
    found.ok_or_else(gone).map(Some)
}

/// The backup that a template is made from.
async fn backup(app: &App, id: Uuid) -> Result<Backup, RequestError> {
    let mut db = app.db.acquire().await?;
    backups::by_id(&mut db, id).await?.ok_or(RequestError::NoSuchBackup)
}

async fn import(
    app: &App,
    t: &Template,
    from: Option<&Container>,
    actor: &Actor,
) -> Result<(Uuid, Uuid), RequestError> {
    let (now, id) = (app.clock.now(), new_id());
    let sealed = app.sealer.seal(Password::generate(&app.random).secret(), &TemplateVersion::context(id))?;
    let names = IMPORT.names();
    let mut tx = app.db.begin().await?;
    if t.is_personal()
        && let Some(maker) = accounts::by_name(&mut tx, &t.created_by).await?.and_then(|a| a.user())
    {
        tier_access::check(app, &mut tx, (&t.storage, t.engine), (&maker, TierUse::Copy), actor).await?;
    }
    // From here on the version says that the backup is in use.
    if let Some(backup) = t.origin.backup()
        && !retention::hold(&mut tx, backup).await?
    {
        return Err(RequestError::NoSuchBackup);
    }
    let (snapshot, taken_by) = match (from, t.origin.snapshot()) {
        (None, _) => (None, None),
        (Some(_), Some(snapshot)) if copies::hold(&mut tx, snapshot).await? => (Some(snapshot), None),
        (Some(_), Some(_)) => return Err(RequestError::NoSuchSnapshot),
        (Some(c), None) => origin(app, &mut tx, c, actor).await.map(|(id, job)| (Some(id), Some(job)))?,
    };
    let image = match snapshot {
        Some(id) => snapshots::by_id(&mut tx, id).await?.ok_or(RequestError::NoSuchSnapshot)?.image,
        None => t.image.clone(),
    };
    let job = NewJob {
        kind: IMPORT.kind.as_str(),
        container: None,
        payload: JobPayload::of(actor),
        by: &actor.name,
        steps: &names,
    };
    let job = enqueue(&mut tx, &job, now).await?;
    if let Some(taken_by) = taken_by {
        jobs::start_after(&mut tx, job, taken_by).await?;
    }
    let new = NewVersion {
        id,
        template: t.id,
        job,
        image: &image,
        storage: &t.storage,
        dbname: &t.dbname,
        dbuser: &t.dbuser,
        source: &t.source,
        snapshot,
        sealed: &sealed,
    };
    versions::insert(&mut tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("template_version_import_key" | "template_version_template_id_number_key") => RequestError::Busy,
        _ => e.into(),
    })?;
    let entry = LogEntry { action: "template.refresh", container: None, outcome: Outcome::Ok, detail: &t.name };
    log::append(&mut tx, actor, &entry, now).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((id, job))
}
