//! The drill (for people: test restore). A backup is restored into a sealed container, checked with the engine's own
//! tools and compared with its manifest, and the time is measured. The result is stored next to the backup.

use std::time::Instant;

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::compare::compare;
use super::restore::{raise, sound};
use crate::admin_db::backups::{Backup, BackupStatus, NewBackup, retention};
use crate::admin_db::log::Actor;
use crate::admin_db::{backups, constraint, new_id, notices};
use crate::app::App;
use crate::backup::dump::context::row;
use crate::backup::engine_backup;
use crate::backup::restore::differences;
use crate::backup::restore::source::{BackupSource, openable};
use crate::backup::server_handle::ServerHandle;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::domain::quantity::ByteSize;
use crate::engine::part::DumpMode;
use crate::provision::quota::space::RESERVE;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::storage::measured;

/// Runs a test restore.
pub static DRILL: Flow = Flow {
    kind: JobKind::Drill,
    title: "Test restore",
    rules: JobRules::of(Pool::Backup).cancel(Cancel::WhileBackingUp).blame(Blame::Nobody),
    steps: &[
        Step::new("Restore into an isolated container and compare", |w| Box::pin(prove(w)))
            .undo(|w| Box::pin(remove(w))),
        Step::new("Remove the isolated container", |w| Box::pin(remove(w))),
    ],
};

/// The receipt that a test restore stores next to the backup.
#[derive(Debug, Serialize)]
struct Receipt<'a> {
    drill: Uuid,
    backup: Uuid,
    database: &'a str,
    /// Checksum of the manifest as read for this test restore.
    manifest_sha256: String,
    at: chrono::DateTime<chrono::Utc>,
    image: &'a str,
    image_digest: String,
    level: i16,
    restore_ms: i64,
    counts: usize,
    /// What could not be restored, or only in a second attempt.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Number of definitions compared; absent if the backup has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    definitions: Option<usize>,
    /// HMAC-SHA-256 of all fields above as JSON, with the portal's sealing key.
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

async fn source(w: &StepContext) -> Result<(Uuid, BackupSource<'_>), StepError> {
    let row = row(w).await?;
    let of = row.drill_of.ok_or_else(|| StepError::Fail("This test restore does not specify a backup.".to_owned()))?;
    Ok((row.id, BackupSource::read(&w.app, of).await?))
}

async fn remove(w: &StepContext) -> Result<(), StepError> {
    // Described by its row, because the store may be what is unavailable.
    let row = row(w).await?;
    let Some(of) = row.drill_of else { return Ok(()) };
    let mut db = w.app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, of).await?;
    drop(db);
    match manifest {
        Some(manifest) => {
            SealedServer::of(&w.app, &manifest.container, row.id, AdminPassword::New).await?.remove(&w.app).await
        }
        None => Ok(()),
    }
}

/// The restored data must not fill the tier that other databases use.
async fn room(path: std::path::PathBuf, raw: i64) -> Result<(), StepError> {
    let has = measured(path).await?;
    let needed = raw.saturating_mul(3).saturating_add(RESERVE);
    if has.free < needed {
        return Err(StepError::Fail(format!(
            "Not enough disk space for the test restore: {} free, {} needed for the copy.",
            ByteSize(has.free),
            ByteSize(needed)
        )));
    }
    Ok(())
}

async fn prove(w: &StepContext) -> Result<(), StepError> {
    let before = row(w).await?;
    if before.status == BackupStatus::Succeeded {
        return Ok(());
    }
    let app = &w.app;
    let (id, mut source) = source(w).await?;
    // No copies are used: a test restore must detect damage in the backup's own target.
    source.others.clear();
    let manifest = &source.manifest;
    let password = manifest.admin(&source.keys).map_err(StepError::Fail)?;
    let admin = password.map_or(AdminPassword::New, AdminPassword::There);
    let mut sealed = SealedServer::of(app, &manifest.container, id, admin).await?;
    room(sealed.blueprint.tier.path.clone(), source.row.raw_bytes.unwrap_or(0)).await?;
    // Removes what an earlier attempt left.
    sealed.remove(app).await?;
    w.progress("Starting an isolated container").await;
    let begin = Instant::now();
    let docker_id = raise(w, &source, &mut sealed).await?;
    let restore_ms = i64::try_from(begin.elapsed().as_millis()).unwrap_or(i64::MAX);
    let engine = engine_backup(manifest.container.engine)?;
    let server = ServerHandle { id: &docker_id, spec: sealed.blueprint.plan(), engine };
    w.progress("Checking and comparing").await;
    if engine.check_mode() == DumpMode::Running {
        sound(app, manifest, &server).await?;
    }
    let found = compare(app, manifest, &server, true).await?;
    let mut db = app.db.acquire().await?;
    backups::set_differences(&mut db, id, &found.differences()).await?;
    drop(db);
    // After a second attempt definitions may differ. The receipt lists that, and the level shows it.
    if source.notes().is_empty() {
        found.equal()?;
    } else {
        // Missing rows fail the test restore, whatever was attempted.
        found.same_content().map_err(|e| differences::with_reasons(&source, e))?;
    }
    if engine.check_mode() == DumpMode::Stopped {
        sealed.stop(app).await?;
        let id = sealed.hold(app, true).await?;
        sound(app, manifest, &ServerHandle { id: &id, spec: sealed.blueprint.plan(), engine }).await?;
    }
    let notes = source.notes();
    let level = match (notes.is_empty(), manifest.exact_counts) {
        (true, true) if manifest.fingerprints => 5,
        // Without exact counts, nothing says whether all rows are there.
        (_, false) => 3,
        _ => 4,
    };
    let mut receipt = Receipt {
        drill: id,
        backup: manifest.backup,
        database: &manifest.container.name,
        manifest_sha256: source.sha256(),
        at: app.clock.now(),
        image: &manifest.container.image,
        image_digest: manifest.container.digest.clone(),
        level,
        restore_ms,
        counts: found.counts,
        notes,
        definitions: found.definitions.map(|(n, _)| n),
        mac: None,
    };
    let text = |r: &Receipt<'_>| {
        serde_json::to_vec_pretty(r).map_err(|e| StepError::Fail(format!("Could not write the receipt: {e}.")))
    };
    receipt.mac = Some(app.sealer.mac(&text(&receipt)?));
    let key = source.key(&format!("drill-{id}.json"));
    source.store.put(&key, Bytes::from(text(&receipt)?), "application/json").await?;
    let mut tx = app.db.begin().await?;
    backups::drilled(&mut tx, id, level, restore_ms, app.clock.now()).await?;
    notices::proven(&mut tx, id, app.clock.now()).await?;
    tx.commit().await?;
    w.progress(&source.describe(&format!("Restored and compared: {}", found.sentence()))).await;
    Ok(())
}

/// Enqueues a test restore of a backup. Returns the ids of the test restore and of the job.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn request(app: &App, backup: &Backup, reason: &str, actor: &Actor) -> Result<(Uuid, Uuid), RequestError> {
    openable(app, backup)?;
    let id = new_id();
    let mut tx = app.db.begin().await?;
    if !retention::hold(&mut tx, backup.id).await? {
        return Err(RequestError::NoSuchBackup);
    }
    let target = backup.target.as_deref().unwrap_or_default();
    let new = NewBackup { id, container: backup.container_id, reason, target, drill_of: Some(backup.id) };
    backups::insert(&mut tx, &new, app.clock.now()).await.map_err(|e| match constraint(&e) {
        Some("backup_log_drill_key") => RequestError::Busy,
        _ => e.into(),
    })?;
    let job = enqueue(app, &mut tx, &DRILL, (backup.container_id, &backup.container), actor, reason).await?;
    backups::set_job(&mut tx, id, job).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((id, job))
}
