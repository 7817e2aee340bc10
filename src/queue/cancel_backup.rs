//! A running backup yields to any other action on its database: it is cancelled and cleaned up, and a scheduled one is
//! repeated later.

use std::time::{Duration, Instant};

use crate::admin_db::containers::Container;
use crate::admin_db::jobs;
use crate::admin_db::jobs::cancel;
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::job_rules::Cancel;
use crate::queue::refusal::RequestError;

/// Longest wait for the backup to end. A worker notices the cancellation within a second.
const LONGEST: Duration = Duration::from_secs(20);
/// Time between two checks.
const LOOK: Duration = Duration::from_millis(100);

/// Cancels a running backup of this database and waits until it has been cleaned up.
///
/// # Errors
/// [`RequestError::Busy`] if it does not end in time.
pub(crate) async fn end_backup(app: &App, c: &Container, actor: &Actor) -> Result<(), RequestError> {
    let Some(job) = c.active_job_id.filter(|_| c.active_job.is_some() && !c.is_busy()) else { return Ok(()) };
    let mut tx = app.db.begin().await?;
    // If it has ended in the meantime, only its last writes remain to be awaited.
    cancel::ask(&mut tx, job, &actor.name, Cancel::WhileBackingUp).await?;
    tx.commit().await?;
    app.cancels.notify_one();
    let begin = Instant::now();
    while begin.elapsed() < LONGEST {
        let mut db = app.db.acquire().await?;
        if jobs::by_id(&mut db, job).await?.is_none_or(|job| job.status.is_final()) {
            return Ok(());
        }
        drop(db);
        tokio::time::sleep(LOOK).await;
    }
    Err(RequestError::Busy)
}
