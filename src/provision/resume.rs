//! Resuming a job after its portal was killed.

use crate::provision::{container, initial_data, server};
use crate::queue::context::StepContext;
use crate::queue::flow::Resume;
use crate::queue::step_error::StepError;

/// Restores what a step needs when a job resumes there: the machine, and with it the server, may have been down meanwhile.
pub async fn prepare(w: &StepContext, needs: Resume) -> Result<(), StepError> {
    if needs == Resume::Nothing {
        return Ok(());
    }
    initial_data::complete(w, matches!(needs, Resume::Initialised | Resume::Starting)).await?;
    if matches!(needs, Resume::Starting | Resume::Running | Resume::Answering) {
        container::start(w).await?;
    }
    if needs == Resume::Answering {
        server::wait_ready(w, w.app.config.databases.start_timeout).await?;
    }
    Ok(())
}
