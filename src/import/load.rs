//! The flow that creates a database from a dump: it is created like any other, then filled by the tool in its own
//! image. Engines whose servers must be stopped meanwhile use [`crate::import::load_offline`].

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

use crate::admin_db::dumps;
use crate::admin_db::dumps::DumpRow;
use crate::app::App;
use crate::backup::engine_backup;
use crate::backup::pipeline::transfer::run;
use crate::backup::rights::nobody_gained;
use crate::backup::server_handle::ServerHandle;
use crate::config::Tier;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::engine::ServerSpec;
use crate::engine::backup::{EngineBackup, LoadForm, LoadPlan};
use crate::import::dump_file::DumpFile;
use crate::import::files::scratch;
use crate::import::read_meter::most_unpacked;
use crate::import::run_tool::pour;
use crate::import::selection::{LoadTarget, places, shown, targets};
use crate::import::staging;
use crate::manifest::dump::{Dump, LoadReport};
use crate::provision::container::running;
use crate::provision::quota::space;
use crate::provision::quota::space::Filling;
use crate::provision::{create, rotate_password};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;

/// What to do if there is no room for the content of a dump.
const ADVICE: &str = "Free up space there and select “Try again”, or delete this database and load the dump on another \
                      storage tier.";

/// Creates a database from a dump.
pub static LOAD: Flow = Flow {
    kind: JobKind::Load,
    title: "Create database from a dump",
    rules: JobRules::of(Pool::Load).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        CHECK_STORAGE,
        create::GET_IMAGE,
        create::PREPARE_DATA,
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        rotate_password::SET_UP_ACCESS,
        Step::new("Load the dump", |w| Box::pin(load(w))),
        create::HAND_OVER,
    ],
};

/// Checks that the tier is not full and that the dump's file still exists. Its undo, the last of all, makes the dump
/// available for another attempt.
pub(super) const CHECK_STORAGE: Step =
    Step::new("Check the storage", |w| Box::pin(check_storage(w))).undo(|w| Box::pin(again(w)));

async fn check_storage(w: &StepContext) -> Result<(), StepError> {
    create::check_storage(w).await?;
    let row = row(w).await?;
    if row.report.is_none() {
        // It becomes at least as large as its dump.
        space::check(&w.app, &w.blueprint().await?.tier, row.bytes, ADVICE).await?;
    }
    if row.report.is_none() && !tokio::fs::try_exists(path(w, &row)?).await.unwrap_or(true) {
        return Err(StepError::Fail(
            "The uploaded dump is no longer available. Delete this database and upload the dump again under New \
             database → From a dump."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Resets the dump so that it can be loaded again.
async fn again(w: &StepContext) -> Result<(), StepError> {
    if let Ok(row) = row(w).await {
        clear(w, &row).await?;
    }
    let mut db = w.app.db.acquire().await?;
    Ok(dumps::again(&mut db, w.container_id()?).await?)
}

/// The row of the dump.
pub(super) async fn row(w: &StepContext) -> Result<DumpRow, StepError> {
    let mut db = w.app.db.acquire().await?;
    let row = dumps::of_container(&mut db, w.container_id()?).await?;
    row.ok_or_else(|| StepError::Fail("The record of the dump no longer exists.".to_owned()))
}

/// The path of the dump's file.
pub(super) fn path(w: &StepContext, row: &DumpRow) -> Result<PathBuf, StepError> {
    Ok(staging::file(&w.app.config, tier(w, row)?, row.id, row.account_id))
}

fn tier<'a>(w: &'a StepContext, row: &DumpRow) -> Result<&'a Tier, StepError> {
    let tier = w.app.config.tier(&row.tier);
    tier.ok_or_else(|| StepError::Fail(format!("The storage tier “{}” no longer exists.", row.tier)))
}

/// An uploaded dump.
pub(super) fn uploaded<'a>(
    w: &StepContext,
    row: &DumpRow,
    (dump, path): (&'a Dump, PathBuf),
) -> Result<DumpFile<'a>, StepError> {
    let (config, tier) = (&w.app.config, tier(w, row)?);
    let most = most_unpacked(config.backups.upload_max, &path);
    Ok(DumpFile { dump, path, name: row.name.clone(), scratch: scratch::dir(config, tier, row.id), most })
}

/// Removes the files that were unpacked from the dump.
async fn clear(w: &StepContext, row: &DumpRow) -> Result<(), StepError> {
    let Ok(tier) = tier(w, row) else { return Ok(()) };
    let gone = scratch::remove(&w.app.config, tier, row.id).await;
    gone.map_err(|e| StepError::Retry(format!("The unpacked dump cannot be removed: {e}.")))
}

/// Removes the dump's file.
pub(super) async fn forget(w: &StepContext) -> Result<(), StepError> {
    clear(w, &row(w).await?).await?;
    let Ok(path) = path(w, &row(w).await?) else { return Ok(()) };
    match tokio::fs::remove_file(&path).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(StepError::Retry(format!("Cannot remove {}: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

async fn load(w: &StepContext) -> Result<(), StepError> {
    let row = row(w).await?;
    if row.report.is_some() {
        return forget(w).await;
    }
    let mut db = w.app.db.acquire().await?;
    let first = dumps::begin(&mut db, row.id, w.app.clock.now()).await?;
    drop(db);
    if !first {
        return Err(StepError::Fail(
            "The portal stopped while the dump was loading, so only part of it was loaded. The partial data was \
             discarded. Select “Try again”."
                .to_owned(),
        ));
    }
    let report = Box::pin(within(w, fill(w, &row, path(w, &row)?))).await?;
    keep(w, &row, &report).await
}

/// Does `work`, which fills the data directory of the new database, while the space on its tier is watched.
///
/// # Errors
/// Those of `work`, or that there is no room.
pub(super) async fn within<T>(
    w: &StepContext,
    work: impl Future<Output = Result<T, StepError>>,
) -> Result<T, StepError> {
    let b = w.blueprint().await?;
    let (tier, dir, reference) = (&b.tier, &b.dir, b.reference.as_str());
    let filling = Filling { tier, dir, reference, counts: true, what: "The load", advice: ADVICE };
    filling.within(&w.app, work).await
}

/// Stores the report of a load, and removes the dump's file.
pub(super) async fn keep(w: &StepContext, row: &DumpRow, report: &LoadReport) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    dumps::set_report(&mut db, row.id, report).await?;
    drop(db);
    w.progress(&report.sentence()).await;
    forget(w).await
}

/// Loads the dump into the running server and counts what was loaded.
async fn fill(w: &StepContext, row: &DumpRow, file: PathBuf) -> Result<LoadReport, StepError> {
    let app = &w.app;
    let c = w.container().await?;
    let blueprint = w.blueprint().await?;
    let id = running(app, &c).await?;
    let password = rotate_password::user_password(w, &c).await?;
    let (plan, engine, dump) = (blueprint.plan(), engine_backup(c.engine)?, row.dump());
    let mut report = LoadReport { told: row.told.0.clone(), ..LoadReport::default() };
    let targets = wanted(row, &c.dbname);
    let places = places(&targets, &row.databases.0);
    // Create all databases before loading any, because statements of one may refer to another.
    for target in targets.iter().filter(|target| target.further) {
        let load = LoadPlan {
            form: LoadForm::Statements,
            password: &password,
            lock: "",
            source: None,
            database: &target.database,
        };
        let make = engine
            .create_extra_database(&plan, &load)
            .ok_or_else(|| StepError::Fail(format!("{} cannot create additional databases here.", c.engine.label())))?;
        run(app.runtime.as_ref(), &id, &make, None, &AtomicU64::new(0)).await?;
    }
    for target in targets {
        let file = uploaded(w, row, (&dump, file.clone()))?;
        report.join(pour(w, file, (&id, &plan), (&password, &target, &places)).await?);
        if target.source != target.database && !target.source.is_empty() {
            report
                .told
                .push(format!("“{}” from the dump was loaded into the database “{}”.", target.source, target.database));
        }
    }
    let left: Vec<&str> = row.databases.0.iter().filter(|n| !is_wanted(row, n)).map(|n| shown(n)).collect();
    if !left.is_empty() {
        report.told.push(format!("The dump also contains {}, which was not selected.", left.join(", ")));
    }
    let mut places: Vec<String> = wanted(row, &c.dbname).into_iter().map(|target| target.database).collect();
    places.sort_unstable();
    places.dedup();
    count(app, (&id, &plan), engine, &places, &mut report).await?;
    nobody_gained(app, &ServerHandle { id: &id, spec: plan, engine }).await?;
    Ok(report)
}

/// Whether a database of the dump was selected.
fn is_wanted(row: &DumpRow, name: &str) -> bool {
    row.everything || row.databases.0.len() < 2 || row.source.as_deref().unwrap_or_default() == name
}

/// The selected databases of the dump and their targets.
pub(super) fn wanted(row: &DumpRow, dbname: &str) -> Vec<LoadTarget> {
    match row.dump().format.dialect().filter(|_| row.everything) {
        Some(dialect) => targets(&row.databases.0, dialect, dbname),
        None => {
            let source = row.source.clone().unwrap_or_default();
            vec![LoadTarget { source, database: dbname.to_owned(), further: false }]
        }
    }
}

/// Counts what was loaded. Fails if statements failed and no table was loaded.
pub(crate) async fn count(
    app: &App,
    (id, plan): (&str, &ServerSpec<'_>),
    engine: &dyn EngineBackup,
    databases: &[String],
    report: &mut LoadReport,
) -> Result<(), StepError> {
    for database in databases {
        let count = engine.count(plan, database, false);
        let said = run(app.runtime.as_ref(), id, &count, None, &AtomicU64::new(0)).await?;
        report.add(&said.counts);
    }
    if report.tables == 0 && report.failed > 0 {
        let first = report.failures.first().cloned().unwrap_or_default();
        let about = if first.statement.is_empty() { String::new() } else { format!("\n{}", first.statement) };
        return Err(StepError::Fail(format!(
            "Nothing was loaded: {} statements failed, the first with: {}{about}",
            report.failed, first.text
        )));
    }
    Ok(())
}
