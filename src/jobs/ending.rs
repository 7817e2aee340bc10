//! Ends jobs, and records what the end means for their databases.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tracing::Instrument;
use uuid::Uuid;

use crate::admin_db::backups::BackupStatus;
use crate::admin_db::containers::states;
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::jobs::{Job, JobStatus, StepStatus};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{backups, containers, jobs, log, plain};
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::state::{ContainerState, Event};
use crate::domain::work::Blame;
use crate::jobs::{backup_alerts, registry};
use crate::notify;
use crate::queue::context::StepContext;
use crate::queue::flow::Flow;

/// Marks the container failed if the rules of the failed job say so.
async fn mark_failed(tx: &mut PgConnection, app: &App, job: &Job, failure: (&str, &str)) -> Result<(), sqlx::Error> {
    let Some(id) = job.container_id else { return Ok(()) };
    backup_alerts::failed(tx, job, failure.1, app.clock.now()).await?;
    // The reconciler counts the failures of its own restarts and decides itself.
    if job.created_by == crate::jobs::reconcile_servers::ACTOR && job.kind() == Some(JobKind::Start) {
        return Ok(());
    }
    // Ends the row of the backup or test restore that failed, if there is one.
    backups::end(tx, job.id, BackupStatus::Failed, failure.1, app.clock.now()).await?;
    let blamed = match registry::flow(&job.kind).map_or(Blame::Database, |f| f.rules.blame) {
        Blame::Database => true,
        Blame::Nobody => false,
        Blame::IfDeleting => containers::by_id(tx, id).await?.is_none_or(|c| c.state == ContainerState::Deleting),
    };
    if blamed { fail(tx, app, job, id, failure).await } else { Ok(()) }
}

/// Marks a container failed.
async fn fail(tx: &mut PgConnection, app: &App, job: &Job, id: Uuid, failure: (&str, &str)) -> Result<(), sqlx::Error> {
    match states::apply(tx, id, Event::Fail, &job.created_by, app.clock.now(), Some(failure)).await {
        Ok(_) => Ok(()),
        Err(TransitionError::Db(e)) => Err(e),
        Err(e) => {
            tracing::error!("Could not mark a container as failed: {e}");
            Ok(())
        }
    }
}

/// Marks a container failed if its creation was cancelled: it never ran.
async fn unmade(tx: &mut PgConnection, app: &App, job: &Job, why: &str) -> Result<(), sqlx::Error> {
    let Some(flow) = registry::flow(&job.kind).filter(|f| f.rules.blame == Blame::Database) else { return Ok(()) };
    let Some(id) = job.container_id else { return Ok(()) };
    fail(tx, app, job, id, (flow.title, why)).await
}

/// How a job ends.
#[derive(Clone, Copy)]
pub(super) enum JobEnd<'a> {
    /// All steps are complete.
    Well,
    /// It failed; the name of the step and the reason.
    Failed(&'a str, &'a str),
    /// Someone cancelled it; a sentence.
    Cancelled(&'a str),
}

/// Ends the job, marks its container failed if a step failed, and logs the outcome, in one transaction.
pub(super) async fn end(app: &Arc<App>, job: &Job, lease: &str, ending: JobEnd<'_>) {
    // The reason may quote a server. Text that cannot be stored would keep the job from ending.
    let why = match ending {
        JobEnd::Well => Cow::Borrowed(""),
        JobEnd::Failed(_, why) | JobEnd::Cancelled(why) => plain::text(why),
    };
    let ending = match ending {
        JobEnd::Well => JobEnd::Well,
        JobEnd::Failed(step, _) => JobEnd::Failed(step, &why),
        JobEnd::Cancelled(_) => JobEnd::Cancelled(&why),
    };
    let (status, error) = match ending {
        JobEnd::Well => (JobStatus::Succeeded, None),
        JobEnd::Failed(_, why) => (JobStatus::Failed, Some(why)),
        JobEnd::Cancelled(why) => (JobStatus::Cancelled, Some(why)),
    };
    let ended = async {
        let mut tx = app.db.begin().await?;
        // The state is locked before the job, as everywhere else, so that two transactions never deadlock.
        match ending {
            JobEnd::Well => {}
            JobEnd::Failed(step, why) => mark_failed(&mut tx, app, job, (step, why)).await?,
            JobEnd::Cancelled(why) => {
                backups::end(&mut tx, job.id, BackupStatus::Cancelled, why, app.clock.now()).await?;
                unmade(&mut tx, app, job, why).await?;
            }
        }
        if !jobs::finish(&mut tx, job.id, lease, status, error).await? {
            return Ok::<_, sqlx::Error>(());
        }
        if matches!(ending, JobEnd::Well) {
            jobs::all_steps_done(&mut tx, job.id).await?;
        }
        let name = match job.container_id {
            Some(id) => containers::by_id(&mut tx, id).await?.map(|c| (id, c.name)),
            None => None,
        };
        let text = |key: &str| job.payload.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let actor = Actor { name: job.created_by.clone(), address: text("address"), request_id: text("request_id") };
        let about = if job.container_id.is_some() { "container" } else { "portal" };
        let action = format!("{about}.{}", job.kind);
        let entry = LogEntry {
            action: &action,
            container: name.as_ref().map(|(id, name)| (*id, name.as_str())),
            outcome: if error.is_none() { Outcome::Ok } else { Outcome::Failed },
            detail: error.unwrap_or("done"),
        };
        log::append(&mut tx, &actor, &entry, app.clock.now()).await?;
        tx.commit().await
    };
    match ended.await {
        Ok(()) => {
            if matches!(ending, JobEnd::Failed(..)) {
                notify::tell(app);
            }
            tracing::info!(status = status.as_str(), error, "Ended the job `{}`", job.kind);
        }
        Err(e) => tracing::warn!("Could not record the end of a job; its lease will expire: {e}"),
    }
}

/// Undoes everything that a cancelled job did. Its running step has already been dropped.
pub(crate) async fn take_back(app: &Arc<App>, job: Job, lease: &str, by: &str) {
    let Some(flow) = registry::flow(&job.kind) else { return };
    let why = format!("Cancelled by {by}.");
    let work = StepContext::new(app, job, lease);
    if undo(&work, flow, (flow.steps.len().saturating_sub(1), &why)).await {
        end(app, &work.job, lease, JobEnd::Cancelled(&why)).await;
    }
}

/// Undoes the failed step and those before it, in reverse order. If an undo fails, that is shown and logged, and the
/// others continue. Returns `false` if something it needs is unavailable; it is retried later.
pub(crate) async fn undo(work: &StepContext, flow: &Flow, (failed, why): (usize, &str)) -> bool {
    for (i, step) in flow.steps.iter().enumerate().take(failed + 1).rev() {
        let Some(undo) = step.undo else { continue };
        work.changed();
        match undo(work).instrument(tracing::error_span!("undo", name = step.name)).await {
            Ok(()) if i == failed => {}
            Ok(()) => set_step(work, number(i), StepStatus::Undone, None).await,
            Err(e) if e.may_pass() && wait_for_it(work, why).await => {
                tracing::warn!("A step will be undone later: {e}");
                return false;
            }
            Err(e) => {
                tracing::error!("Could not undo a step: {e}");
                let first = if i == failed { format!("{why}\n") } else { String::new() };
                set_step(work, number(i), StepStatus::Failed, Some(&format!("{first}Could not undo it: {e}"))).await;
            }
        }
    }
    true
}

/// Time between two checks of the queue if nothing wakes the workers, for example for jobs of other portals.
pub(crate) const POLL: Duration = Duration::from_secs(1);

/// Extends the lease periodically. Returns when another worker owns the job or may own it: a lease that could not be
/// extended in time has expired, whatever mydb_admin reports when it is available again.
pub(crate) async fn lose_lease(app: &App, id: uuid::Uuid, lease: &str) {
    let length = app.config.jobs.lease;
    let mut extended = Instant::now();
    loop {
        tokio::time::sleep(length / 4).await;
        let asked = Instant::now();
        let beat = async {
            let mut db = app.db.acquire().await?;
            jobs::heartbeat(&mut db, id, lease, length).await
        };
        match tokio::time::timeout(length / 2, beat).await {
            Ok(Ok(true)) => extended = asked,
            Ok(Ok(false)) => return,
            Ok(Err(_)) | Err(_) if extended.elapsed() >= length => return,
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

/// Whether the container engine and mydb_admin respond right now.
pub(crate) async fn answers(app: &App) -> bool {
    let engine = tokio::time::timeout(Duration::from_secs(3), app.runtime.ping());
    let admin_db = async { crate::admin_db::ping(&mut *app.db.acquire().await?).await };
    matches!(tokio::join!(engine, admin_db), (Ok(Ok(())), Ok(())))
}

/// Requeues the job for a later attempt; returns `false` if it has no attempts left. While the engine or mydb_admin is
/// unavailable, attempts are not counted, because that says nothing about the job.
pub(crate) async fn wait_for_it(work: &StepContext, why: &str) -> bool {
    let (app, job) = (&work.app, &work.job);
    let away = !answers(app).await;
    if !away && job.attempt >= job.max_attempts {
        return false;
    }
    let doubled = app.config.jobs.retry * 2u32.saturating_pow(u32::try_from(job.attempt - 1).unwrap_or(0));
    let wait = if away { app.config.jobs.retry } else { doubled.min(LONGEST_RETRY) };
    put_back(app, job.id, &work.lease, wait, Some(why), away).await;
    true
}

pub(crate) fn number(i: usize) -> i16 {
    i16::try_from(i + 1).unwrap_or(i16::MAX)
}

/// Records the status of a step, which is only shown to people: if that fails, the job continues, and after a crash the
/// step is repeated. Nothing is written if another worker owns the job by now.
pub(crate) async fn set_step(work: &StepContext, seq: i16, status: StepStatus, detail: Option<&str>) {
    let done = async {
        let mut db = work.app.db.acquire().await?;
        jobs::set_step(&mut db, work.job.id, &work.lease, seq, status, detail).await
    };
    if let Err(e) = done.await {
        tracing::debug!("Could not record the status of a step: {e}");
    }
}

pub(crate) async fn put_back(
    app: &App,
    id: uuid::Uuid,
    lease: &str,
    wait: Duration,
    error: Option<&str>,
    uncounted: bool,
) {
    let done = async {
        let mut db = app.db.acquire().await?;
        jobs::retry(&mut db, id, lease, wait, error, uncounted).await
    };
    if let Err(e) = done.await {
        tracing::warn!("Could not requeue a job; its lease will expire: {e}");
    }
}

/// Longest wait between two attempts.
pub(crate) const LONGEST_RETRY: Duration = Duration::from_secs(60);
