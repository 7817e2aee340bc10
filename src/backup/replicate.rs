//! Copies backups to other targets: object by object from store to store, compared with the manifest during the
//! transfer. The manifest is written last, so that an incomplete copy does not count.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::Duration;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::admin_db::backups::replicas::Replica;
use crate::admin_db::backups::{open_uploads, replicas};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::backup::pipeline::transfer::other_than;
use crate::backup::pipeline::{multipart, pack};
use crate::backup::restore::source::BackupSource;
use crate::backup::{restore_script, sign};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::names::InstanceId;
use crate::manifest::sum::Sum;
use crate::manifest::{BY_HAND, FILE, LONGEST, Manifest, Object};
use crate::objects::same_location::same_place;
use crate::objects::{ObjectError, Store};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::recovery_key;
use crate::tasks;

/// Copies backups to other targets.
pub static COPY: Flow = Flow {
    kind: JobKind::Copy,
    title: "Copy backups to other targets",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always),
    steps: &[Step::new("Copy missing backups", |w| Box::pin(copy(w)))],
};

/// Minutes before a failed copy is retried; doubled each time, up to [`LONGEST_WAIT`].
const WAIT: i64 = 2;
/// Longest wait before a retry in minutes.
const LONGEST_WAIT: i64 = 120;
/// Chunks of an object buffered between two stages.
const WAITING: usize = 16;
/// Maximum size of a receipt in bytes.
const RECEIPT: u64 = 1024 * 1024;

/// Enqueues the copy job if any copies are due.
pub async fn enqueue_if_due(app: &App, actor: &Actor) -> Result<bool, RequestError> {
    let targets = &app.config.backups.copies;
    if targets.is_empty() {
        return Ok(false);
    }
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    replicas::ask(&mut db, app.config.instance.as_str(), targets, now).await?;
    let due = replicas::due(&mut db, targets, &[], now).await?.is_some();
    drop(db);
    if due {
        match enqueue_portal(app, &COPY, actor).await {
            // A running job checks again before it ends.
            Ok(_) | Err(RequestError::Busy) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(due)
}

/// Makes all due copies. A failed one waits for a later run, and an unavailable target is skipped.
async fn copy(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let (mut made, mut away) = (0usize, Vec::new());
    let mut failed: BTreeMap<String, String> = BTreeMap::new();
    let mut apart = BTreeSet::new();
    loop {
        let mut db = app.db.acquire().await?;
        replicas::ask(&mut db, app.config.instance.as_str(), &app.config.backups.copies, app.clock.now()).await?;
        let due = replicas::due(&mut db, &app.config.backups.copies, &away, app.clock.now()).await?;
        drop(db);
        let Some(copy) = due else { break };
        let mut tx = app.db.begin().await?;
        if !replicas::begin(&mut tx, &copy, w.job.id, app.clock.now()).await? {
            continue;
        }
        tx.commit().await?;
        match one(w, &copy, made, &mut apart).await {
            Ok(script) => {
                let mut db = app.db.acquire().await?;
                replicas::stored(&mut db, &copy, script.as_ref(), app.clock.now()).await?;
                made += 1;
            }
            Err(e) => {
                if e.may_pass() {
                    away.push(copy.target.clone());
                }
                let wait = (WAIT << copy.tries.clamp(0, 10)).min(LONGEST_WAIT);
                let mut db = app.db.acquire().await?;
                replicas::failed(&mut db, &copy, &e.to_string(), app.clock.now() + Duration::minutes(wait)).await?;
                failed.entry(copy.target).or_insert_with(|| e.to_string());
            }
        }
    }
    if failed.is_empty() {
        w.progress(&format!("{made} copied")).await;
        return Ok(());
    }
    let said: Vec<_> = failed.iter().map(|(target, why)| format!("Some copies to “{target}” failed: {why}")).collect();
    // Each copy has its own time for the next attempt, so the job itself need not be retried.
    Err(StepError::Fail(said.join("\n")))
}

/// Rejects copying to the same place: it would not be a second copy.
pub(crate) async fn elsewhere(instance: &InstanceId, from: &Store, to: &Store) -> Result<(), StepError> {
    if !same_place(instance.as_str(), from, to).await? {
        return Ok(());
    }
    Err(StepError::Fail(format!(
        "The target “{}” is the same location as “{}”, {}, so it cannot hold a separate copy. Give it its own bucket \
         or prefix, or remove it from backups.copies.",
        to.name(),
        from.name(),
        from.url("")
    )))
}

/// Makes a copy. Returns the SHA-256 of its restore script; `None` if an earlier run has made it.
async fn one(
    w: &StepContext,
    copy: &Replica,
    made: usize,
    apart: &mut BTreeSet<(String, String)>,
) -> Result<Option<[u8; 32]>, StepError> {
    let app = &w.app;
    let to = app.store(&copy.target)?;
    let source = BackupSource::first(app, copy.backup_id).await?;
    let pair = (source.store.name().to_owned(), to.name().to_owned());
    if !apart.contains(&pair) {
        elsewhere(&app.config.instance, source.store, to).await?;
        apart.insert(pair);
    }
    let manifest = &source.manifest;
    let (name, at) = (&manifest.container.name, manifest.started_at.format("%Y-%m-%d %H:%M UTC"));
    w.progress(&format!("{made} copied; now copying {name} of {at} to “{}”", copy.target)).await;
    // An earlier run may have finished without recording it.
    match to.read(&source.key(FILE), LONGEST).await {
        Ok(there) if there == source.text => return Ok(None),
        Ok(_) | Err(ObjectError::NotFound { .. }) => {}
        Err(e) => return Err(e.into()),
    }
    give_up_uploads(app, copy.backup_id, to).await?;
    for object in &manifest.objects {
        send(app, &source, object, to).await?;
    }
    for receipt in source.store.list(&source.key("drill-")).await? {
        let content = source.store.read(&receipt.key, RECEIPT).await?;
        to.put(&receipt.key, Bytes::from(content), "application/json").await?;
    }
    let script = by_hand(manifest, to, &source);
    let script_sha256: [u8; 32] = Sha256::digest(&script).into();
    to.put(&source.key(BY_HAND), script, "text/plain; charset=utf-8").await?;
    let recovery = recovery_key::signer(&app.config);
    sign::put(to, &source.location, &source.text, app.sealer.manifests(), recovery.as_ref()).await?;
    to.put(&source.key(FILE), source.text.clone(), "application/json").await?;
    Ok(Some(script_sha256))
}

/// The restore script of a copy, which gives the copy's own location.
fn by_hand(manifest: &Manifest, to: &Store, source: &BackupSource<'_>) -> Bytes {
    Bytes::from(restore_script::lines(manifest, to, &source.location, manifest.container.engine.engine().backup()))
}

/// Aborts uploads that an earlier run did not complete.
async fn give_up_uploads(app: &App, backup: Uuid, to: &Store) -> Result<(), StepError> {
    let mut db = app.db.acquire().await?;
    for (key, upload) in open_uploads::in_target(&mut db, backup, to.name()).await? {
        to.abort(&key, &upload).await?;
        open_uploads::delete(&mut db, backup, &upload).await?;
    }
    Ok(())
}

/// Copies one object. It is created only if the transferred data matches the manifest.
async fn send(app: &App, source: &BackupSource<'_>, object: &Object, to: &Store) -> Result<(), StepError> {
    let key = source.key(&object.file);
    let upload = to.begin(&key).await?;
    let mut db = app.db.acquire().await?;
    open_uploads::insert(&mut db, source.row.id, to.name(), &key, &upload, app.clock.now()).await?;
    drop(db);
    let sent = async {
        let parts = pass(source.store, to, (&key, &upload), &object.stored).await?;
        Ok::<_, StepError>(to.complete(&key, &upload, (&parts, object.stored.bytes)).await?)
    };
    let sent = sent.await;
    if sent.is_err() && to.abort(&key, &upload).await.is_err() {
        // The first error is the one to report. The upload stays recorded, and the next run aborts it.
        return sent;
    }
    let mut db = app.db.acquire().await?;
    open_uploads::delete(&mut db, source.row.id, &upload).await?;
    sent
}

/// Streams one object from a store into the parts of an upload to another. The upload may be completed only if this
/// succeeds: then the transferred data is what was stored.
pub async fn pass(
    from: &Store,
    to: &Store,
    (key, upload): (&str, &str),
    stored: &Sum,
) -> Result<Vec<[u8; 16]>, StepError> {
    let mut download = from.get(key).await?;
    let (pieces_out, pieces_in) = mpsc::channel(WAITING);
    let (parts_out, parts_in) = mpsc::channel(1);
    let limit = to.target().part_limit;
    let cutting = tasks::blocking(move || pack::cut(pieces_in, parts_out, limit));
    let reading = async move {
        while let Some(piece) = download.stream.next().await {
            if pieces_out.send(piece?).await.is_err() {
                break;
            }
        }
        Ok::<_, StepError>(())
    };
    let sending = async { multipart::send(to, key, upload, parts_in).await.map_err(StepError::from) };
    let ((), parts) = tokio::try_join!(reading, sending)?;
    let sum = cutting
        .await
        .map_err(|e| StepError::Retry(format!("The copy was interrupted: {e}")))?
        .map_err(|e| StepError::Retry(format!("The copy was interrupted: {e}")))?;
    if sum != *stored {
        return Err(other_than(&from.url(key), &sum, stored).into());
    }
    Ok(parts)
}
