//! Starts, stops and restarts databases, and applies new limits.

use sqlx::PgConnection;

use super::pinning::rebalance;
use super::{container, server};
use crate::admin_db::containers;
use crate::admin_db::containers::states;
use crate::admin_db::containers::states::TransitionError;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, JobRules, Pool};
use crate::domain::state::Event;
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Resume, Step};
use crate::queue::step_error::StepError;

/// Stops the server.
pub(crate) const STOP_SERVER: Step = Step::new("Stop the server", |w| Box::pin(container::stop(w)));
/// Starts the server.
pub(crate) const START_SERVER: Step =
    Step::new("Start the server", |w| Box::pin(container::start(w))).undo(STOP_SERVER.run);
/// Waits until the server responds.
pub(crate) const WAIT_FOR_SERVER: Step =
    Step::new("Wait until the server responds", |w| Box::pin(wait(w))).resume(Resume::Running);
/// Records that the server is running.
pub(crate) const RECORD_RUNNING: Step = Step::new("Record the state", |w| Box::pin(up(w))).resume(Resume::Running);

/// Starts a database. If its container was removed, it is created again from the row.
pub static START: Flow = Flow {
    kind: JobKind::Start,
    title: "Start database",
    rules: JobRules::of(Pool::Short),
    steps: &[
        Step::new("Find or create the container", |w| Box::pin(make(w))),
        START_SERVER,
        WAIT_FOR_SERVER,
        RECORD_RUNNING,
    ],
};

/// Stops a database.
pub static STOP: Flow = Flow {
    kind: JobKind::Stop,
    title: "Stop database",
    rules: JobRules::of(Pool::Short).blame(Blame::IfDeleting),
    steps: &[STOP_SERVER, Step::new("Record the state", |w| Box::pin(down(w)))],
};

/// Restarts a database.
pub static RESTART: Flow = Flow {
    kind: JobKind::Restart,
    title: "Restart database",
    rules: JobRules::of(Pool::Short),
    steps: &[STOP_SERVER, START_SERVER, WAIT_FOR_SERVER, RECORD_RUNNING],
};

/// Applies new memory and CPU limits. The container is created again, because the server derives its own settings from
/// the limit when it starts.
pub static RESIZE: Flow = Flow {
    kind: JobKind::Resize,
    title: "Change limits",
    rules: JobRules::of(Pool::Short),
    steps: &[
        STOP_SERVER,
        Step::new("Recreate the container", |w| Box::pin(make_anew(w))),
        START_SERVER,
        WAIT_FOR_SERVER,
        RECORD_RUNNING,
    ],
};

pub(crate) async fn make(w: &StepContext) -> Result<(), StepError> {
    container::ensure(w).await.map(|_| ())
}

async fn make_anew(w: &StepContext) -> Result<(), StepError> {
    container::remove(w).await?;
    make(w).await
}

pub(crate) async fn wait(w: &StepContext) -> Result<(), StepError> {
    server::wait_ready(w, w.app.config.databases.start_timeout).await.map(|_| ())
}

/// Records the facts reported by the running server, together with its state in one transaction: whatever is recorded
/// as started is running.
pub(crate) async fn up(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let c = w.container().await?;
    let (found, version) = server::running(w, &c, app.config.databases.start_timeout).await?;
    let inspect = app.runtime.inspect_json(&found.id).await?;
    let started = found.started_at.unwrap_or_else(|| app.clock.now());
    let blueprint = w.blueprint().await?;
    let size = app.files.usage(&blueprint.dir, &blueprint.reference).await;
    let mut tx = app.db.begin().await?;
    apply_in(w, &mut tx, Event::Up).await?;
    containers::record::set_running(&mut tx, c.id, &version, started, &inspect).await?;
    // Shows a size on the page from the beginning; the measuring job updates it later.
    if let Ok(bytes) = size {
        containers::record::set_size(&mut tx, c.id, bytes, app.clock.now()).await?;
    }
    Ok(tx.commit().await?)
}

async fn down(w: &StepContext) -> Result<(), StepError> {
    apply(w, Event::Down).await?;
    rebalance::released(&w.app).await;
    Ok(())
}

/// Applies an event to the job's container, on behalf of the person who requested the job.
pub(super) async fn apply(w: &StepContext, event: Event) -> Result<(), StepError> {
    let mut tx = w.app.db.begin().await?;
    apply_in(w, &mut tx, event).await?;
    Ok(tx.commit().await?)
}

async fn apply_in(w: &StepContext, tx: &mut PgConnection, event: Event) -> Result<(), StepError> {
    match states::apply(tx, w.container_id()?, event, &w.job.created_by, w.app.clock.now(), None).await {
        Ok(_) => {
            w.changed();
            Ok(())
        }
        Err(TransitionError::Db(e)) => Err(e.into()),
        Err(e) => Err(StepError::Fail(format!("This is not possible while {e}."))),
    }
}
