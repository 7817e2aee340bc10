//! The flow that makes a database out of a dump: created like any other, then filled by the tool in its own image. For
//! engines whose servers must not run then: [`super::load_stopped`].

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::format::{Dump, ENDS, Format, Packing, open};
use super::load_stopped::LOAD_STOPPED;
use super::report::{Collector, LoadReport};
use super::staging;
use crate::admin_db::dumps::{self, DumpRow};
use crate::app::App;
use crate::backup::stream::run;
use crate::domain::stream_error::StreamError;
use crate::domain::work::{Cancel, Pool, Rules};
use crate::engine::backup::{Backup, Load, When};
use crate::engine::{EngineKind, Plan};
use crate::provision::blueprint::Blueprint;
use crate::provision::container::find;
use crate::provision::create;
use crate::provision::flow::{Flow, Step, StepError, Work};
use crate::provision::rotate;
use crate::runtime::{ExecPiece, Input};

/// Create from a dump.
pub static LOAD: Flow = Flow {
    kind: "load",
    title: "Create database from a dump",
    rules: Rules::of(Pool::Load).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        CHECK_STORAGE,
        create::GET_IMAGE,
        create::PREPARE_DATA,
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        Step { name: "Set up your access", run: |w| Box::pin(rotate::set(w)), undo: None },
        Step { name: "Load the dump", run: |w| Box::pin(load(w)), undo: None },
        create::HAND_OVER,
    ],
};

/// Refuses a tier that is full; its undo, the last of all, removes the file.
pub(super) const CHECK_STORAGE: Step = Step {
    name: "Check the storage",
    run: |w| Box::pin(create::check_storage(w)),
    undo: Some(|w| Box::pin(forget(w))),
};

/// How much more a dump may be unpacked than the largest that may be sent.
const MOST_UNPACKED: u64 = 20;
/// Longest silence of a tool: an index over a large table is made without a word.
const SILENCE: Duration = Duration::from_secs(6 * 3600);
/// Pieces between reading and sending, of 64 KiB.
const WAITING: usize = 16;

/// Whether a job loads a dump.
pub fn is_load(kind: &str) -> bool {
    kind == LOAD.kind || kind == LOAD_STOPPED.kind
}

/// Whether an engine's dumps are loaded before its server starts.
pub fn is_loaded_stopped(engine: EngineKind) -> bool {
    engine.engine().backup().is_some_and(|b| b.loads() == When::Stopped)
}

/// What is known of the dump.
///
/// # Errors
/// If that is gone.
pub(super) async fn row(w: &Work) -> Result<DumpRow, StepError> {
    let mut db = w.app.db.acquire().await?;
    let row = dumps::of_container(&mut db, w.container_id()?).await?;
    row.ok_or_else(|| StepError::Fail("What is known of the dump is gone.".to_owned()))
}

/// Where the file lies.
///
/// # Errors
/// If its tier is gone.
pub(super) fn path(w: &Work, row: &DumpRow) -> Result<PathBuf, StepError> {
    let tier = w.app.config.tier(&row.tier);
    let tier = tier.ok_or_else(|| StepError::Fail(format!("The storage tier “{}” is gone.", row.tier)))?;
    Ok(staging::file(&w.app.config, tier, row.id))
}

/// Removes the file.
///
/// # Errors
/// If it can't be removed.
pub(super) async fn forget(w: &Work) -> Result<(), StepError> {
    let Ok(path) = path(w, &row(w).await?) else { return Ok(()) };
    match tokio::fs::remove_file(&path).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(StepError::Retry(format!("{} can't be removed: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

async fn load(w: &Work) -> Result<(), StepError> {
    let row = row(w).await?;
    if row.report.is_some() {
        return forget(w).await;
    }
    let mut db = w.app.db.acquire().await?;
    let first = dumps::begin(&mut db, row.id, w.app.clock.now()).await?;
    drop(db);
    if !first {
        return Err(StepError::Fail(
            "The portal was ended while the dump was being loaded, so only a part of it came in. Nothing was kept: send it again."
                .to_owned(),
        ));
    }
    let report = fill(w, &row, path(w, &row)?).await?;
    keep(w, &row, &report).await
}

/// Writes what became of the dump, and removes its file.
///
/// # Errors
/// If that can't be done.
pub(super) async fn keep(w: &Work, row: &DumpRow, report: &LoadReport) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    dumps::set_report(&mut db, row.id, report).await?;
    drop(db);
    w.say(&report.sentence()).await;
    forget(w).await
}

/// Loads the dump into the running server and counts what came in.
async fn fill(w: &Work, row: &DumpRow, file: PathBuf) -> Result<LoadReport, StepError> {
    let app = &w.app;
    let c = w.container().await?;
    let blueprint = Blueprint::read(app, &c).await?;
    let running = find(app, &c).await?.filter(|f| f.running);
    let id = running.map(|f| f.id).ok_or_else(|| StepError::Retry("The container does not run.".to_owned()))?;
    let password = rotate::user_password(w, &c).await?;
    let mut report = pour(w, row, file, (&id, &blueprint.plan()), &password).await?;
    count(app, (&id, &blueprint.plan()), describes(c.engine)?, &mut report).await?;
    Ok(report)
}

/// How an engine loads dumps.
pub(super) fn describes(engine: EngineKind) -> Result<&'static dyn Backup, StepError> {
    engine.engine().backup().ok_or_else(|| StepError::Fail(format!("{} can't load dumps here.", engine.label())))
}

/// Runs the tool that loads a dump in the container `id`, and reads what it says failed.
///
/// # Errors
/// If it did not come to the dump's end.
pub(super) async fn pour(
    w: &Work,
    row: &DumpRow,
    file: PathBuf,
    (id, plan): (&str, &Plan<'_>),
    password: &SecretString,
) -> Result<LoadReport, StepError> {
    let app = &w.app;
    let describes = describes(plan.image.engine)?;
    let missing = plan.tools.missing(describes.load_tools());
    if !missing.is_empty() {
        return Err(StepError::Fail(format!(
            "The image has no {}, so the dump can't be loaded here. Make an empty database, and load it from your own computer with \
             the address on the database's page.",
            missing.join(" and no ")
        )));
    }
    // Whoever wrote the dump can't know it, so nothing in it unlocks what it is locked with.
    let lock = hex::encode(app.random.bytes::<16>());
    let dump = row.dump();
    let archive = dump.format == Format::PgCustom;
    let exec = describes.load(plan, &Load { archive, password, lock: &lock, source: row.source.as_deref() });
    let head = (dump.format == Format::PgPlain).then(|| format!("\\restrict {lock}\n"));
    let most = u64::try_from(app.config.backups.upload_max.0).unwrap_or(u64::MAX).saturating_mul(MOST_UNPACKED);
    let mut collector = Collector::new(dump.format, u64::from(head.is_some()));
    let passed = Arc::new(AtomicU64::new(0));
    let (input, reading) = read(file, &dump, head, most, passed.clone());
    let loading = async {
        let mut pieces = app.runtime.exec_stream(id, &exec, Some(input)).await?;
        loop {
            let piece = tokio::time::timeout(SILENCE, pieces.next()).await;
            match piece
                .map_err(|_| StepError::Fail("The tool that loads the dump said nothing for hours.".to_owned()))?
            {
                Some(Ok(ExecPiece::Stderr(piece))) => collector.take(&piece),
                Some(Ok(ExecPiece::Stdout(_))) => {}
                Some(Ok(ExecPiece::Ended(code))) => return Ok(code),
                Some(Err(e)) => return Err(StepError::Fail(e.to_string())),
                None => return Err(StepError::Fail("The tool that loads the dump was cut short.".to_owned())),
            }
        }
    };
    let code = tokio::select! {
        code = loading => code?,
        () = tell(w, &passed) => return Err(StepError::Retry("Interrupted.".to_owned())),
    };
    let (report, words) = collector.done();
    // What was wrong with the file explains more than what the tool made of it.
    reading
        .await
        .map_err(|e| StepError::Fail(format!("Reading the dump was cut short: {e}.")))?
        .map_err(StepError::Fail)?;
    if describes.loaded(code, &words) {
        return Ok(report);
    }
    let first = report.failures.first().map(|f| f.text.clone()).unwrap_or_default();
    let said = [first.as_str(), words.trim()].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join("\n");
    Err(StepError::Fail(format!("The dump could not be loaded to its end: {said}")))
}

/// Counts what came in.
///
/// # Errors
/// If nothing did, because all of it failed.
pub(super) async fn count(
    app: &App,
    (id, plan): (&str, &Plan<'_>),
    describes: &dyn Backup,
    report: &mut LoadReport,
) -> Result<(), StepError> {
    let count = describes.count(plan, plan.dbname.as_str(), false);
    let said = run(app.runtime.as_ref(), id, &count, None, &AtomicU64::new(0)).await?;
    report.add(&said.counts);
    if report.tables == 0 && report.failed > 0 {
        let first = report.failures.first().map(|f| f.text.clone()).unwrap_or_default();
        return Err(StepError::Fail(format!(
            "Nothing of the dump came in: {} statements failed, the first with: {first}",
            report.failed
        )));
    }
    Ok(())
}

async fn tell(w: &Work, passed: &AtomicU64) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bytes = i64::try_from(passed.load(Ordering::Relaxed)).unwrap_or(i64::MAX);
        w.say(&format!("{} of the dump loaded", crate::domain::quantity::Bytes(bytes))).await;
    }
}

/// The dump, unpacked, as the input of a tool; and what was wrong with it.
fn read(
    file: PathBuf,
    dump: &Dump,
    head: Option<String>,
    most: u64,
    passed: Arc<AtomicU64>,
) -> (Input, JoinHandle<Result<(), String>>) {
    let (out, pieces) = mpsc::channel::<Result<Bytes, StreamError>>(WAITING);
    let (packing, says_its_end) = (dump.packing, dump.says_its_end);
    let reading = tokio::task::spawn_blocking(move || {
        let done = pump(&file, packing, says_its_end, most, &passed, &out);
        if let Err(why) = &done {
            // The tool must not take what it got for all.
            let _ = out.blocking_send(Err(StreamError::refused(why.clone())));
        }
        done
    });
    let head = stream::iter(head.map(|h| Ok(Bytes::from(h))));
    let rest = stream::unfold(pieces, |mut pieces| async move { pieces.recv().await.map(|p| (p, pieces)) });
    (head.chain(rest).boxed(), reading)
}

fn pump(
    file: &std::path::Path,
    packing: Packing,
    says_its_end: bool,
    most: u64,
    passed: &AtomicU64,
    out: &mpsc::Sender<Result<Bytes, StreamError>>,
) -> Result<(), String> {
    let cut = |e: std::io::Error| {
        format!("The dump can't be read to its end: {e}. It may have been cut short; send it again.")
    };
    let mut from = open(file, packing).map_err(cut)?;
    let (mut tail, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let n = from.read(&mut piece).map_err(cut)?;
        let Some(read) = piece.get(..n).filter(|r| !r.is_empty()) else { break };
        let so_far = passed.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
        if so_far > most {
            let most = crate::domain::quantity::Bytes(i64::try_from(most).unwrap_or(i64::MAX));
            return Err(format!("Unpacked, the dump is larger than {most}, the most that is taken here."));
        }
        tail.extend_from_slice(read);
        let over = tail.len().saturating_sub(4096);
        tail.drain(..over);
        if out.blocking_send(Ok(Bytes::copy_from_slice(read))).is_err() {
            // The tool has ended; it says why.
            return Ok(());
        }
    }
    let end = String::from_utf8_lossy(&tail);
    if says_its_end && !ENDS.iter().any(|words| end.contains(words)) {
        return Err("The dump was cut short: its last lines do not say that it is complete. Make it again.".to_owned());
    }
    Ok(())
}
