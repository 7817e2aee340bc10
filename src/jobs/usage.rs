//! Measures the disk space used by databases and tiers. Never runs within a request.

use std::collections::BTreeMap;

use crate::admin_db::containers::usage;
use crate::admin_db::containers::usage::TierUsage;
use crate::admin_db::{containers, dumps};
use crate::app::App;
use crate::import::staging;
use crate::storage::{DataDir, capacity, unavailable_reason};
use crate::tasks;

/// Measures everything once.
///
/// # Errors
/// If mydb_admin cannot be queried. A directory that cannot be measured keeps its last size.
pub async fn measure(app: &App) -> anyhow::Result<serde_json::Value> {
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    drop(db);
    let mut used: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for c in &rows {
        let Some(tier) = app.config.tier(&c.storage) else { continue };
        let dir = DataDir::new(tier, &app.config.instance, c.id);
        let bytes = match app.files.usage(&dir, &app.config.image_reference(&c.image)).await {
            Ok(bytes) => {
                let mut db = app.db.acquire().await?;
                containers::set_size(&mut db, c.id, bytes, app.clock.now()).await?;
                bytes
            }
            Err(e) => {
                tracing::warn!(container.name = c.name, "Could not measure the database `{}`: {e}", c.name);
                c.size_bytes.unwrap_or_default()
            }
        };
        let sum = used.entry(tier.name.as_str()).or_default();
        *sum = (sum.0.saturating_add(bytes), sum.1 + 1);
    }
    for tier in &app.config.storage {
        if unavailable_reason(tier).is_some() {
            continue;
        }
        let path = tier.path.clone();
        let Ok(Ok(has)) = tasks::blocking(move || capacity(&path)).await else { continue };
        let (used_bytes, databases) = used.get(tier.name.as_str()).copied().unwrap_or_default();
        let row = TierUsage {
            tier: tier.name.clone(),
            used_bytes,
            free_bytes: has.free,
            total_bytes: has.total,
            databases,
            file_system: has.file_system,
            reflink: has.reflink,
            measured_at: app.clock.now(),
        };
        let mut db = app.db.acquire().await?;
        usage::set(&mut db, &row).await?;
    }
    let mut db = app.db.acquire().await?;
    let now = app.clock.now();
    let (failed, asked) = (now - app.config.backups.upload_keep, now - staging::ABANDONED);
    dumps::forget_asked(&mut db, asked).await?;
    let waiting = dumps::waiting(&mut db, failed, asked).await?;
    drop(db);
    staging::sweep(&app.config, &waiting);
    Ok(serde_json::json!({ "databases": rows.len(), "tiers": app.config.storage.len() }))
}
