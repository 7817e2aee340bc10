//! A backup gives way: whoever wants something else of a database does not wait until it is done. It is cancelled, leaves
//! nothing, and is made later.

use std::time::{Duration, Instant};

use crate::admin_db::containers::Container;
use crate::admin_db::jobs;
use crate::admin_db::jobs::cancel;
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::work::Cancel;
use crate::queue::refusal::RequestError;

/// How long whoever asks waits for its end. A worker sees within a second that it is to end.
const LONGEST: Duration = Duration::from_secs(20);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// Cancels a backup of this database that is under way, and waits until nothing of it is left.
///
/// # Errors
/// [`RequestError::Busy`] if it does not end in time.
pub(crate) async fn cancel_backup(app: &App, c: &Container, actor: &Actor) -> Result<(), RequestError> {
    let Some(job) = c.active_job_id.filter(|_| c.active_job.is_some() && !c.is_busy()) else { return Ok(()) };
    let mut tx = app.db.begin().await?;
    // Where it has ended meanwhile, there is nothing to wait for but its last lines.
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
