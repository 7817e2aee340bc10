//! Restores into a new container: created like any other, then filled from the store and compared with the manifest.

pub(crate) mod differences;
pub mod in_place;
pub mod offline;
pub mod partial;
pub mod recover;
pub mod request_in_place;
mod resources;
pub mod source;
pub mod swap;
pub mod undo;
pub mod upgrade;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use secrecy::SecretString;

use crate::admin_db::containers::Container;
use crate::app::App;
use crate::backup::pipeline::reports::Reports;
use crate::backup::pipeline::rewrite::through;
use crate::backup::pipeline::transfer::ObjectSource;
use crate::backup::pipeline::{peek, transfer};
use crate::backup::restore::resources::{filled, is_resource_failure};
use crate::backup::restore::source::{BackupSource, present};
use crate::backup::server_handle::ServerHandle;
use crate::backup::{compare, engine_backup, rights};
use crate::blueprint::Blueprint;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::engine::part::DumpMode;
use crate::engine::partial::{RestoreStage, StageInput};
use crate::manifest::{Manifest, Object};
use crate::objects::Store;
use crate::provision::container::running;
use crate::provision::exec::run_all;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::provision::{create, data_directory, rotate_password};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Resume, Step};
use crate::queue::step_error::StepError;

/// Finds the backup and reports its time.
const FIND_BACKUP: Step = Step::new("Find the backup", |w| Box::pin(look(w)));

/// Restores into a new database.
pub static RESTORE: Flow = Flow {
    kind: JobKind::Restore,
    title: "Restore to a new database",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        FIND_BACKUP,
        create::CHECK_STORAGE,
        create::GET_IMAGE,
        create::PREPARE_DATA,
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        Step::new("Set up your database and user", |w| Box::pin(rotate_password::set(w))).resume(Resume::Answering),
        Step::new("Restore the data", |w| Box::pin(fill(w))).resume(Resume::Answering),
        Step::new("Compare with the backup", |w| Box::pin(match_backup(w))).resume(Resume::Answering),
        // The roles were restored with their old passwords.
        rotate_password::SET_PASSWORD,
        create::HAND_OVER,
    ],
};

/// Runs a command on an object. If a store does not return the object, or returns it incomplete or damaged, the command
/// is run again with each copy: these commands remove what a previous attempt left.
///
/// # Errors
/// If the object cannot be read or is damaged in every store, or the command fails.
pub(super) async fn begin_stage(
    app: &App,
    source: &BackupSource<'_>,
    object: &Object,
    id: &str,
    stage: &RestoreStage,
    passed: &Arc<AtomicU64>,
) -> Result<Reports, StepError> {
    let mut done = stage_from(app, source, source.store, object, id, stage, passed).await;
    let mut waits = None;
    for other in &source.others {
        match done {
            Err(why @ StepError::Store(_)) => {
                source.takes(other, &why);
                waits = waits.or(Some(why).filter(StepError::may_pass));
            }
            done => return done,
        }
        done = stage_from(app, source, other, object, id, stage, passed).await;
    }
    match (done, waits) {
        // No store has it now, but one may have it later.
        (Err(StepError::Store(_)), Some(why)) => Err(why),
        (done, _) => done,
    }
}

async fn stage_from(
    app: &App,
    source: &BackupSource<'_>,
    store: &Arc<Store>,
    object: &Object,
    id: &str,
    stage: &RestoreStage,
    passed: &Arc<AtomicU64>,
) -> Result<Reports, StepError> {
    let (runtime, key) = (app.runtime.as_ref(), source.key(&object.file));
    let from = ObjectSource { store, key: &key, object, keys: &source.keys };
    let input = match stage.read {
        StageInput::Beginning => return peek::run(runtime, &from, id, &stage.exec).await,
        StageInput::Nothing => return transfer::run(runtime, id, &stage.exec, None, &AtomicU64::new(0)).await,
        StageInput::All => transfer::fetch(&from, passed.clone()).await?,
    };
    // A random word that the author of the dump cannot know.
    let token = format!("${}", hex::encode(app.random.bytes::<6>()));
    let (input, changes) = through(input, &stage.through, &token);
    let mut reports = transfer::run(runtime, id, &stage.exec, Some(input), &AtomicU64::new(0)).await?;
    reports.changed = changes.await;
    Ok(reports)
}

/// Removes what was restored with the selected part of a backup but does not belong to it.
async fn keep_only(app: &App, manifest: &Manifest, server: &ServerHandle<'_>) -> Result<(), StepError> {
    let Some(wanted) = &manifest.wanted else { return Ok(()) };
    let Some(exec) = server.engine.keep_only(&server.spec, &wanted.only, &wanted.others) else { return Ok(()) };
    transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await.map(|_| ())
}

/// Restores everything selected of a backup into a server. The source records what was changed and what could not be
/// restored.
///
/// # Errors
/// If an object cannot be read or is damaged, or the server rejects it.
pub async fn into(
    app: &App,
    source: &BackupSource<'_>,
    server: &ServerHandle<'_>,
    passed: &Arc<AtomicU64>,
) -> Result<(), StepError> {
    match strictly(app, source, server, passed).await {
        Err(StepError::Fail(why)) => second_attempt(app, source, server, passed, why).await?,
        done => done?,
    }
    if server.engine.dump_mode() == DumpMode::Running {
        keep_only(app, &source.manifest, server).await?;
    }
    if let Some(exec) = server.engine.settle(&server.spec) {
        let said = transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?;
        said.notes.into_iter().for_each(|note| source.leave_out(note));
    }
    Ok(())
}

/// The first attempt: any error ends it.
async fn strictly(
    app: &App,
    source: &BackupSource<'_>,
    server: &ServerHandle<'_>,
    passed: &Arc<AtomicU64>,
) -> Result<(), StepError> {
    for object in &source.manifest.objects {
        let (plan, part) = (&server.spec, object.part());
        let stages = match &source.manifest.wanted {
            None => server.engine.restore_stages(plan, &part),
            Some(wanted) => server.engine.restore_only(plan, &part, &wanted.only),
        };
        for stage in stages {
            let said = begin_stage(app, source, object, server.id, &stage, passed).await?;
            record(source, said, false)?;
        }
    }
    Ok(())
}

/// Records the notes of a stage. In a second attempt (`told`) a note names an object that could not be restored.
fn record(source: &BackupSource<'_>, said: Reports, told: bool) -> Result<(), StepError> {
    for note in said.notes {
        match told {
            true if is_resource_failure(&note) => return Err(StepError::Fail(note)),
            true => source.leave_out(note),
            false => source.change(note),
        }
    }
    said.changed.into_iter().for_each(|note| source.change(note));
    Ok(())
}

/// The sentence about a second attempt.
fn second(why: &str) -> String {
    format!("Restored in a second attempt, because the first failed: {why}")
}

/// The second attempt, if the engine has one: restores as much as possible and reports the rest.
async fn second_attempt(
    app: &App,
    source: &BackupSource<'_>,
    server: &ServerHandle<'_>,
    passed: &Arc<AtomicU64>,
    why: String,
) -> Result<(), StepError> {
    if is_resource_failure(&why) {
        return Err(StepError::Fail(why));
    }
    let objects = &source.manifest.objects;
    let parts: Vec<_> = objects.iter().map(Object::part).collect();
    let stages = server.engine.second_attempt(&server.spec, &parts, source.manifest.wanted.as_ref().map(|w| &w.only));
    if stages.is_empty() {
        return Err(StepError::Fail(why));
    }
    tracing::info!(backup = %source.manifest.backup, "The strict restore failed; retrying and keeping everything that \
                                                      can be restored: {why}");
    source.begin_again(second(&why));
    for (place, stage) in stages {
        let Some(object) = objects.get(place) else { continue };
        let said = begin_stage(app, source, object, server.id, &stage, passed).await?;
        record(source, said, true)?;
    }
    Ok(())
}

/// Restores a backup into a sealed container, with its server running. Returns the engine's id of the container.
///
/// # Errors
/// If an object cannot be read, is damaged or rejected, or the server does not start.
pub async fn raise(w: &StepContext, source: &BackupSource<'_>, sealed: &mut SealedServer) -> Result<String, StepError> {
    let (app, engine) = (&w.app, engine_backup(source.manifest.container.engine)?);
    let passed = Arc::new(AtomicU64::new(0));
    let mode = engine.dump_mode();
    let id = match mode {
        DumpMode::Running => sealed.start(app).await?,
        DumpMode::Stopped => {
            sealed.remove_container(app).await?;
            data_directory::prepare(app, &sealed.blueprint).await?;
            sealed.hold(app, true).await?
        }
    };
    let server = ServerHandle { id: &id, spec: sealed.blueprint.plan(), engine };
    filled(w, &sealed.blueprint.tier, source, &passed, Box::pin(into(app, source, &server, &passed))).await?;
    match mode {
        DumpMode::Running => Ok(id),
        DumpMode::Stopped => {
            let id = sealed.launch(app).await?;
            let server = ServerHandle { id: &id, spec: sealed.blueprint.plan(), engine };
            keep_only(app, &source.manifest, &server).await?;
            // The accounts were restored with the data.
            rights::as_before(app, &source.manifest, &server).await?;
            Ok(id)
        }
    }
}

/// The administrator's password of a sealed server filled from `source`: the one in the data, or, if the server
/// initialises its data, that of the database itself.
pub(crate) fn admin_of(source: &BackupSource<'_>, own: &SecretString) -> Result<AdminPassword, StepError> {
    let manifest = &source.manifest;
    match (
        engine_backup(manifest.container.engine)?.dump_mode(),
        manifest.admin(&source.keys).map_err(StepError::Fail)?,
    ) {
        (DumpMode::Running, _) => Ok(AdminPassword::Made(own.clone())),
        (DumpMode::Stopped, Some(password)) => Ok(AdminPassword::There(password)),
        (DumpMode::Stopped, None) => {
            Err(StepError::Fail("The manifest does not contain the administrator's password.".to_owned()))
        }
    }
}

/// Fills the directory of a sealed container, compares its content and stops its server cleanly, with `own` as the
/// administrator's password. If `strict`, different definitions are an error, because the data is to replace good data;
/// otherwise they are reported.
pub(super) async fn seal_in(
    w: &StepContext,
    source: &BackupSource<'_>,
    sealed: &mut SealedServer,
    own: &SecretString,
    strict: bool,
) -> Result<(), StepError> {
    let (app, engine) = (&w.app, engine_backup(source.manifest.container.engine)?);
    let id = raise(w, source, sealed).await?;
    let server = ServerHandle { id: &id, spec: sealed.blueprint.plan(), engine };
    w.progress("Comparing with the backup").await;
    let found = compare::compare(app, &source.manifest, &server, true).await?;
    let told = match strict {
        true => match found.equal() {
            Ok(()) => found.sentence(),
            Err(e) => return Err(differences::with_reasons(source, e)),
        },
        false => differences::keep(w, source, &found).await?,
    };
    run_all(app, &id, engine.adopt(&server.spec, own).as_slice()).await?;
    sealed.stop(app).await?;
    w.progress(&source.describe(&told)).await;
    Ok(())
}

/// Runs the engine's own checks.
pub async fn sound(app: &App, manifest: &Manifest, server: &ServerHandle<'_>) -> Result<(), StepError> {
    for exec in server.engine.check_all(&server.spec, &manifest.databases()) {
        let said = transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?;
        if !said.faults.is_empty() {
            return Err(StepError::Fail(format!("The server's own checks found errors:\n{}", said.faults.join("\n"))));
        }
    }
    Ok(())
}

/// The backup that the job's container is made from.
pub(super) async fn source(w: &StepContext) -> Result<(Arc<Container>, BackupSource<'_>), StepError> {
    let c = w.container().await?;
    let id = c
        .restored_from
        .ok_or_else(|| StepError::Fail("This database does not specify a backup to restore.".to_owned()))?;
    w.note_backup(id);
    let source = BackupSource::read(&w.app, id).await?.reduced(c.restored_only.as_ref().map(|only| &only.0))?;
    Ok((c, source))
}

async fn look(w: &StepContext) -> Result<(), StepError> {
    let (_, source) = source(w).await?;
    present(&source).await?;
    let part = source.manifest.wanted.as_ref().map(|w| format!("{} of ", w.only.text())).unwrap_or_default();
    let (of, at) = (&source.manifest.container.name, source.manifest.started_at.format("%Y-%m-%d %H:%M UTC"));
    w.progress(&source.describe(&format!("{part}{of}, {at}"))).await;
    Ok(())
}

/// The server to fill, once it responds, and the backup to fill it from.
async fn filling(w: &StepContext) -> Result<(BackupSource<'_>, Arc<Blueprint>, String), StepError> {
    let (c, source) = source(w).await?;
    let blueprint = w.blueprint().await?;
    let id = running(&w.app, &c).await?;
    Ok((source, blueprint, id))
}

async fn fill(w: &StepContext) -> Result<(), StepError> {
    let (source, blueprint, id) = filling(w).await?;
    let server = ServerHandle { id: &id, spec: blueprint.plan(), engine: engine_backup(blueprint.image.engine)? };
    let passed = Arc::new(AtomicU64::new(0));
    filled(w, &blueprint.tier, &source, &passed, Box::pin(into(&w.app, &source, &server, &passed))).await?;
    differences::remember(w, &source).await?;
    let done = if source.left_out().is_empty() {
        "Everything restored"
    } else {
        "Everything that could be rebuilt is restored"
    };
    let said = source.describe(done);
    if said != "Everything restored" {
        w.progress(&said).await;
    }
    Ok(())
}

async fn match_backup(w: &StepContext) -> Result<(), StepError> {
    let (source, blueprint, id) = filling(w).await?;
    differences::recall(w, &source).await?;
    let server = ServerHandle { id: &id, spec: blueprint.plan(), engine: engine_backup(blueprint.image.engine)? };
    let found = compare::compare(&w.app, &source.manifest, &server, true).await?;
    let told = differences::keep(w, &source, &found).await?;
    w.progress(&told).await;
    Ok(())
}
