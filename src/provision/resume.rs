//! Jobs that go on where a portal was killed.

use crate::provision::{container, seed, server};
use crate::queue::context::StepContext;
use crate::queue::flow::Resume;
use crate::queue::step_error::StepError;

/// Sees to what a step needs in a run that goes on where another was cut short, because the machine may have been down
/// meanwhile, and the server with it.
///
/// # Errors
/// If the data can't be made again, or the server does not start or answer.
pub async fn prepare(w: &StepContext, needs: Resume) -> Result<(), StepError> {
    if needs >= Resume::Copy {
        seed::copy_again(w).await?;
    }
    if needs >= Resume::Data {
        seed::initialise_again(w).await?;
    }
    if needs >= Resume::Running {
        container::start(w).await?;
    }
    if needs >= Resume::Answering {
        server::wait_ready(w, w.app.config.databases.start_timeout).await?;
    }
    Ok(())
}
