//! Removes versions of templates that are no longer needed.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin_db::templates::versions;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::app::App;
use crate::provision::sealed_server;
use crate::queue::step_error::StepError;
use crate::storage::DataDir;

/// Removes versions of deleted templates, and older versions beyond the configured number.
pub async fn remove_unneeded(app: &App) -> anyhow::Result<Value> {
    let mut db = app.db.acquire().await?;
    let due = versions::unneeded(&mut db, app.config.templates.keep).await?;
    drop(db);
    let mut removed = 0;
    for id in due {
        match remove(app, id).await {
            Ok(()) => removed += 1,
            Err(e) => tracing::warn!(version = %id, "Could not remove a version of a template: {e}"),
        }
    }
    Ok(json!({ "removed": removed }))
}

/// Removes one of them. Its row is locked meanwhile, so that nothing can be copied from it.
async fn remove(app: &App, id: Uuid) -> Result<(), StepError> {
    let mut tx = app.db.begin().await?;
    if !versions::lock_for_removal(&mut tx, id).await? {
        return Ok(());
    }
    let Some(v) = versions::by_id(&mut tx, id).await? else { return Ok(()) };
    remove_data(app, &v).await?;
    versions::set_removed(&mut tx, id, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Removes the server that imports a version, and its directory; either may already be gone.
pub(super) async fn remove_data(app: &App, v: &TemplateVersion) -> Result<(), StepError> {
    app.runtime.remove(&sealed_server::name(app, v.id)).await?;
    let dir = DataDir::new(app.tier(&v.storage)?, &app.config.instance, v.id);
    Ok(app.files.remove(&dir, &app.config.image_reference(&v.image)).await?)
}
