//! Jobs about all backups rather than one database: one of each kind at a time.

use uuid::Uuid;

use crate::admin_db::backups::open_uploads;
use crate::admin_db::constraint;
use crate::admin_db::jobs::{self, NewJob};
use crate::admin_db::log::{self, Actor, Entry, Outcome};
use crate::app::App;
use crate::backup::retention::prune;
use crate::provision::request::RequestError;
use crate::queue::flow::Flow;

/// Enqueues one.
///
/// # Errors
/// [`RequestError::Busy`] if one of this kind is under way, or the database's.
pub async fn enqueue(app: &App, flow: &'static Flow, actor: &Actor) -> Result<Uuid, RequestError> {
    let now = app.clock.now();
    let names = flow.names();
    let payload = serde_json::json!({ "request_id": actor.request_id, "address": actor.address });
    let new = NewJob { kind: flow.kind, container: None, payload, by: &actor.name, steps: &names };
    let mut tx = app.db.begin().await?;
    let job = jobs::enqueue(&mut tx, &new, now).await.map_err(|e| match constraint(&e) {
        Some("job_one_of_portal") => RequestError::Busy,
        _ => e.into(),
    })?;
    let action = format!("portal.{}", flow.kind);
    let entry = Entry { action: &action, container: None, outcome: Outcome::Ok, detail: "requested" };
    log::append(&mut tx, actor, &entry, now).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Enqueues the removal of what the policy does not keep, if there is anything; answers how many go.
///
/// # Errors
/// The database's.
pub async fn prune_if_due(app: &App, actor: &Actor) -> Result<usize, RequestError> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let due = prune::due(&mut db, &app.config, now).await?.len()
        + prune::unfinished(&mut db, now).await?.len()
        + open_uploads::left(&mut db).await?.len();
    drop(db);
    if due > 0 {
        match enqueue(app, &prune::PRUNE, actor).await {
            Ok(_) | Err(RequestError::Busy) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(due)
}
