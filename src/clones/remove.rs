//! Removes snapshots that are no longer needed.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::{copies, snapshots};
use crate::app::App;
use crate::backup::restore::undo;
use crate::queue::step_error::StepError;

/// Removes the snapshots that have expired and that no clone can be reset to.
pub async fn remove_unneeded(app: &App) -> anyhow::Result<Value> {
    let mut db = app.db.acquire().await?;
    let due = copies::unneeded(&mut db, app.clock.now()).await?;
    drop(db);
    let mut removed = 0;
    for id in due {
        match remove(app, id).await {
            Ok(()) => removed += 1,
            Err(e) => tracing::warn!(snapshot = %id, "Could not remove a snapshot: {e}"),
        }
    }
    Ok(json!({ "removed": removed }))
}

/// Removes one of them. Its row is locked meanwhile, so that no clone can be made from it.
async fn remove(app: &App, id: Uuid) -> Result<(), StepError> {
    let mut tx = app.db.begin().await?;
    if !copies::is_unneeded(&mut tx, id).await? {
        return Ok(());
    }
    let Some(snapshot) = snapshots::by_id(&mut tx, id).await? else { return Ok(()) };
    let Some(c) = containers::by_id(&mut tx, snapshot.container_id).await? else { return Ok(()) };
    undo::remove_directory(app, &c, &snapshot).await?;
    snapshots::set_removed(&mut tx, id, app.clock.now()).await?;
    Ok(tx.commit().await?)
}
