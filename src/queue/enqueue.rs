//! Enqueues a job and writes its log row in the transaction of the request.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::jobs::NewJob;
use crate::admin_db::jobs::payload::JobPayload;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{constraint, jobs, log};
use crate::app::App;
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

pub(crate) async fn enqueue(
    app: &App,
    tx: &mut PgConnection,
    flow: &'static Flow,
    container: (Uuid, &str),
    actor: &Actor,
    detail: &str,
) -> Result<Uuid, RequestError> {
    enqueue_with(app, tx, flow, container, actor, (detail, JobPayload::of(actor))).await
}

/// Like [`enqueue`], with a payload for the job.
pub(crate) async fn enqueue_with(
    app: &App,
    tx: &mut PgConnection,
    flow: &'static Flow,
    container: (Uuid, &str),
    actor: &Actor,
    (detail, payload): (&str, JobPayload),
) -> Result<Uuid, RequestError> {
    let now = app.clock.now();
    let names = flow.names();
    let new = jobs::NewJob {
        kind: flow.kind.as_str(),
        container: Some(container.0),
        payload,
        by: &actor.name,
        steps: &names,
    };
    let job = jobs::enqueue(&mut *tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("job_one_per_container") => RequestError::Busy,
        _ => e.into(),
    })?;
    let action = format!("container.{}", flow.kind);
    let entry = LogEntry { action: &action, container: Some(container), outcome: Outcome::Ok, detail };
    log::append(tx, actor, &entry, now).await?;
    Ok(job)
}

/// Enqueues a job of the portal itself.
///
/// # Errors
/// [`RequestError::Busy`] if a job of this kind is already running or waiting.
pub async fn enqueue_portal(app: &App, flow: &'static Flow, actor: &Actor) -> Result<Uuid, RequestError> {
    let now = app.clock.now();
    let names = flow.names();
    let payload = JobPayload::of(actor);
    let new = NewJob { kind: flow.kind.as_str(), container: None, payload, by: &actor.name, steps: &names };
    let mut tx = app.db.begin().await?;
    let job = jobs::enqueue(&mut tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("job_one_of_portal") => RequestError::Busy,
        _ => e.into(),
    })?;
    let action = format!("portal.{}", flow.kind);
    let entry = LogEntry { action: &action, container: None, outcome: Outcome::Ok, detail: "requested" };
    log::append(&mut tx, actor, &entry, now).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}
