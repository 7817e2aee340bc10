//! The workers: they lease jobs, run their steps, and undo the steps of jobs that fail permanently.
//!
//! No transaction is held while a job runs. A lease in its row, extended by a heartbeat, shows which worker owns it. If
//! a portal dies, its leases expire, and another portal (or the same one after a restart) resumes with the first
//! unfinished step.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::admin_db::jobs;
use crate::admin_db::jobs::queue::{ReservedJob, WorkerShares};
use crate::admin_db::jobs::{Job, StepStatus, cancel, queue};
use crate::app::App;
use crate::config::Config;
use crate::domain::job_rules::{Cancel, Pool};
use crate::jobs::ending::{JobEnd, end};
use crate::jobs::lease::{POLL, lose_lease, new_lease, put_back, wait_for_it};
use crate::jobs::step_status::{number, set_step};
use crate::jobs::undo_steps::{give_up, take_back};
use crate::jobs::{registry, withdraw};
use crate::provision::resume;
use crate::queue::context::{StepContext, job_span};
use crate::queue::requester::lost_the_database;

/// How long a step may continue after the portal was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// Number of times that a job may be started without ending, in multiples of its attempts: the job may be what crashes
/// the portal.
const MOST_CRASHES: i32 = 3;
/// Runs jobs until `stop`, then lets running jobs finish their current step.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    tokio::join!(work(&app, &stop), withdraw::run(&app, &stop));
}

async fn work(app: &Arc<App>, stop: &CancellationToken) {
    let room = Arc::new(Semaphore::new(app.config.jobs.workers));
    let shares = shares(&app.config);
    // Dropped with this future, so that no worker remains if it is cancelled.
    let mut tasks = JoinSet::new();
    while !stop.is_cancelled() {
        while let Some(ended) = tasks.try_join_next() {
            noted(ended);
        }
        let Ok(permit) = room.clone().acquire_owned().await else { break };
        if stop.is_cancelled() {
            break;
        }
        let lease = new_lease(app);
        let reserved = async {
            let mut db = app.db.acquire().await?;
            queue::reserve(&mut db, (&app.worker, &lease), app.config.jobs.lease, &shares).await
        };
        match reserved.await {
            Ok(Some(reserved)) => {
                let (app, stop) = (app.clone(), stop.child_token());
                let span = job_span(&reserved.job);
                let work = async move {
                    Box::pin(lead(&app, reserved, &lease, &stop)).await;
                    drop(permit);
                    // There may be more jobs than this worker saw.
                    app.wake.notify_one();
                };
                tasks.spawn(work.instrument(span));
                continue;
            }
            Ok(None) => {}
            Err(e) => tracing::debug!("Could not read the job queue: {e}"),
        }
        drop(permit);
        tokio::select! {
            () = app.wake.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
    while let Some(ended) = tasks.join_next().await {
        noted(ended);
    }
}

/// A worker that panicked is a bug in the portal. Its job resumes when the lease has expired.
fn noted(ended: Result<(), tokio::task::JoinError>) {
    if let Err(e) = ended {
        tracing::error!("A worker crashed: {e}");
    }
}

/// How the workers are divided among the pools.
fn shares(config: &Config) -> WorkerShares {
    let of = |fits: fn(Pool) -> bool| {
        registry::FLOWS.iter().filter(|f| fits(f.rules.pool)).map(|f| f.kind.as_str()).collect()
    };
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    WorkerShares {
        workers: number(config.jobs.workers),
        long: number(config.jobs.long_workers()),
        backups: number(config.backups.at_once),
        loads: config.limits.loads_per_person,
        long_kinds: of(Pool::is_long),
        backup_kinds: of(|pool| pool == Pool::Backup),
        load_kinds: of(|pool| pool == Pool::Load),
    }
}

/// Runs one job under its lease.
async fn lead(app: &Arc<App>, ReservedJob { job, age }: ReservedJob, lease: &str, stop: &CancellationToken) {
    let id = job.id;
    let kind = job.kind.clone();
    let flow = registry::flow(&kind);
    let most = app.config.deadline(flow.map_or(Pool::Short, |f| f.rules.pool));
    // Undoing the job also happens under its lease.
    let work = async {
        tokio::select! {
            () = execute(app, job.clone(), lease, stop) => {}
            by = cancelled(app, id), if flow.is_some_and(|f| f.rules.cancel != Cancel::Never) => {
                take_back(app, job.clone(), lease, &by).await;
            }
            () = tokio::time::sleep(most.saturating_sub(Duration::from_secs_f64(age.max(0.0)))) => {
                expire(app, job.clone(), lease, most).await;
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = lose_lease(app, id, lease) => tracing::warn!("Lost the lease of the job `{kind}`; it resumes from its \
                                                           recorded steps"),
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_GRACE).await } => {
            tracing::info!("Left the job `{kind}` in the middle of a step; it resumes at the next start");
            put_back(app, id, lease, Duration::ZERO, None, true).await;
        }
    }
}

/// Fails a job that exceeded its time limit at the step it has reached, and undoes it.
async fn expire(app: &Arc<App>, job: Job, lease: &str, most: Duration) {
    let Some(flow) = registry::flow(&job.kind) else { return };
    let hours = most.as_secs().div_ceil(3600);
    let why = format!("The job did not finish within {hours} h, the limit for its kind, so it was terminated.");
    let work = StepContext::new(app, job, lease);
    let steps = steps_before(&work).await.unwrap_or_default();
    let at = steps.iter().position(|s| s.status != StepStatus::Done).unwrap_or_default();
    give_up(&work, flow, (at.min(flow.steps.len().saturating_sub(1)), &why)).await;
}

/// Completes when someone cancels the job. Returns who.
async fn cancelled(app: &App, id: uuid::Uuid) -> String {
    loop {
        let asked = async {
            let mut db = app.db.acquire().await?;
            cancel::asked_by(&mut db, id).await
        };
        if let Ok(Some(by)) = asked.await {
            return by;
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Runs the unfinished steps.
async fn execute(app: &Arc<App>, job: Job, lease: &str, stop: &CancellationToken) {
    let Some(flow) = registry::flow(&job.kind) else {
        let error = format!("This version of the portal does not support jobs of the kind {}.", job.kind);
        return end(app, &job, lease, JobEnd::Failed("", &error)).await;
    };
    let work = StepContext::new(app, job, lease);
    let before = match steps_before(&work).await {
        Ok(steps) => steps,
        Err(e) => return put_back(app, work.job.id, lease, app.config.jobs.retry, Some(&e.to_string()), false).await,
    };
    let mut resumed = before.iter().any(|s| s.status == StepStatus::Done);
    // If the previous run was interrupted while undoing steps, undoing continues. Steps whose undo failed are marked
    // failed too, but all of them come before the step that failed first.
    if let Some(failed) = before.iter().rev().find(|s| s.status == StepStatus::Failed) {
        let at = usize::try_from(failed.seq).unwrap_or(1).saturating_sub(1);
        return give_up(&work, flow, (at, &failed.detail)).await;
    }
    if work.job.attempt > work.job.max_attempts.saturating_mul(MOST_CRASHES) {
        let why = format!("The job was started {} times and never finished.", work.job.attempt);
        return give_up(&work, flow, (flow.steps.len().saturating_sub(1), &why)).await;
    }
    // A job that has begun is completed: stopping halfway through could leave the new owner without a database.
    if before.iter().all(|s| s.status == StepStatus::Pending) {
        match lost_the_database(&work).await {
            Ok(None) => {}
            Ok(Some(why)) => return give_up(&work, flow, (0, &why)).await,
            Err(e) => {
                return put_back(app, work.job.id, lease, app.config.jobs.retry, Some(&e.to_string()), false).await;
            }
        }
    }
    for (i, step) in flow.steps.iter().enumerate() {
        let seq = number(i);
        if before.iter().any(|s| s.seq == seq && s.status == StepStatus::Done) {
            continue;
        }
        if stop.is_cancelled() {
            return put_back(app, work.job.id, lease, Duration::ZERO, None, true).await;
        }
        work.seq.store(seq.into(), Ordering::Relaxed);
        if let Some(by) = begin_step(&work, seq).await {
            return take_back(app, work.job, lease, &by).await;
        }
        work.changed();
        let run = async {
            if std::mem::take(&mut resumed) {
                resume::prepare(&work, step.resume).await?;
            }
            (step.run)(&work).await
        };
        match run.instrument(tracing::error_span!("step", name = step.name)).await {
            Ok(()) => set_step(&work, seq, StepStatus::Done, None).await,
            Err(e) if e.may_pass() => {
                let why = e.to_string();
                set_step(&work, seq, StepStatus::Pending, Some(&format!("{why} Retrying."))).await;
                if !wait_for_it(&work, &why).await {
                    give_up(&work, flow, (i, &why)).await;
                }
                return;
            }
            Err(e) => return give_up(&work, flow, (i, &e.to_string())).await,
        }
    }
    end(app, &work.job, lease, JobEnd::Well).await;
}

async fn steps_before(work: &StepContext) -> Result<Vec<jobs::JobStep>, sqlx::Error> {
    let mut db = work.app.db.acquire().await?;
    jobs::steps(&mut db, work.job.id).await
}

/// Records that a step begins, unless the job was cancelled; then returns by whom. As with [`set_step`], the job
/// continues if this cannot be recorded.
async fn begin_step(work: &StepContext, seq: i16) -> Option<String> {
    let done = async {
        let mut tx = work.app.db.begin().await?;
        let by = cancel::begin_step(&mut tx, (work.job.id, &work.lease), seq).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(by)
    };
    match done.await {
        Ok(by) => by,
        Err(e) => {
            tracing::debug!("Could not record the start of a step: {e}");
            None
        }
    }
}
