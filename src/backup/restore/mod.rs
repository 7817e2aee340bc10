//! Restores into a new container: created like any other, then filled from the store and compared with the manifest.

pub(crate) mod differences;
pub mod in_place;
pub mod offline;
pub mod partial;
pub mod recover;
pub mod request_in_place;
mod resources;
pub mod source;
pub mod stages;
pub mod swap;
pub mod undo;
pub mod upgrade;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use secrecy::SecretString;

use crate::admin_db::containers::Container;
use crate::app::App;
use crate::backup::pipeline::transfer;
use crate::backup::restore::resources::filled;
use crate::backup::restore::source::{BackupSource, present};
use crate::backup::restore::stages::{keep_only, restore_all};
use crate::backup::server_handle::ServerHandle;
use crate::backup::{compare, engine_backup, rights};
use crate::blueprint::Blueprint;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::engine::part::DumpMode;
use crate::manifest::Manifest;
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
    filled(w, &sealed.blueprint.tier, source, &passed, Box::pin(restore_all(app, source, &server, &passed))).await?;
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
    let told = if strict {
        found.equal().map_err(|e| differences::with_reasons(source, e))?;
        // Even if all definitions are equal, there may be something that the server could not compute.
        differences::remember(w, source).await?;
        found.sentence()
    } else {
        differences::keep(w, source, &found).await?
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
    filled(w, &blueprint.tier, &source, &passed, Box::pin(restore_all(&w.app, &source, &server, &passed))).await?;
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
