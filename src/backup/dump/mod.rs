//! The flow of a backup: query the server, dump and upload, read back, write the manifest.

pub mod context;
pub mod frozen_copy;
pub mod read_back;
pub mod store_parts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::{BackupStatus, newest, open_uploads};
use crate::admin_db::containers::Container;
use crate::admin_db::jobs::cancel;
use crate::admin_db::log::Actor;
use crate::admin_db::{backups, notices};
use crate::app::App;
use crate::backup::drill;
use crate::backup::dump::context::{BackupContext, DumpSource, location, row, store};
use crate::backup::retention::cleanup;
use crate::backup::{replicate, restore_script, sign};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::domain::object_keys;
use crate::domain::quantity::ByteSize;
use crate::engine::{ExecSpec, Stdin};
use crate::manifest::BackupSubject;
use crate::objects::Store;
use crate::provision::container::find;
use crate::provision::exec::ask;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::{manifest, recovery_key};

/// Timeout for the cleanup of a target after a failed or cancelled backup.
const SOON: Duration = Duration::from_secs(5);

/// Makes a backup.
pub static BACKUP: Flow = Flow {
    kind: JobKind::Backup,
    title: "Back up",
    rules: JobRules::of(Pool::Backup).cancel(Cancel::WhileBackingUp).blame(Blame::Nobody),
    steps: &[
        Step::new("Dump and upload", |w| Box::pin(dump(w))).undo(|w| Box::pin(sweep_soon(w))),
        Step::new("Read back the start of the dump", |w| Box::pin(read_back::list(w))),
        Step::new("Write the manifest", |w| Box::pin(finish(w))),
    ],
};

/// Cleans up everything an attempt left: uploads, objects, and the program that may still be dumping.
pub(super) async fn sweep(w: &StepContext) -> Result<(), StepError> {
    let Some(container) = end_on_host(w).await? else { return Ok(()) };
    let row = row(w).await?;
    clear(w, store(&w.app, &row)?, &container, row.id).await
}

/// Removes what an attempt left in its target, and the records of it.
async fn clear(w: &StepContext, store: &Store, container: &Container, id: Uuid) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    let begun = open_uploads::of_backup(&mut db, id).await?;
    drop(db);
    cleanup::clear(store, &location(&w.app, container.id, id), &begun).await?;
    let mut db = w.app.db.acquire().await?;
    Ok(open_uploads::forget(&mut db, id).await?)
}

/// Ends everything that an attempt runs on this host. `None`: the row has ended, so nothing of the backup may be
/// touched.
async fn end_on_host(w: &StepContext) -> Result<Option<Arc<Container>>, StepError> {
    let row = row(w).await?;
    if row.status != BackupStatus::Running {
        // It succeeded, or was already cleaned up: never touched here.
        return Ok(None);
    }
    let container = w.container().await?;
    if let Some(found) = find(&w.app, &container).await?.filter(|f| f.running) {
        // This comes first, so that nobody waits for a server longer than its copy takes.
        w.app.runtime.unpause(&found.id).await?;
        end_dump(&w.app, &found.id, &container, row.id).await;
    }
    SealedServer::of(&w.app, &BackupSubject::new(&container, ""), row.id, AdminPassword::New)
        .await?
        .remove(&w.app)
        .await?;
    Ok(Some(container))
}

/// The same at the end of a failed or cancelled backup, without waiting for a store that does not respond. What remains
/// stays recorded and is removed together with old backups.
pub(crate) async fn sweep_soon(w: &StepContext) -> Result<(), StepError> {
    let Some(container) = end_on_host(w).await? else { return Ok(()) };
    let row = row(w).await?;
    let store = store(&w.app, &row)?;
    match tokio::time::timeout(SOON, clear(w, store, &container, row.id)).await {
        Ok(Err(e)) if matches!(e, StepError::Store(_)) => {
            tracing::warn!(backup = %row.id, "Leftovers of a failed backup will be removed later: {e}");
        }
        Ok(done) => return done,
        Err(_) => tracing::warn!(
            backup = %row.id,
            "Leftovers of a failed backup will be removed later: the target {} has not responded for {} s",
            store.name(),
            SOON.as_secs()
        ),
    }
    Ok(())
}

/// Ends a dump. `$1` is its run.
const END_DUMP: &str = include_str!("end_dump.sh");

/// Ends a dump whose output nobody reads any more. While it runs, its process id is in a file.
async fn end_dump(app: &App, id: &str, c: &Container, run: Uuid) {
    let argv = ["sh", "-c", END_DUMP, "sh", &run.to_string()].map(str::to_owned).to_vec();
    // As the same user: root in the container may not end other users' processes.
    let user = app.catalog.find(&c.image).map(|i| format!("{}:{}", i.uid, i.gid));
    // If this fails, the dump ends with the server at the latest.
    let _ =
        ask(app, id, &ExecSpec { argv, env: Vec::new(), stdin: Stdin::Closed, user }, Duration::from_secs(10)).await;
}

pub(crate) async fn dump(w: &StepContext) -> Result<(), StepError> {
    let id = row(w).await?.id;
    let mut db = w.app.db.acquire().await?;
    let begun = open_uploads::of_backup(&mut db, id).await?;
    drop(db);
    if !begun.is_empty() {
        // An earlier attempt was interrupted.
        sweep(w).await?;
    }
    let site = BackupContext::of(w).await?;
    // Recorded before anything is uploaded, so that it is found later even if the store is unavailable during the
    // cleanup.
    let mut db = w.app.db.acquire().await?;
    open_uploads::insert(&mut db, site.row.id, site.store.name(), &site.location, "", w.app.clock.now()).await?;
    drop(db);
    let mut manifest = match site.live() {
        Some(id) => {
            let from = DumpSource { id, plan: site.plan() };
            let inventory = store_parts::look(&w.app, site.engine, &from).await?;
            let mut manifest = site.draft(&w.app, &inventory)?;
            store_parts::all(w, &site, &from, &inventory, &mut manifest).await?;
            manifest
        }
        None => frozen_copy::dump(w, &site).await?,
    };
    manifest.finished_at = w.app.clock.now();
    w.progress(&format!("{} stored", ByteSize(i64::try_from(manifest.bytes()).unwrap_or(i64::MAX)))).await;
    let mut db = w.app.db.acquire().await?;
    Ok(backups::set_draft(&mut db, site.row.id, &manifest, 1).await?)
}

/// The manifest is written last: without it, the objects are not a backup.
pub(crate) async fn finish(w: &StepContext) -> Result<(), StepError> {
    let row = row(w).await?;
    if row.status == BackupStatus::Succeeded {
        // Already done by an earlier run.
        let mut db = w.app.db.acquire().await?;
        return first_drill(w, &mut db, row.id).await;
    }
    let store = store(&w.app, &row)?;
    let mut db = w.app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, row.id).await?;
    drop(db);
    let manifest = manifest.ok_or_else(|| StepError::Fail("The draft of the manifest no longer exists.".to_owned()))?;
    let location = location(&w.app, row.container_id, row.id);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|e| StepError::Fail(format!("Cannot write the manifest: {e}.")))?;
    let sha256: [u8; 32] = Sha256::digest(&text).into();
    let lines = restore_script::lines(&manifest, store, &location, row.engine.engine().backup());
    let script_sha256: [u8; 32] = Sha256::digest(&lines).into();
    store
        .put(&object_keys::file(&location, manifest::BY_HAND), Bytes::from(lines), "text/plain; charset=utf-8")
        .await?;
    let recovery = recovery_key::signer(&w.app.config);
    sign::put(store, &location, &text, w.app.sealer.manifests(), recovery.as_ref()).await?;
    store.put(&object_keys::file(&location, manifest::FILE), Bytes::from(text), "application/json").await?;
    // An upload whose start was not confirmed was started again, so the first one is recorded nowhere.
    cleanup::give_up(store, &format!("{location}/"), &[]).await?;
    let done = backups::BackupOutcome { manifest: &manifest, sha256, script_sha256, location: &location, level: 2 };
    let mut tx = w.app.db.begin().await?;
    if cancel::lock(&mut tx, w.job.id).await?.is_some() {
        drop(tx);
        // Cancelled just before it succeeded. The worker notices that in a moment and drops this future.
        return std::future::pending().await;
    }
    if !backups::succeed(&mut tx, row.id, &done, w.app.clock.now()).await? {
        return Err(StepError::Fail("This backup has already ended.".to_owned()));
    }
    open_uploads::forget(&mut tx, row.id).await?;
    notices::backed_up(&mut tx, row.container_id, w.app.clock.now()).await?;
    tx.commit().await?;
    if let Err(e) = replicate::enqueue_if_due(&w.app, &Actor::portal("backups")).await {
        // The schedule enqueues them too.
        tracing::warn!(backup = %row.id, "Could not enqueue the copies of a backup: {e}");
    }
    let mut db = w.app.db.acquire().await?;
    first_drill(w, &mut db, row.id).await
}

/// The first backup of a database is tested immediately.
async fn first_drill(w: &StepContext, db: &mut PgConnection, id: Uuid) -> Result<(), StepError> {
    let Some(backup) = backups::by_id(db, id).await? else { return Ok(()) };
    if newest::ever_drilled(db, backup.container_id).await? {
        return Ok(());
    }
    match drill::request(&w.app, &backup, "first", &Actor::portal("backups")).await {
        Ok(_) | Err(RequestError::Busy | RequestError::NeedsKey) => Ok(()),
        // The backup is good nevertheless. The audit reports that its test restore is overdue.
        Err(e) => {
            tracing::warn!(backup = %id, "Could not enqueue the test restore of a backup: {e}");
            Ok(())
        }
    }
}
