//! Writes the rows of a request for a restore in place or an upgrade, in one transaction with the job.

use uuid::Uuid;

use crate::admin_db::backups::{Backup, NewBackup, retention};
use crate::admin_db::containers::snapshots::NewSnapshot;
use crate::admin_db::containers::{Container, snapshots, states};
use crate::admin_db::log::Actor;
use crate::admin_db::{backups, constraint, new_id};
use crate::app::App;
use crate::backup::restore::in_place::RESTORE_IN_PLACE;
use crate::backup::restore::source::openable;
use crate::backup::restore::upgrade::UPGRADE;
use crate::catalog::CatalogImage;
use crate::domain::version;
use crate::encryption::Identities;
use crate::engine::EngineBackup;
use crate::engine::part::DumpMode;
use crate::queue::cancel_backup::over_backup;
use crate::queue::enqueue::enqueue;
use crate::queue::refusal::{RequestError, settled};

/// Enqueues the restore in place of a backup, which replaces the data of `c`.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn in_place(app: &App, c: &Container, backup: &Backup, actor: &Actor) -> Result<Uuid, RequestError> {
    if !backup.is_good() {
        return Err(RequestError::NoSuchBackup);
    }
    openable(app, backup)?;
    over_backup(app, &[c], actor, || in_place_once(app, c, backup, actor)).await
}

async fn in_place_once(app: &App, c: &Container, backup: &Backup, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    if !retention::hold(&mut tx, backup.id).await? {
        return Err(RequestError::NoSuchBackup);
    }
    let manifest = backups::manifest(&mut tx, backup.id).await?.ok_or(RequestError::NoSuchBackup)?;
    let then = app.catalog.find(&manifest.container.image);
    let now = app.catalog.find(&c.image).ok_or_else(|| RequestError::NoImage(c.image.clone()))?;
    if manifest.container.engine != c.engine || then.is_some_and(|then| newer(then, now)) {
        return Err(RequestError::OtherVersion(format!("{} {}", now.label, now.version)));
    }
    settled(states::lock(&mut tx, c.id).await?)?;
    let detail = format!("backup {}", backup.id);
    let job = enqueue(app, &mut tx, &RESTORE_IN_PLACE, (c.id, &c.name), actor, &detail).await?;
    let new = NewSnapshot {
        id: new_id(),
        container: c.id,
        job,
        reason: "restore",
        backup: Some(backup.id),
        image: &c.image,
        image_after: &c.image,
        source: None,
    };
    snapshots::insert(&mut tx, &new, app.clock.now()).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Enqueues the upgrade of `c` to another image of the catalog.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn upgrade(app: &App, c: &Container, to: &CatalogImage, actor: &Actor) -> Result<Uuid, RequestError> {
    let store = app.stores.first().ok_or(RequestError::NoTarget)?;
    let backups = &app.config.backups;
    if !backups.recipients.is_empty() && !Identities::of(backups).open(&backups.recipients) {
        return Err(RequestError::UpgradeNeedsKey);
    }
    let from = app.catalog.find(&c.image).ok_or_else(|| RequestError::NoImage(c.image.clone()))?;
    if !possible(from, to) {
        return Err(RequestError::NoUpgrade(format!("{} {}", to.label, to.version)));
    }
    over_backup(app, &[c], actor, || upgrade_once(app, c, (to, store.name()), actor)).await
}

async fn upgrade_once(
    app: &App,
    c: &Container,
    (to, target): (&CatalogImage, &str),
    actor: &Actor,
) -> Result<Uuid, RequestError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    settled(states::lock(&mut tx, c.id).await?)?;
    let backup = new_id();
    let new = NewBackup { id: backup, container: c.id, reason: "upgrade", target, drill_of: None };
    backups::insert(&mut tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("backup_log_running_key") => RequestError::Busy,
        _ => e.into(),
    })?;
    let job = enqueue(app, &mut tx, &UPGRADE, (c.id, &c.name), actor, &format!("{} → {}", c.image, to.image)).await?;
    backups::set_job(&mut tx, backup, job).await?;
    let new = NewSnapshot {
        id: new_id(),
        container: c.id,
        job,
        reason: "upgrade",
        backup: Some(backup),
        image: &c.image,
        image_after: &to.image,
        source: None,
    };
    snapshots::insert(&mut tx, &new, now).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Whether a database of the image `from` can be upgraded to `to`: it must be the same engine, a later version, and
/// dumped as statements, because a server's own files only suit its version.
pub fn possible(from: &CatalogImage, to: &CatalogImage) -> bool {
    let moves = from.engine.engine().backup().map(EngineBackup::dump_mode);
    from.engine == to.engine && newer(to, from) && moves == Some(DumpMode::Running)
}

/// Whether the version of `one` is later than that of `other`.
fn newer(one: &CatalogImage, other: &CatalogImage) -> bool {
    version::parts(&one.version) > version::parts(&other.version)
}
