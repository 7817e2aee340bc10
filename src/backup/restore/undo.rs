//! Switches back to the previous data by swapping it with the current data again. Also removes previous data that
//! has been kept long enough.

use chrono::Duration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{Container, snapshots, states};
use crate::admin_db::log::Actor;
use crate::admin_db::notices;
use crate::app::App;
use crate::backup::restore::swap;
use crate::backup::restore::swap::KEPT_DAYS;
use crate::blueprint::Blueprint;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, JobRules, Pool};
use crate::domain::state::ContainerState;
use crate::provision::power;
use crate::queue::cancel_backup::over_backup;
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::{Flow, Resume, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// Switches to the previous data.
pub static GO_BACK: Flow = Flow {
    kind: JobKind::GoBack,
    title: "Switch to previous data",
    rules: JobRules::of(Pool::Short).blame(Blame::Nobody),
    steps: &[
        swap::STOP,
        swap::EXCHANGE,
        // The names describe the change that is rolled back.
        Step::new("Find or create the container", |w| Box::pin(swap::change_image_back(w)))
            .undo(|w| Box::pin(swap::change_image(w))),
        power::START_SERVER,
        power::WAIT_FOR_SERVER,
        Step::new("Keep the replaced data for undo", |w| Box::pin(done(w))).resume(Resume::Running),
    ],
};

async fn done(w: &StepContext) -> Result<(), StepError> {
    power::up(w).await?;
    let (c, snapshot) = (w.container().await?, swap::row(w).await?);
    let now = w.app.clock.now();
    let mut tx = w.app.db.begin().await?;
    if let Some(since) = snapshot.made_at {
        notices::gone_back(&mut tx, c.id, since, now).await?;
    }
    snapshots::set_undone(&mut tx, snapshot.id, &c.image, now, now + Duration::days(KEPT_DAYS)).await?;
    Ok(tx.commit().await?)
}

/// Enqueues the switch to the data of `snapshot`.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn go_back(app: &App, c: &Container, snapshot: &Snapshot, actor: &Actor) -> Result<Uuid, RequestError> {
    over_backup(app, &[c], actor, || go_back_once(app, c, snapshot, actor)).await
}

async fn go_back_once(app: &App, c: &Container, snapshot: &Snapshot, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    match states::lock(&mut tx, c.id).await?.ok_or(RequestError::Gone)? {
        ContainerState::Running | ContainerState::Stopped | ContainerState::Failed => {}
        state => return Err(RequestError::State(state)),
    }
    let job = enqueue(app, &mut tx, &GO_BACK, (c.id, &c.name), actor, &format!("to {}", snapshot.id)).await?;
    snapshots::set_job(&mut tx, snapshot.id, job).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

/// Removes previous data that has been kept long enough.
pub async fn remove_expired(app: &App) -> anyhow::Result<Value> {
    let mut db = app.db.acquire().await?;
    let due = snapshots::expired(&mut db, app.clock.now()).await?;
    let mut removed = 0;
    for snapshot in due {
        let Some(c) = containers::by_id(&mut db, snapshot.container_id).await? else { continue };
        match remove(app, &c, &snapshot).await {
            Ok(()) => removed += 1,
            Err(e) => tracing::warn!(container.name = c.name, "Could not remove its previous data: {e:?}"),
        }
    }
    Ok(json!({ "removed": removed }))
}

/// Removes the directory of one snapshot, and records that.
pub(crate) async fn remove(app: &App, c: &Container, snapshot: &Snapshot) -> Result<(), StepError> {
    remove_directory(app, c, snapshot).await?;
    let mut db = app.db.acquire().await?;
    Ok(snapshots::set_removed(&mut db, snapshot.id, app.clock.now()).await?)
}

/// Removes the directory of one snapshot.
pub(crate) async fn remove_directory(app: &App, c: &Container, snapshot: &Snapshot) -> Result<(), StepError> {
    let reference = match Blueprint::read(app, c).await {
        Ok(b) => b.reference,
        // Its tier or image is no longer configured. The name is only used for a helper container.
        Err(_) => app.config.image_reference(&snapshot.image),
    };
    Ok(app.files.remove(&swap::dir(app, c, snapshot.id)?, &reference).await?)
}
