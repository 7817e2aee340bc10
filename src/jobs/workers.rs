//! The workers: reserve a job, run its steps, undo them when it fails for good.
//!
//! No transaction is held while a job runs: a lease in its row, extended by a heartbeat, says whose
//! it is. A portal that dies loses its leases, and another (or the same, started again) goes on
//! with the first step that is not done.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::admin_db::jobs::cancel;
use crate::admin_db::jobs::queue;
use crate::admin_db::jobs::queue::{Reserved, Shares};
use crate::admin_db::jobs::{self, Job, StepStatus};
use crate::app::App;
use crate::config::Config;
use crate::domain::work::{Cancel, Pool};
use crate::jobs::ending::{Ending, end};
use crate::jobs::registry;
use crate::jobs::withdraw;
use crate::queue::flow::{Flow, Work};

/// Longest wait between two attempts.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How long a step may go on after the portal was asked to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often a job may be begun without ever coming to an end, in multiples of its attempts: it may be what ends the portal.
const MOST_CRASHES: i32 = 3;
/// Wait between looks at the queue when nothing wakes the workers, as jobs of other portals don't.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// Runs jobs until `stop`, then lets those under way reach the end of their step.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    tokio::join!(work(&app, &stop), withdraw::run(&app, &stop));
}

async fn work(app: &Arc<App>, stop: &CancellationToken) {
    let room = Arc::new(Semaphore::new(app.config.jobs.workers));
    let shares = shares(&app.config);
    // Dropped with this future, so that a portal that is cut short leaves no worker behind.
    let mut tasks = JoinSet::new();
    while !stop.is_cancelled() {
        while let Some(ended) = tasks.try_join_next() {
            noted(ended);
        }
        let Ok(permit) = room.clone().acquire_owned().await else { break };
        if stop.is_cancelled() {
            break;
        }
        // Each reservation has a name of its own: a run that lost its lease must not pass for the one that took it over,
        // not even in the same portal.
        let lease = format!("{}/{}", app.worker, hex::encode(app.random.bytes::<4>()));
        let reserved = async {
            let mut db = app.db.acquire().await?;
            queue::reserve(&mut db, (&app.worker, &lease), app.config.jobs.lease, &shares).await
        };
        match reserved.await {
            Ok(Some(reserved)) => {
                let (app, stop) = (app.clone(), stop.child_token());
                tasks.spawn(async move {
                    lead(&app, reserved, &lease, &stop).await;
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
    while let Some(ended) = tasks.join_next().await {
        noted(ended);
    }
}

/// A worker that panicked is a fault of ours; its job goes on when the lease has run out.
fn noted(ended: Result<(), tokio::task::JoinError>) {
    if let Err(e) = ended {
        tracing::error!("A worker broke down: {e}");
    }
}

/// How the workers are shared.
fn shares(config: &Config) -> Shares {
    let of = |fits: fn(Pool) -> bool| registry::FLOWS.iter().filter(|f| fits(f.rules.pool)).map(|f| f.kind).collect();
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Shares {
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
async fn lead(app: &Arc<App>, Reserved { job, age }: Reserved, lease: &str, stop: &CancellationToken) {
    let id = job.id;
    let kind = job.kind.clone();
    let flow = registry::flow(&kind);
    let most = app.config.deadline(flow.map_or(Pool::Short, |f| f.rules.pool));
    // Also what takes the job back is done under its lease.
    let work = async {
        tokio::select! {
            () = execute(app, job.clone(), lease, stop) => {}
            by = cancelled(app, id), if flow.is_some_and(|f| f.rules.cancel != Cancel::Never) => {
                cancel(app, job.clone(), lease, &by).await;
            }
            () = tokio::time::sleep(most.saturating_sub(Duration::from_secs_f64(age.max(0.0)))) => {
                expire(app, job.clone(), lease, most).await;
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = lose_lease(app, id, lease) => tracing::warn!(job = %id, kind, "Lost the lease of the job `{kind}`; it goes on where its steps say"),
        () = async { stop.cancelled().await; tokio::time::sleep(STOP_GRACE).await } => {
            tracing::info!(job = %id, kind, "Left the job `{kind}` in the middle of a step; it goes on at the next start");
            put_back(app, id, lease, Duration::ZERO, None, true).await;
        }
    }
}

/// Takes back a job that took longer than any may, as one that failed where it is.
async fn expire(app: &Arc<App>, job: Job, lease: &str, most: Duration) {
    let Some(flow) = registry::flow(&job.kind) else { return };
    let hours = most.as_secs().div_ceil(3600);
    let why = format!("This was not done within {hours} h, the longest a job of its kind may take, so it was ended.");
    let mut work = Work::new(app, job, lease);
    work.resumed = true;
    let steps = steps_before(&work).await.unwrap_or_default();
    let at = steps.iter().position(|s| s.status != StepStatus::Done).unwrap_or_default();
    give_up(&work, flow, (at.min(flow.steps.len().saturating_sub(1)), &why)).await;
}

/// Ends when somebody asks for the job's end.
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

/// Takes back all that a cancelled job did. Its own work was dropped where it was.
pub(super) async fn cancel(app: &Arc<App>, job: Job, lease: &str, by: &str) {
    let Some(flow) = registry::flow(&job.kind) else { return };
    let why = format!("Cancelled by {by}.");
    let mut work = Work::new(app, job, lease);
    work.resumed = true;
    if undo(&work, flow, (flow.steps.len().saturating_sub(1), &why)).await {
        end(app, &work.job, lease, Ending::Cancelled(&why)).await;
    }
}

/// Extends the lease again and again; ends when the job is somebody else's, or may be: a lease that could not be
/// extended in time has run out, whatever mydb_admin says when it answers again.
pub(super) async fn lose_lease(app: &App, id: uuid::Uuid, lease: &str) {
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

async fn put_back(app: &App, id: uuid::Uuid, lease: &str, wait: Duration, error: Option<&str>, uncounted: bool) {
    let done = async {
        let mut db = app.db.acquire().await?;
        jobs::retry(&mut db, id, lease, wait, error, uncounted).await
    };
    if let Err(e) = done.await {
        tracing::warn!(job = %id, "A job could not be put back; its lease will run out: {e}");
    }
}

/// Runs the steps that are not done yet.
async fn execute(app: &Arc<App>, job: Job, lease: &str, stop: &CancellationToken) {
    let Some(flow) = registry::flow(&job.kind) else {
        let error = format!("This version of the portal knows no job of the kind {}.", job.kind);
        return end(app, &job, lease, Ending::Failed("", &error)).await;
    };
    let mut work = Work::new(app, job, lease);
    let before = match steps_before(&work).await {
        Ok(steps) => steps,
        Err(e) => return put_back(app, work.job.id, lease, app.config.jobs.retry, Some(&e.to_string()), false).await,
    };
    work.resumed = before.iter().any(|s| s.status == StepStatus::Done);
    // A run that was cut short while it took things back goes on with that. Steps that could not be taken back
    // are marked failed too, but all of them come before the one that failed first.
    if let Some(failed) = before.iter().rev().find(|s| s.status == StepStatus::Failed) {
        let at = usize::try_from(failed.seq).unwrap_or(1).saturating_sub(1);
        return give_up(&work, flow, (at, &failed.detail)).await;
    }
    if work.job.attempt > work.job.max_attempts.saturating_mul(MOST_CRASHES) {
        let why = format!("This was begun {} times and never came to an end.", work.job.attempt);
        return give_up(&work, flow, (flow.steps.len().saturating_sub(1), &why)).await;
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
            return cancel(app, work.job, lease, &by).await;
        }
        match (step.run)(&work).await {
            Ok(()) => set_step(&work, seq, StepStatus::Done, None).await,
            Err(e) if e.may_pass() => {
                let why = e.to_string();
                set_step(&work, seq, StepStatus::Pending, Some(&format!("{why} Trying again."))).await;
                if !wait_for_it(&work, &why).await {
                    give_up(&work, flow, (i, &why)).await;
                }
                return;
            }
            Err(e) => return give_up(&work, flow, (i, &e.to_string())).await,
        }
    }
    end(app, &work.job, lease, Ending::Well).await;
}

fn number(i: usize) -> i16 {
    i16::try_from(i + 1).unwrap_or(i16::MAX)
}

/// Puts the job back to be tried again later; `false` when it was tried often enough. While the engine or
/// mydb_admin is away that is waited for as long as it takes: it says nothing about the job.
async fn wait_for_it(work: &Work, why: &str) -> bool {
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

/// Whether all that jobs need answers at this moment.
async fn answers(app: &App) -> bool {
    let engine = tokio::time::timeout(Duration::from_secs(3), app.runtime.ping());
    let admin_db = async { crate::admin_db::ping(&mut *app.db.acquire().await?).await };
    matches!(tokio::join!(engine, admin_db), (Ok(Ok(())), Ok(())))
}

/// Takes back what was done and ends the job as failed.
async fn give_up(work: &Work, flow: &Flow, (failed, why): (usize, &str)) {
    // Noted first: a run that takes over from here goes on taking back, with this reason.
    set_step(work, number(failed), StepStatus::Failed, Some(why)).await;
    if undo(work, flow, (failed, why)).await {
        let step = flow.steps.get(failed).map_or("", |s| s.name);
        end(&work.app, &work.job, &work.lease, Ending::Failed(step, why)).await;
    }
}

async fn steps_before(work: &Work) -> Result<Vec<jobs::Step>, sqlx::Error> {
    let mut db = work.app.db.acquire().await?;
    jobs::steps(&mut db, work.job.id).await
}

/// A step's status is for people to read; the job goes on where it can't be written, and does that step again after a
/// crash. Nothing is written of a job that is somebody else's by now.
async fn set_step(work: &Work, seq: i16, status: StepStatus, detail: Option<&str>) {
    let done = async {
        let mut db = work.app.db.acquire().await?;
        jobs::set_step(&mut db, work.job.id, &work.lease, seq, status, detail).await
    };
    if let Err(e) = done.await {
        tracing::debug!(job = %work.job.id, "A step's status could not be written: {e}");
    }
}

/// Notes that a step begins, unless the job was cancelled: then by whom. As with [`set_step`], the job goes on where that
/// can't be written.
async fn begin_step(work: &Work, seq: i16) -> Option<String> {
    let done = async {
        let mut tx = work.app.db.begin().await?;
        let by = cancel::begin_step(&mut tx, (work.job.id, &work.lease), seq).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(by)
    };
    match done.await {
        Ok(by) => by,
        Err(e) => {
            tracing::debug!(job = %work.job.id, "A step's beginning could not be written: {e}");
            None
        }
    }
}

/// Takes back the failed step and those before it, the last one first. An undo that fails is shown and logged, and
/// the others go on. `false`: what it needs is away, and it will be tried again.
async fn undo(work: &Work, flow: &Flow, (failed, why): (usize, &str)) -> bool {
    for (i, step) in flow.steps.iter().enumerate().take(failed + 1).rev() {
        let Some(undo) = step.undo else { continue };
        match undo(work).await {
            Ok(()) if i == failed => {}
            Ok(()) => set_step(work, number(i), StepStatus::Undone, None).await,
            Err(e) if e.may_pass() && wait_for_it(work, why).await => {
                tracing::warn!(job = %work.job.id, step = step.name, "A step will be taken back later: {e}");
                return false;
            }
            Err(e) => {
                tracing::error!(job = %work.job.id, step = step.name, "A step could not be taken back: {e}");
                let first = if i == failed { format!("{why}\n") } else { String::new() };
                set_step(work, number(i), StepStatus::Failed, Some(&format!("{first}Could not be taken back: {e}")))
                    .await;
            }
        }
    }
    true
}
