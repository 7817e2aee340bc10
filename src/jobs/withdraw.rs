//! Ends jobs that were cancelled before a worker leased them. This happens at once and outside the workers, which may
//! all be busy for hours.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::admin_db::jobs::cancel as job_cancel;
use crate::app::App;
use crate::jobs::lease::{POLL, lose_lease, new_lease};
use crate::jobs::undo_steps::take_back;
use crate::queue::context::job_span;

/// Withdraws such jobs until `stop`. If one is interrupted, a worker continues after its lease has expired.
pub(super) async fn run(app: &Arc<App>, stop: &CancellationToken) {
    let mut tasks = JoinSet::new();
    while !stop.is_cancelled() {
        while tasks.try_join_next().is_some() {}
        let lease = new_lease(app);
        let taken = async {
            let mut db = app.db.acquire().await?;
            job_cancel::take_queued(&mut db, &lease, app.config.jobs.lease).await
        };
        match taken.await {
            Ok(Some((job, by))) => {
                let (app, span) = (app.clone(), job_span(&job));
                let work = async move {
                    let id = job.id;
                    tokio::select! {
                        () = take_back(&app, job, &lease, &by) => {}
                        () = lose_lease(&app, id, &lease) => {}
                    }
                };
                tasks.spawn(work.instrument(span));
                continue;
            }
            Ok(None) => {}
            Err(e) => tracing::debug!("Could not read the job queue: {e}"),
        }
        tokio::select! {
            () = app.cancels.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stop.cancelled() => {}
        }
    }
}
