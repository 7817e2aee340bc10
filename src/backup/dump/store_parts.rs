//! Dumps all parts of a backup from a container into the store, with their checksums.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use crate::admin_db::backups::{newest, open_uploads};
use crate::app::App;
use crate::backup::dump::context::{BackupContext, DumpSource};
use crate::backup::dump::read_back;
use crate::backup::pipeline::pack::PackOptions;
use crate::backup::pipeline::reports::Reports;
use crate::backup::pipeline::transfer;
use crate::backup::pipeline::transfer::DumpTarget;
use crate::domain::quantity::ByteSize;
use crate::encryption::{AGE, Recipients};
use crate::engine::EngineBackup;
use crate::engine::backup::Inventory;
use crate::engine::definition::settle;
use crate::engine::part::Part;
use crate::manifest::{Manifest, Object};
use crate::provision::exec::ask;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// Timeout for the inventory of a server.
const LOOK: Duration = Duration::from_secs(120);

/// Shows the progress every second. Never returns.
pub(crate) async fn tell(w: &StepContext, passed: &AtomicU64, expected: Option<i64>) {
    let begin = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bytes = i64::try_from(passed.load(std::sync::atomic::Ordering::Relaxed)).unwrap_or(i64::MAX);
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = (bytes as f64 / begin.elapsed().as_secs_f64()) as i64;
        let whole = match expected {
            Some(all) if all > bytes => format!(" of about {}", ByteSize(all)),
            _ => String::new(),
        };
        w.progress(&format!("{}{whole}, {} per second", ByteSize(bytes), ByteSize(rate))).await;
    }
}

/// Queries what a server's backup must contain.
pub(crate) async fn look(app: &App, engine: &dyn EngineBackup, from: &DumpSource<'_>) -> Result<Inventory, StepError> {
    let said = ask(app, from.id, &engine.inventory(&from.plan), LOOK).await?;
    if said.code != 0 {
        return Err(StepError::Fail(format!("The server did not report its contents: {}", said.stderr.trim())));
    }
    let inventory: Inventory = serde_json::from_str(said.stdout.trim())
        .map_err(|e| StepError::Fail(format!("Cannot parse the server's report of its contents: {e}.")))?;
    match engine.own_database(&from.plan) {
        Some(own) if !inventory.databases.iter().any(|name| name == own) => Err(StepError::Fail(format!(
            "The server has no database “{own}” that can be backed up. Was it dropped, renamed, turned into a \
             template or closed to connections?"
        ))),
        _ => Ok(inventory),
    }
}

/// Dumps all parts into the store and adds them to the manifest. Shows the progress meanwhile.
pub(crate) async fn all(
    w: &StepContext,
    site: &BackupContext<'_>,
    from: &DumpSource<'_>,
    inventory: &Inventory,
    manifest: &mut Manifest,
) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    let before = newest::last_raw_bytes(&mut db, site.container.id).await?;
    drop(db);
    let passed = AtomicU64::new(0);
    let seal = site.seal.as_ref();
    let storing = async {
        for part in site.engine.parts(inventory) {
            let (object, reports) = one(w, site, from, &part, manifest.fingerprints, &passed).await?;
            if let Some(once) = seal.and_then(Recipients::once) {
                // The portal cannot decrypt it later, so it is read back now.
                read_back::read_back(w, site, from, &object, &once).await?;
            }
            manifest.objects.push(object);
            manifest.counts.extend(reports.counts);
            manifest.definitions.extend(reports.definitions);
            manifest.notes.extend(reports.notes);
            manifest.exact_counts &= !reports.inexact;
        }
        settle(&mut manifest.definitions);
        Ok::<_, StepError>(())
    };
    tokio::select! {
        stored = storing => stored,
        () = tell(w, &passed, before) => Ok(()),
    }
}

pub(crate) async fn one(
    w: &StepContext,
    site: &BackupContext<'_>,
    from: &DumpSource<'_>,
    part: &Part,
    fingerprints: bool,
    passed: &AtomicU64,
) -> Result<(Object, Reports), StepError> {
    let seal = site.seal.clone();
    let file = if seal.is_some() { format!("{}.zst.age", part.file) } else { format!("{}.zst", part.file) };
    let encryption = seal.is_some().then(|| AGE.to_owned());
    let key = site.key(&file);
    let upload = site.store.begin(&key).await?;
    let mut db = w.app.db.acquire().await?;
    open_uploads::insert(&mut db, site.row.id, site.store.name(), &key, &upload, w.app.clock.now()).await?;
    drop(db);
    let mut exec = site.engine.dump(&from.plan, part, fingerprints);
    // Longest wait for locked tables, in seconds.
    let patience = w.app.config.backups.lock_wait.as_secs().to_string();
    exec.env.push(("DB4SCI_LOCK_SECONDS".to_owned(), patience.into()));
    exec.env.push(("DB4SCI_RUN".to_owned(), site.row.id.to_string().into()));
    let to = DumpTarget {
        runtime: w.app.runtime.as_ref(),
        store: site.store,
        key: &key,
        upload: &upload,
        how: PackOptions::of(&w.app.config.backups, seal),
        end_mark: site.engine.end_mark(part),
        passed,
    };
    let split = site.engine.split(&from.plan, part.database.as_deref());
    let mut dumped = transfer::dump(&to, from.id, &exec, split).await?;
    if let Some(what) = dumped.reports.altered.take() {
        accept_altered(&mut dumped.reports, &what, w.job.attempt)?;
    }
    site.store.complete(&key, &upload, (&dumped.parts, dumped.stored.bytes)).await?;
    let there = site.store.head(&key).await?.map(|o| o.bytes);
    if there != Some(dumped.stored.bytes) {
        return Err(StepError::Fail(format!(
            "{} bytes were sent to {}, but the target has {}.",
            dumped.stored.bytes,
            site.store.url(&key),
            there.map_or("nothing".to_owned(), |n| n.to_string())
        )));
    }
    let object = Object {
        file,
        plain: part.file.clone(),
        database: part.database.clone(),
        what: part.what.to_owned(),
        dumped: dumped.plain,
        stored: dumped.stored,
        compression: "zstd".to_owned(),
        encryption,
    };
    Ok((object, dumped.reports))
}

/// A dump in which definitions were altered is consistent, but cannot be compared with them. It is made again, and accepted
/// from the job's second attempt on, because some servers are altered all the time.
fn accept_altered(reports: &mut Reports, what: &str, attempt: i32) -> Result<(), StepError> {
    if attempt < 2 {
        return Err(StepError::Retry(what.to_owned()));
    }
    reports.definitions.clear();
    reports.inexact = true;
    reports
        .notes
        .push(format!("{what} They are not compared after a restore, and neither are the counts of this backup."));
    Ok(())
}
