//! Undoes the steps of a job that failed permanently or was cancelled.

use std::sync::Arc;

use tracing::Instrument;

use crate::admin_db::jobs::{Job, StepStatus};
use crate::app::App;
use crate::jobs::ending::{JobEnd, end};
use crate::jobs::lease::wait_for_it;
use crate::jobs::registry;
use crate::jobs::step_status::{number, set_step};
use crate::queue::context::StepContext;
use crate::queue::flow::Flow;

/// Undoes the completed steps and ends the job as failed.
pub(super) async fn give_up(work: &StepContext, flow: &Flow, (failed, why): (usize, &str)) {
    // Recorded first, so that a run that takes over from here continues undoing, with the same reason.
    set_step(work, number(failed), StepStatus::Failed, Some(why)).await;
    if undo(work, flow, (failed, why)).await {
        let step = flow.steps.get(failed).map_or("", |s| s.name);
        end(&work.app, &work.job, &work.lease, JobEnd::Failed(step, why)).await;
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
