//! Fills the data directory of a version: a server without network access loads the dump and runs the script of the
//! template, both as the user that will own the copies.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use secrecy::SecretString;

use crate::backup::engine_backup;
use crate::backup::pipeline::transfer::run;
use crate::backup::rights::nobody_gained;
use crate::backup::server_handle::ServerHandle;
use crate::domain::duration::seconds_text;
use crate::domain::engine::EngineKind;
use crate::domain::password::Password;
use crate::engine::ServerSpec;
use crate::engine::backup::{LoadForm, LoadPlan};
use crate::engine::part::DumpMode;
use crate::import::dump_file::DumpFile;
use crate::import::load::count;
use crate::import::run_tool::pour;
use crate::import::selection::{LoadTarget, places, targets};
use crate::manifest::dump::{Dump, Format, LoadReport, Packing};
use crate::provision::data_directory;
use crate::provision::exec::run_all;
use crate::provision::sealed_server::SealedServer;
use crate::provision::server::tools_in;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::sql::to_mariadb::DatabasePlaces;
use crate::templates::script;
use crate::templates::source::{file_name, most};

/// A dump to import, with the script to run on it.
pub(super) struct ImportSource<'a> {
    /// The dump.
    pub(super) path: PathBuf,
    /// Its recognised format; `None` if it is a script of an engine whose scripts are not loaded like dumps.
    pub(super) dump: Option<&'a Dump>,
    /// The script.
    pub(super) hook: Option<PathBuf>,
    /// Directory for what must be unpacked.
    pub(super) scratch: PathBuf,
    /// Maximum bytes of the dump, decompressed.
    pub(super) most: u64,
}

/// The databases of a dump, and the databases of the server that they are loaded into.
fn wanted(dump: &Dump, dbname: &str) -> Vec<LoadTarget> {
    match dump.format.dialect().filter(|_| dump.databases.len() > 1) {
        Some(dialect) => targets(&dump.databases, dialect, dbname),
        None => {
            let source = dump.databases.first().cloned().unwrap_or_default();
            vec![LoadTarget { source, database: dbname.to_owned(), further: false }]
        }
    }
}

/// The user's database, as the target of statements that name no database.
pub(super) fn whole_database(dbname: &str) -> LoadTarget {
    LoadTarget { source: String::new(), database: dbname.to_owned(), further: false }
}

/// Fills an empty directory, and stops the server cleanly.
///
/// # Errors
/// If any statement of the dump or of the script fails.
pub(super) async fn fill(
    w: &StepContext,
    sealed: &mut SealedServer,
    source: &ImportSource<'_>,
    digest: &str,
) -> Result<LoadReport, StepError> {
    let app = &w.app;
    let kind = sealed.blueprint.image.engine;
    let engine = engine_backup(kind)?;
    // Nobody needs it later: each copy gets its own password.
    let password = Password::generate(&app.random).secret().clone();
    let stopped = engine.load_mode() == DumpMode::Stopped;
    let id = match source.dump.filter(|_| stopped) {
        Some(dump) => {
            load_stopped(w, sealed, (source, dump), digest).await?;
            sealed.launch(app).await?
        }
        None => sealed.start(app).await?,
    };
    if let Some(tools) = tools_in(app, kind, digest, &id).await? {
        sealed.blueprint.set_tools(tools);
    }
    let plan = sealed.blueprint.plan();
    run_all(app, &id, &kind.engine().accounts(&plan, &password, true)).await?;
    let targets = match source.dump {
        Some(dump) => wanted(dump, plan.dbname.as_str()),
        None => vec![whole_database(plan.dbname.as_str())],
    };
    let mut report = LoadReport { format: Some(format_of(kind)), ..LoadReport::default() };
    match source.dump {
        None => script::run(w, (&source.path, source.most), (&id, &plan), &password).await?,
        Some(dump) => {
            (report.format, report.told) = (Some(dump.format), dump.told.clone());
            if !stopped {
                report.join(load(w, (source, dump), (&id, &plan), (&password, &targets)).await?);
            }
        }
    }
    complete(w, sealed, &id, source.hook.as_deref(), (&password, targets), &mut report).await?;
    Ok(report)
}

/// Runs the script of the template, counts and checks the content, and stops the server.
pub(super) async fn complete(
    w: &StepContext,
    sealed: &SealedServer,
    id: &str,
    hook: Option<&Path>,
    (password, targets): (&SecretString, Vec<LoadTarget>),
    report: &mut LoadReport,
) -> Result<(), StepError> {
    let (app, plan) = (&w.app, sealed.blueprint.plan());
    let engine = engine_backup(plan.image.engine)?;
    if let Some(hook) = hook {
        w.progress("Running the template's script").await;
        let done = run_hook(w, (hook, most(&sealed.blueprint.tier)), (id, &plan), (password, &targets));
        let done = tokio::time::timeout(app.config.templates.hook, done).await;
        let most = seconds_text(app.config.templates.hook.as_secs_f64());
        done.map_err(|_| StepError::Fail(format!("The script {} took longer than {most}.", file_name(hook))))??;
    }
    w.progress("Counting and checking").await;
    let mut databases: Vec<String> = targets.into_iter().map(|target| target.database).collect();
    databases.sort_unstable();
    databases.dedup();
    count(app, (id, &plan), engine, &databases, report).await?;
    report.databases = databases.len() as u64;
    nobody_gained(app, &ServerHandle { id, spec: plan, engine }).await?;
    w.progress("Stopping the server").await;
    sealed.stop(app).await
}

/// Loads the dump into a running server.
async fn load(
    w: &StepContext,
    (source, dump): (&ImportSource<'_>, &Dump),
    (id, plan): (&str, &ServerSpec<'_>),
    (password, targets): (&SecretString, &[LoadTarget]),
) -> Result<LoadReport, StepError> {
    let app = &w.app;
    let engine = engine_backup(plan.image.engine)?;
    let names = places(targets, &dump.databases);
    let mut report = LoadReport::default();
    // Create all databases before loading any, because statements of one may refer to another.
    for target in targets.iter().filter(|target| target.further) {
        let load =
            LoadPlan { form: LoadForm::Statements, password, lock: "", source: None, database: &target.database };
        let make = engine.create_extra_database(plan, &load).ok_or_else(|| {
            StepError::Fail(format!("{} cannot create additional databases here.", plan.image.engine.label()))
        })?;
        run(app.runtime.as_ref(), id, &make, None, &AtomicU64::new(0)).await?;
    }
    for target in targets {
        let done = pour(w, file(source, dump), (id, plan), (password, target, &names)).await?;
        whole(&done, &file_name(&source.path))?;
        report.join(done);
    }
    Ok(report)
}

/// Loads the dump into the directory of a server that is not running, and verifies it.
async fn load_stopped(
    w: &StepContext,
    sealed: &mut SealedServer,
    (source, dump): (&ImportSource<'_>, &Dump),
    digest: &str,
) -> Result<(), StepError> {
    let app = &w.app;
    let kind = sealed.blueprint.image.engine;
    data_directory::prepare(app, &sealed.blueprint).await?;
    let id = sealed.hold(app, true).await?;
    if let Some(tools) = tools_in(app, kind, digest, &id).await? {
        sealed.blueprint.set_tools(tools);
    }
    let plan = sealed.blueprint.plan();
    for target in wanted(dump, plan.dbname.as_str()) {
        let nobody = SecretString::default();
        pour(w, file(source, dump), (&id, &plan), (&nobody, &target, &DatabasePlaces::default())).await?;
    }
    w.progress("Checking what was loaded").await;
    let check = engine_backup(kind)?.check(&plan, plan.dbname.as_str());
    run(app.runtime.as_ref(), &id, &check, None, &AtomicU64::new(0)).await.map_err(|e| {
        StepError::Fail(format!(
            "{e}\nThe dump may be damaged, or from a version or edition whose data this server cannot read."
        ))
    })?;
    sealed.remove_container(app).await
}

/// Runs the script of the template in its database.
async fn run_hook(
    w: &StepContext,
    (hook, most): (&Path, u64),
    (id, plan): (&str, &ServerSpec<'_>),
    (password, targets): (&SecretString, &[LoadTarget]),
) -> Result<(), StepError> {
    let kind = plan.image.engine;
    if script::engine_of(hook).is_some_and(|engine| engine != kind)
        || script::is_sql(hook) != sql_format(kind).is_some()
    {
        return Err(StepError::Fail(format!("{} is not a script for {}.", file_name(hook), kind.label())));
    }
    let Some(format) = sql_format(kind) else { return script::run(w, (hook, most), (id, plan), password).await };
    // Statements of SQL are sent like those of a dump, so that a failure is known with its line.
    let dump = Dump {
        packing: Packing::None,
        format,
        version: None,
        says_its_end: false,
        databases: Vec::new(),
        told: Vec::new(),
    };
    let (name, scratch) = (file_name(hook), PathBuf::new());
    let script = DumpFile { dump: &dump, path: hook.to_owned(), name, scratch, most };
    let target = whole_database(plan.dbname.as_str());
    let done = pour(w, script, (id, plan), (password, &target, &places(targets, &[]))).await?;
    whole(&done, &file_name(hook))
}

/// The format of SQL scripts of an engine.
fn sql_format(engine: EngineKind) -> Option<Format> {
    match engine {
        EngineKind::Postgres => Some(Format::PgPlain),
        EngineKind::Mariadb => Some(Format::MariaSql),
        EngineKind::Mongodb | EngineKind::Neo4j => None,
    }
}

/// The format by which the content of a server made by a script is described.
pub(super) fn format_of(engine: EngineKind) -> Format {
    sql_format(engine).unwrap_or(match engine {
        EngineKind::Neo4j => Format::Neo4jDump,
        _ => Format::MongoArchive,
    })
}

/// Fails if a statement failed: a template with a part of its data would go unnoticed.
fn whole(report: &LoadReport, name: &str) -> Result<(), StepError> {
    let Some(first) = report.failures.first() else { return Ok(()) };
    let name = first.file.as_deref().unwrap_or(name);
    let at = first.line.map(|line| format!(", line {line}")).unwrap_or_default();
    let about = if first.statement.is_empty() { String::new() } else { format!("\n{}", first.statement) };
    let others = match report.failed {
        0 | 1 => String::new(),
        n => format!("\n{} more statements failed.", n - 1),
    };
    Err(StepError::Fail(format!("{name}{at}: {}{about}{others}", first.text)))
}

fn file<'a>(source: &ImportSource<'_>, dump: &'a Dump) -> DumpFile<'a> {
    let (path, name) = (source.path.clone(), file_name(&source.path));
    DumpFile { dump, path, name, scratch: source.scratch.clone(), most: source.most }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::dump::LoadFailure;

    #[test]
    fn a_failure_is_reported_with_its_location() {
        let failure = |line| LoadFailure {
            line,
            text: "no such table".into(),
            statement: "INSERT INTO t".into(),
            ..LoadFailure::default()
        };
        let report = LoadReport { failed: 3, failures: vec![failure(Some(7))], ..LoadReport::default() };
        let Err(StepError::Fail(said)) = whole(&report, "shop.sql") else { panic!("it must fail") };
        assert_eq!(said, "shop.sql, line 7: no such table\nINSERT INTO t\n2 more statements failed.");
        assert!(whole(&LoadReport::default(), "shop.sql").is_ok());
    }

    #[test]
    fn one_database_is_loaded_under_the_name_in_the_template() {
        let mut dump = Dump {
            packing: Packing::None,
            format: Format::PgPlain,
            version: None,
            says_its_end: false,
            databases: vec!["other".to_owned()],
            told: Vec::new(),
        };
        let pair = |t: &LoadTarget| (t.source.clone(), t.database.clone(), t.further);
        let one: Vec<_> = wanted(&dump, "shop").iter().map(pair).collect();
        assert_eq!(one, [("other".to_owned(), "shop".to_owned(), false)]);
        dump.databases.push("shop".to_owned());
        let both: Vec<_> = wanted(&dump, "shop").iter().map(pair).collect();
        assert_eq!(both, [("other".into(), "other".into(), true), ("shop".to_owned(), "shop".to_owned(), false)]);
    }
}
