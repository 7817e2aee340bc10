//! A running backup yields to any other action on its database: it is cancelled and cleaned up, and a scheduled one is
//! repeated later. It does not yield to a request that would be refused anyway.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs::cancel;
use crate::admin_db::log::Actor;
use crate::admin_db::{containers, jobs};
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::Cancel;
use crate::queue::refusal::RequestError;

/// Longest wait for the backup to end. A worker notices the cancellation within a second.
const LONGEST: Duration = Duration::from_secs(20);
/// Time between two checks.
const LOOK: Duration = Duration::from_millis(100);

/// Makes a request of these databases, which writes its rows in one transaction. If only running backups refuse it, they
/// are cancelled and the request made again: what else refuses a request leaves them running, provided that `request`
/// checks it before it finds a database busy.
///
/// # Errors
/// Those of `request`; [`RequestError::Busy`] if the backup does not end in time.
pub(crate) async fn over_backup<T, F: Future<Output = Result<T, RequestError>>>(
    app: &App,
    of: &[&Container],
    actor: &Actor,
    request: impl Fn() -> F,
) -> Result<T, RequestError> {
    let refused = match request().await {
        Err(e @ RequestError::Busy) => e,
        done => return done,
    };
    let mut db = app.db.acquire().await?;
    let mut backups = Vec::new();
    for c in of {
        // It may have begun after the caller read the row.
        match containers::by_id(&mut db, c.id).await? {
            Some(now) if now.is_busy() => return Err(refused),
            Some(now) => backups.extend(now.active_job_id.filter(|_| now.active_kind() == Some(JobKind::Backup))),
            None => {}
        }
    }
    drop(db);
    if backups.is_empty() {
        return Err(refused);
    }
    for backup in backups {
        end(app, backup, actor).await?;
    }
    request().await
}

/// Cancels a backup and waits until it has been cleaned up.
async fn end(app: &App, job: Uuid, actor: &Actor) -> Result<(), RequestError> {
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
