//! Restores a database or table as a copy under another name into a running server. Existing data is not changed.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use uuid::Uuid;

use crate::admin_db::backups;
use crate::admin_db::backups::{Backup, retention};
use crate::admin_db::containers::{Container, states};
use crate::admin_db::jobs::payload::{CopyOrder, JobPayload};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::backup::compare::matching;
use crate::backup::engine_backup;
use crate::backup::pipeline::transfer;
use crate::backup::restore::differences;
use crate::backup::restore::resources::{filled, is_resource_failure};
use crate::backup::restore::source::{BackupSource, present};
use crate::backup::restore::stages::{begin_stage, record, second, verify};
use crate::blueprint::Blueprint;
use crate::domain::engine::EngineKind;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::domain::state::ContainerState;
use crate::engine::EngineBackup;
use crate::engine::partial::{CopyTarget, RestoreAsCopy, Selection, SmallestPart};
use crate::provision::container::running;
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_with;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// Restores a part as a copy.
pub static RESTORE_BESIDE: Flow = Flow {
    kind: JobKind::RestoreBeside,
    title: "Restore part as a copy",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always).blame(Blame::Nobody),
    steps: &[
        Step::new("Find the backup", |w| Box::pin(look(w))),
        Step::new("Restore under another name", |w| Box::pin(put(w))).undo(|w| Box::pin(clear(w))),
        Step::new("Compare with the backup", |w| Box::pin(compare(w))),
    ],
};

/// The smallest part that can be restored from an engine's backups, and whether it can be restored as a copy.
pub fn possible(engine: EngineKind) -> (SmallestPart, bool) {
    engine
        .engine()
        .backup()
        .map_or((SmallestPart::Nothing, false), |b| (b.smallest_part(), b.restore_as_copy().is_some()))
}

/// Checks whether this part can be restored from backups of the engine.
///
/// # Errors
/// [`RequestError::NotAlone`] with the reason.
pub(crate) fn allowed(engine: EngineKind, only: &Selection) -> Result<(), RequestError> {
    let why = match (possible(engine).0, &only.table) {
        (SmallestPart::Nothing, _) => "its backups can only be restored completely",
        (SmallestPart::Database, Some(_)) => "single databases can be restored from its backups, but not single tables",
        _ => return Ok(()),
    };
    Err(RequestError::NotAlone(format!("{}: {why}.", engine.label())))
}

/// Enqueues the restore of a part of a backup as a copy into the database it was made of. Returns the id of the job and
/// the name of the copy.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn beside(
    app: &App,
    c: &Container,
    backup: &Backup,
    only: &Selection,
    actor: &Actor,
) -> Result<(Uuid, String), RequestError> {
    if !backup.is_good() {
        return Err(RequestError::NoSuchBackup);
    }
    allowed(c.engine, only)?;
    let how = c.engine.engine().backup().and_then(EngineBackup::restore_as_copy);
    let how = how.ok_or_else(|| {
        RequestError::NotAlone(format!(
            "{}: part of a backup can only be restored to a new database.",
            c.engine.label()
        ))
    })?;
    let mut tx = app.db.begin().await?;
    if !retention::hold(&mut tx, backup.id).await? {
        return Err(RequestError::NoSuchBackup);
    }
    let manifest = backups::manifest(&mut tx, backup.id).await?.ok_or(RequestError::NoSuchBackup)?;
    manifest.reduced(only).map_err(RequestError::NotAlone)?;
    match states::lock(&mut tx, c.id).await?.ok_or(RequestError::Gone)? {
        ContainerState::Running => {}
        state => return Err(RequestError::State(state)),
    }
    let name = how.name(only, &app.clock.now().format("%Y%m%d_%H%M%S").to_string());
    let order = CopyOrder { backup: backup.id, only: only.clone(), name: name.clone() };
    let payload = JobPayload { copy: Some(order), ..JobPayload::of(actor) };
    let detail = format!("{} of the backup {}", only.text(), backup.id);
    let job = enqueue_with(app, &mut tx, &RESTORE_BESIDE, (c.id, &c.name), actor, (&detail, payload)).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((job, name))
}

fn order(w: &StepContext) -> Result<CopyOrder, StepError> {
    w.job.payload.copy.clone().ok_or_else(|| StepError::Fail("The parameters of this job cannot be read.".to_owned()))
}

async fn source<'a>(w: &'a StepContext, order: &CopyOrder) -> Result<BackupSource<'a>, StepError> {
    w.note_backup(order.backup);
    BackupSource::read(&w.app, order.backup).await?.reduced(Some(&order.only))
}

async fn look(w: &StepContext) -> Result<(), StepError> {
    let order = order(w)?;
    present(&source(w, &order).await?).await?;
    w.progress(&format!("Restoring {} as {}", order.only.text(), order.name)).await;
    Ok(())
}

/// The running server that a step works on, and how its engine restores.
struct PartialContext {
    id: String,
    blueprint: Arc<Blueprint>,
    how: &'static dyn RestoreAsCopy,
    token: String,
}

impl PartialContext {
    async fn of(w: &StepContext) -> Result<Self, StepError> {
        let c = w.container().await?;
        let how = engine_backup(c.engine)?.restore_as_copy();
        let how =
            how.ok_or_else(|| StepError::Fail("This engine cannot restore part of a backup as a copy.".to_owned()))?;
        let id = running(&w.app, &c).await?;
        let token = format!("Restored from a backup by the job {}", w.job.id.simple());
        Ok(Self { id, blueprint: w.blueprint().await?, how, token })
    }

    fn to<'b>(&'b self, order: &'b CopyOrder) -> CopyTarget<'b> {
        CopyTarget { name: &order.name, token: &self.token }
    }
}

/// Restores the selected part. In the first attempt any error ends it; in the second, with `told`, as much as possible
/// is restored and the rest is listed.
async fn stages(
    w: &StepContext,
    (order, site): (&CopyOrder, &PartialContext),
    source: &BackupSource<'_>,
    passed: &Arc<AtomicU64>,
    told: bool,
) -> Result<(), StepError> {
    let plan = site.blueprint.plan();
    for object in &source.manifest.objects {
        for stage in site.how.put(&plan, &object.part(), &order.only, &site.to(order), told) {
            let said = begin_stage(&w.app, source, object, &site.id, &stage, passed).await?;
            record(source, said, told)?;
        }
    }
    Ok(())
}

async fn put(w: &StepContext) -> Result<(), StepError> {
    let (order, site) = (order(w)?, PartialContext::of(w).await?);
    let source = source(w, &order).await?;
    let passed = Arc::new(AtomicU64::new(0));
    // It runs in the owner's server, where damage cannot be undone.
    w.progress("Comparing the backup with its checksums").await;
    filled(w, &site.blueprint.tier, &source, &passed, Box::pin(verify(&source, &passed))).await?;
    let passed = Arc::new(AtomicU64::new(0));
    let putting = async {
        match stages(w, (&order, &site), &source, &passed, false).await {
            Err(StepError::Fail(why)) if !is_resource_failure(&why) => {
                clear(w).await?;
                source.begin_again(second(&why));
                stages(w, (&order, &site), &source, &passed, true).await
            }
            done => done,
        }
    };
    filled(w, &site.blueprint.tier, &source, &passed, Box::pin(putting)).await?;
    differences::remember(w, &source).await?;
    w.progress(&source.describe(&format!("Restored as {}", order.name))).await;
    Ok(())
}

async fn clear(w: &StepContext) -> Result<(), StepError> {
    let (order, site) = (order(w)?, PartialContext::of(w).await?);
    let exec = site.how.clear(&site.blueprint.plan(), &order.only, &site.to(&order));
    transfer::run(w.app.runtime.as_ref(), &site.id, &exec, None, &AtomicU64::new(0)).await.map(|_| ())
}

async fn compare(w: &StepContext) -> Result<(), StepError> {
    let (order, site) = (order(w)?, PartialContext::of(w).await?);
    let source = source(w, &order).await?;
    let to = site.to(&order);
    let exec = site.how.count(&site.blueprint.plan(), &order.only, &to, source.manifest.fingerprints);
    let said = transfer::run(w.app.runtime.as_ref(), &site.id, &exec, None, &AtomicU64::new(0)).await?;
    let counts: Vec<_> = said.counts.into_iter().filter_map(|c| site.how.original(&order.only, &to, c)).collect();
    differences::recall(w, &source).await?;
    let compared = match matching(&source.manifest, &counts) {
        Ok(counted) => format!("{counted} counts match the backup"),
        // What a second attempt could not restore is reported, as in the restore of a whole backup.
        Err(StepError::Fail(why)) if source.second().is_some() && !source.left_out().is_empty() => why,
        Err(e) => return Err(e),
    };
    w.progress(&source.describe(&format!("{compared}. Restored as {}", order.name))).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::backup::restore::partial::*;

    #[test]
    fn every_engine_states_its_smallest_restorable_part() {
        let database = Selection { database: "trial".to_owned(), table: None };
        let table = Selection { table: Some("public.t".to_owned()), ..database.clone() };
        let said = |engine, only| allowed(engine, only).map_err(|e| e.to_string());
        for engine in EngineKind::ALL {
            let (alone, beside) = possible(engine);
            assert_eq!(said(engine, &database).is_ok(), alone != SmallestPart::Nothing, "{engine}");
            assert_eq!(said(engine, &table).is_ok(), alone == SmallestPart::Table, "{engine}");
            assert!(!beside || alone != SmallestPart::Nothing, "{engine}");
        }
        assert_eq!(
            said(EngineKind::Neo4j, &database),
            Err("Neo4j: its backups can only be restored completely.".to_owned())
        );
    }
}
