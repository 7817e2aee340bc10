//! The workers: reserve a job, run its steps, undo them when it fails for good.
//!
//! No transaction is held while a job runs: a lease in its row, extended by a heartbeat, says whose
//! it is. A portal that dies loses its leases, and another (or the same, started again) goes on
//! with the first step that is not done.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin_db::jobs::{self, Job, JobStatus, StepStatus};
use crate::admin_db::log::{self, Actor, Entry, Outcome};
use crate::admin_db::states;
use crate::app::App;
use crate::domain::state::Event;
use crate::provision::actions;
use crate::provision::flow::{Flow, StepError, Work};

/// Longest wait between two attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How long a step may go on after the portal was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Wait between looks at the queue when nothing wakes the workers, as jobs of other portals don't.
const POLL: Duration = Duration::from_secs(1);

/// Runs jobs until `stop`, then lets those under way reach the end of their step.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(app.config.jobs.workers));
    let tasks = TaskTracker::new();
    while !stop.is_cancelled() {
        let Ok(permit) = room.clone().acquire_owned().await else { break };
        if stop.is_cancelled() {
            break;
        }
        let reserved = async {
            let mut db = app.db.acquire().await?;
            jobs::reserve(&mut db, &app.worker, app.config.jobs.lease).await
        };
        match reserved.await {
            Ok(Some(job)) => {
                let (app, stop) = (app.clone(), stop.child_token());
                tasks.spawn(async move {
                    lead(&app, job, &stop).await;
                    drop(permit);
                    // There may be more than this worker saw when it looked.
                    app.wake.notify_one();
                });
                continue;
            }
            Ok(None) => {}
            Err(e) => tracing::debug!("The job queue could not be read: {e}"),
        }
        drop(permit);
        tokio::select! {
            () = app.wake.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// Runs one job under its lease.
async fn lead(app: &Arc<App>, job: Job, stop: &CancellationToken) {
    let id = job.id;
    let kind = job.kind.clone();
    tokio::select! {
        () = execute(app, job, stop) => {}
        () = lose_lease(app, id) => tracing::warn!(job = %id, kind, "Another portal has taken over the job `{kind}`"),
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_GRACE).await } => {
            tracing::info!(job = %id, kind, "Left the job `{kind}` in the middle of a step; it goes on at the next start");
            put_back(app, id, Duration::ZERO, None, true).await;
        }
    }
}

/// Extends the lease again and again; ends when the job is somebody else's.
async fn lose_lease(app: &App, id: uuid::Uuid) {
    let lease = app.config.jobs.lease;
    loop {
        tokio::time::sleep(lease / 3).await;
        let Ok(mut db) = app.db.acquire().await else { continue };
        if let Ok(false) = jobs::heartbeat(&mut db, id, &app.worker, lease).await {
            return;
        }
    }
}

async fn put_back(app: &App, id: uuid::Uuid, wait: Duration, error: Option<&str>, uncounted: bool) {
    let done = async {
        let mut db = app.db.acquire().await?;
        jobs::retry(&mut db, id, &app.worker, wait, error, uncounted).await
    };
    if let Err(e) = done.await {
        tracing::warn!(job = %id, "A job could not be put back; its lease will run out: {e}");
    }
}

/// Runs the steps that are not done yet.
async fn execute(app: &Arc<App>, job: Job, stop: &CancellationToken) {
    let Some(flow) = actions::flow(&job.kind) else {
        let error = format!("This version of the portal knows no job of the kind {}.", job.kind);
        return end(app, &job, JobStatus::Failed, Some(&error)).await;
    };
    let work = Work { app: app.clone(), job, seq: AtomicI64::new(0) };
    let done = match steps_done(&work).await {
        Ok(done) => done,
        Err(e) => return put_back(app, work.job.id, app.config.jobs.retry, Some(&e.to_string()), false).await,
    };
    for (i, step) in flow.steps.iter().enumerate() {
        let seq = i16::try_from(i + 1).unwrap_or(i16::MAX);
        if done.contains(&seq) {
            continue;
        }
        if stop.is_cancelled() {
            return put_back(app, work.job.id, Duration::ZERO, None, true).await;
        }
        work.seq.store(seq.into(), Ordering::Relaxed);
        set_step(&work, seq, StepStatus::Running, None).await;
        match (step.run)(&work).await {
            Ok(()) => set_step(&work, seq, StepStatus::Done, None).await,
            Err(StepError::Retry(why)) if work.job.attempt < work.job.max_attempts => {
                set_step(&work, seq, StepStatus::Pending, Some(&format!("{why} Trying again."))).await;
                let doubled = app.config.jobs.retry * 2u32.saturating_pow(u32::try_from(work.job.attempt - 1).unwrap_or(0));
                return put_back(app, work.job.id, doubled.min(LONGEST_RETRY), Some(&why), false).await;
            }
            Err(e) => {
                let why = e.to_string();
                set_step(&work, seq, StepStatus::Failed, Some(&why)).await;
                undo(&work, flow, i).await;
                fail(&work, flow, step.name, &why).await;
                return end(app, &work.job, JobStatus::Failed, Some(&why)).await;
            }
        }
    }
    end(app, &work.job, JobStatus::Succeeded, None).await;
}

async fn steps_done(work: &Work) -> Result<Vec<i16>, sqlx::Error> {
    let mut db = work.app.db.acquire().await?;
    let steps = jobs::steps(&mut db, work.job.id).await?;
    Ok(steps.into_iter().filter(|s| s.status == StepStatus::Done).map(|s| s.seq).collect())
}

/// A step's status is for people to read; the job goes on where it can't be written, and does that step again after a crash.
async fn set_step(work: &Work, seq: i16, status: StepStatus, detail: Option<&str>) {
    let done = async {
        let mut db = work.app.db.acquire().await?;
        jobs::set_step(&mut db, work.job.id, seq, status, detail).await
    };
    if let Err(e) = done.await {
        tracing::debug!(job = %work.job.id, "A step's status could not be written: {e}");
    }
}

/// Takes back the failed step and those before it, the last one first. An undo that fails is shown and logged, and the others go on.
async fn undo(work: &Work, flow: &Flow, failed: usize) {
    for (i, step) in flow.steps.iter().enumerate().take(failed + 1).rev() {
        let Some(undo) = step.undo else { continue };
        let seq = i16::try_from(i + 1).unwrap_or(i16::MAX);
        match undo(work).await {
            Ok(()) if i == failed => {}
            Ok(()) => set_step(work, seq, StepStatus::Undone, None).await,
            Err(e) => {
                tracing::error!(job = %work.job.id, step = step.name, "A step could not be taken back: {e}");
                set_step(work, seq, StepStatus::Failed, Some(&format!("Could not be taken back: {e}"))).await;
            }
        }
    }
}

/// Marks the container failed. Not for the reconciler's own restarts: it counts failures and decides itself.
async fn fail(work: &Work, flow: &Flow, step: &str, why: &str) {
    if work.job.created_by == super::reconcile::ACTOR && flow.kind == "start" {
        return;
    }
    let Ok(id) = work.container_id() else { return };
    let marked = async {
        let mut tx = work.app.db.begin().await?;
        let now = work.app.clock.now();
        let failed = states::apply(&mut tx, id, Event::Fail, &work.job.created_by, now, Some((step, why))).await;
        match failed {
            Ok(_) => tx.commit().await.map_err(states::TransitionError::Db),
            Err(e) => Err(e),
        }
    };
    if let Err(e) = marked.await {
        tracing::error!(job = %work.job.id, "A container could not be marked failed: {e}");
    }
}

/// Ends the job and writes its outcome to the log.
async fn end(app: &App, job: &Job, status: JobStatus, error: Option<&str>) {
    let ended = async {
        let mut tx = app.db.begin().await?;
        if !jobs::finish(&mut tx, job.id, &app.worker, status, error).await? {
            return Ok::<_, sqlx::Error>(());
        }
        let name = match job.container_id {
            Some(id) => crate::admin_db::containers::by_id(&mut tx, id).await?.map(|c| (id, c.name)),
            None => None,
        };
        let text = |key: &str| job.payload.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let actor = Actor { name: job.created_by.clone(), address: text("address"), request_id: text("request_id") };
        let action = format!("container.{}", job.kind);
        let entry = Entry {
            action: &action,
            container: name.as_ref().map(|(id, name)| (*id, name.as_str())),
            outcome: if status == JobStatus::Succeeded { Outcome::Ok } else { Outcome::Failed },
            detail: error.unwrap_or("done"),
        };
        log::append(&mut tx, &actor, &entry, app.clock.now()).await?;
        tx.commit().await
    };
    match ended.await {
        Ok(()) => tracing::info!(job = %job.id, kind = job.kind, status = status.as_str(), error, "Ended the job `{}`", job.kind),
        Err(e) => tracing::warn!(job = %job.id, "A job's end could not be written; its lease will run out: {e}"),
    }
}
