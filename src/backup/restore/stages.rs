//! Restores the objects of a backup into a server, stage by stage. If the strict restore fails, a second attempt keeps
//! everything that can be restored.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::app::App;
use crate::backup::pipeline::reports::Reports;
use crate::backup::pipeline::rewrite::through;
use crate::backup::pipeline::transfer::ObjectSource;
use crate::backup::pipeline::verified::ChunkSums;
use crate::backup::pipeline::{peek, transfer};
use crate::backup::restore::resources::is_resource_failure;
use crate::backup::restore::source::BackupSource;
use crate::backup::server_handle::ServerHandle;
use crate::engine::part::DumpMode;
use crate::engine::partial::{RestoreStage, StageInput};
use crate::manifest::{Manifest, Object};
use crate::objects::Store;
use crate::queue::step_error::StepError;

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
    let mut attempts = source.attempts();
    loop {
        let done = stage_from(app, source, attempts.store(), object, id, stage, passed).await;
        if let ControlFlow::Break(done) = attempts.judge(done) {
            return done;
        }
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
    let from = ObjectSource { store, key: &key, object, keys: &source.keys, verified: source.verified(&object.file) };
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

/// Reads every object to its end and compares it with the manifest. Afterwards, only content that is the same is passed
/// to a server.
///
/// # Errors
/// If an object cannot be read or is damaged in every store.
pub(super) async fn verify(source: &BackupSource<'_>, passed: &Arc<AtomicU64>) -> Result<(), StepError> {
    for object in &source.manifest.objects {
        let mut attempts = source.attempts();
        let sums = loop {
            let read = read_whole(source, attempts.store(), object, passed).await;
            if let ControlFlow::Break(read) = attempts.judge(read) {
                break read?;
            }
        };
        source.note_verified(&object.file, sums);
    }
    Ok(())
}

async fn read_whole(
    source: &BackupSource<'_>,
    store: &Arc<Store>,
    object: &Object,
    passed: &Arc<AtomicU64>,
) -> Result<ChunkSums, StepError> {
    let key = source.key(&object.file);
    let from = ObjectSource { store, key: &key, object, keys: &source.keys, verified: None };
    Ok(ChunkSums::read(transfer::fetch(&from, passed.clone()).await?).await?)
}

/// Removes what was restored with the selected part of a backup but does not belong to it.
pub(super) async fn keep_only(app: &App, manifest: &Manifest, server: &ServerHandle<'_>) -> Result<(), StepError> {
    let Some(wanted) = &manifest.wanted else { return Ok(()) };
    let Some(exec) = server.engine.keep_only(&server.spec, &wanted.only, &wanted.others) else { return Ok(()) };
    transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await.map(|_| ())
}

/// Restores everything selected of a backup into a server. The source records what was changed and what could not be
/// restored.
///
/// # Errors
/// If an object cannot be read or is damaged, or the server rejects it.
pub async fn restore_all(
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
pub(super) fn record(source: &BackupSource<'_>, said: Reports, told: bool) -> Result<(), StepError> {
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
pub(super) fn second(why: &str) -> String {
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
