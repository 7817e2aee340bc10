//! Creates templates from databases, from their snapshots, and from backups.

use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::admin_db::containers::snapshots;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::log::Actor;
use crate::admin_db::templates::Template;
use crate::admin_db::templates::origin::TemplateOrigin;
use crate::admin_db::{backups, containers};
use crate::app::App;
use crate::backup::restore::source::openable;
use crate::domain::names::TemplateName;
use crate::domain::user::User;
use crate::queue::refusal::RequestError;
use crate::templates::new_template::{CopySettings, NewTemplate, insert};
use crate::templates::origin::TemplateSource;

/// The database of a source, and the snapshot if it is one. `None` if there is no such database, or the snapshot is not
/// complete.
///
/// # Errors
/// If mydb_admin is unavailable.
pub async fn source(app: &App, source: &TemplateSource) -> Result<Option<(Container, Option<Snapshot>)>, sqlx::Error> {
    let mut db = app.db.acquire().await?;
    match source {
        TemplateSource::Database(name) => Ok(containers::by_name(&mut db, name).await?.map(|c| (c, None))),
        TemplateSource::Snapshot(id) => {
            let found = snapshots::by_id(&mut db, *id).await?.filter(|s| s.is_copy() && s.made_at.is_some());
            let Some(snapshot) = found else { return Ok(None) };
            let c = containers::by_id(&mut db, snapshot.container_id).await?.filter(|c| c.purged_at.is_none());
            Ok(c.map(|c| (c, Some(snapshot))))
        }
        TemplateSource::Backup(_) | TemplateSource::Object(_) => Ok(None),
    }
}

/// Creates a template from a database, or from one of its snapshots. For `maker` only, unless that is an administrator or
/// nobody in particular, and counted towards the limit of databases.
///
/// # Errors
/// [`RequestError::TemplateNameTaken`] if another template has the name, [`RequestError::TooMany`]; nothing is written then.
pub async fn create_from_database(
    app: &App,
    name: &TemplateName,
    (c, snapshot): (&Container, Option<&Snapshot>),
    maker: Option<&User>,
    actor: &Actor,
) -> Result<Template, RequestError> {
    let image = snapshot.map_or(&c.image, |s| &s.image);
    let source = match snapshot.map(Snapshot::as_of) {
        Some(at) => format!("snapshot of {} from {}", c.name, at.format("%Y-%m-%d %H:%M UTC")),
        None => format!("database {}", c.name),
    };
    let copies = CopySettings {
        engine: c.engine,
        image: image.clone(),
        storage: c.storage.clone(),
        dbname: c.dbname.clone(),
        dbuser: c.dbuser.clone(),
        memory_bytes: c.memory_bytes,
        millicpus: c.millicpus,
    };
    let origin = snapshot.map_or(TemplateOrigin::Database(c.id), |s| TemplateOrigin::Snapshot { of: c.id, id: s.id });
    insert(app, NewTemplate { name, origin, source, copies }, maker, actor).await
}

/// Creates a template from a backup. For `maker` only, unless that is an administrator or
/// nobody in particular, and counted towards the limit of databases. It keeps the tier of the
/// database, because that may be the only one on which the data is allowed.
///
/// # Errors
/// [`RequestError::NoSuchBackup`] if the backup is incomplete or no longer stored, [`RequestError::NeedsKey`] if the
/// portal cannot decrypt it, [`RequestError::TemplateNameTaken`], [`RequestError::TooMany`]; nothing is written then.
pub async fn create_from_backup(
    app: &App,
    name: &TemplateName,
    backup: &Backup,
    maker: Option<&User>,
    actor: &Actor,
) -> Result<Template, RequestError> {
    if !backup.is_good() {
        return Err(RequestError::NoSuchBackup);
    }
    openable(app, backup)?;
    let mut db = app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, backup.id).await?.ok_or(RequestError::NoSuchBackup)?;
    drop(db);
    let (of, at) = (manifest.container, manifest.started_at);
    if app.catalog.find(&of.image).is_none() {
        return Err(RequestError::NoImage(of.image));
    }
    if app.config.tier(&of.storage).is_none() {
        let why = format!("The storage tier “{}” of this backup’s database no longer exists.", of.storage);
        return Err(RequestError::Template(why));
    }
    let copies = CopySettings {
        engine: of.engine,
        image: of.image,
        storage: of.storage,
        dbname: of.dbname,
        dbuser: of.dbuser,
        memory_bytes: of.memory_bytes,
        millicpus: of.millicpus,
    };
    let source = format!("backup of {} from {}", backup.container, at.format("%Y-%m-%d %H:%M UTC"));
    insert(app, NewTemplate { name, origin: TemplateOrigin::Backup(backup.id), source, copies }, maker, actor).await
}
