//! What happens when a worker dies: the lease on its job expires, and the next free worker takes the job over.
//!
//! A worker owns a job as long as the lease in the job's row is valid, by mydb_admin's clock. [`lose_lease`] extends it
//! four times during its length; a portal that crashes, hangs or is cut off from mydb_admin stops doing so.
//! `admin_db::jobs::queue::reserve` then gives the job to another worker, under a lease with another name, and
//! `workers.rs` continues with the first unfinished step. A worker that is only late notices here that it lost its lease
//! and stops; whatever it still tries to record names the old lease and is ignored. A job that was started too often
//! without ending is undone.

use std::time::{Duration, Instant};

use crate::admin_db::jobs;
use crate::app::App;
use crate::queue::context::StepContext;

/// Time between two checks of the queue if nothing wakes the workers, for example for jobs of other portals.
pub(crate) const POLL: Duration = Duration::from_secs(1);

/// Longest wait between two attempts.
pub(crate) const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// A new name for a lease. Every lease has its own name: a run that lost its lease must not be confused with the one that
/// took over, even in the same portal.
pub(super) fn new_lease(app: &App) -> String {
    format!("{}/{}", app.worker, hex::encode(app.random.bytes::<4>()))
}

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

/// Gives a job back to the queue; another worker may take it after `wait`. `uncounted` does not count the attempt.
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
