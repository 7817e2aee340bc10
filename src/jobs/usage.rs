//! Measures the disk space used by databases and tiers. Never runs within a request.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use crate::admin_db::containers::usage::TierUsage;
use crate::admin_db::containers::{Container, snapshots, usage};
use crate::admin_db::templates::versions;
use crate::admin_db::templates::versions::VersionStatus;
use crate::admin_db::{containers, dumps};
use crate::app::App;
use crate::config::Tier;
use crate::import::files::scratch;
use crate::import::staging;
use crate::storage::error::StorageError;
use crate::storage::{DataDir, capacity, unavailable_reason};
use crate::tasks;

/// What the directories of a tier take on disk.
#[derive(Default)]
struct Sum {
    /// Number of databases.
    databases: i64,
    /// Bytes that are shared with no other directory.
    own: i64,
    /// Bytes that are shared, of all directories together.
    shared: i64,
    /// The largest shared size among databases that were cloned from each other, and their snapshots.
    families: HashMap<Uuid, i64>,
}

impl Sum {
    fn add(&mut self, family: Uuid, bytes: i64, shared: Option<i64>) {
        // The map of a file may include space after its end.
        let shared = shared.unwrap_or(0).clamp(0, bytes.max(0));
        self.own = self.own.saturating_add(bytes - shared);
        self.shared = self.shared.saturating_add(shared);
        let largest = self.families.entry(family).or_default();
        *largest = (*largest).max(shared);
    }

    /// Bytes on disk. Copies of a family mostly share the same blocks, so the largest share counts once.
    fn used(&self) -> i64 {
        self.own.saturating_add(self.families.values().sum())
    }
}

/// The database or template from which all databases cloned from each other come.
fn family(rows: &[Container], id: Uuid) -> Uuid {
    let mut first = id;
    // Clones of clones are rarely deep; the limit guards against a circle.
    for _ in 0..100 {
        match rows.iter().find(|c| c.id == first).and_then(|c| c.cloned_from) {
            Some(from) => first = from,
            None => break,
        }
    }
    // Databases from one template share most of their blocks with its versions.
    rows.iter().find(|c| c.id == first).and_then(|c| c.template_id).unwrap_or(first)
}

/// Measures everything once.
///
/// # Errors
/// If mydb_admin cannot be queried. A directory that cannot be measured keeps its last size.
pub async fn measure(app: &App) -> anyhow::Result<serde_json::Value> {
    // What is copied from now on may be missing in the result.
    let began = app.clock.now();
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    let copies = snapshots::all_copies(&mut db).await?;
    let versions = versions::existing(&mut db).await?;
    drop(db);
    let mut capacities = HashMap::new();
    for tier in app.config.storage.iter().filter(|tier| unavailable_reason(tier).is_none()) {
        let path = tier.path.clone();
        if let Ok(Ok(has)) = tasks::blocking(move || capacity(&path)).await {
            capacities.insert(tier.name.as_str(), has);
        }
    }
    let can_share = |tier: &Tier| capacities.get(tier.name.as_str()).is_some_and(|has| has.copies.shares_blocks());
    let mut used: BTreeMap<&str, Sum> = BTreeMap::new();
    for c in &rows {
        let Some(tier) = app.config.tier(&c.storage) else { continue };
        let dir = DataDir::new(tier, &app.config.instance, c.id);
        let (bytes, shared) = match size(app, &dir, &c.image, can_share(tier)).await {
            Ok((bytes, shared)) => {
                let mut db = app.db.acquire().await?;
                containers::record::set_size(&mut db, c.id, bytes, app.clock.now()).await?;
                containers::record::set_shared(&mut db, c.id, shared).await?;
                (bytes, shared)
            }
            Err(e) => {
                tracing::warn!(container.name = c.name, "Could not measure the database `{}`: {e}", c.name);
                (c.size_bytes.unwrap_or_default(), c.shared_bytes)
            }
        };
        let sum = used.entry(tier.name.as_str()).or_default();
        sum.databases += 1;
        sum.add(family(&rows, c.id), bytes, shared);
    }
    for copy in &copies {
        let Some(tier) = rows.iter().find(|c| c.id == copy.container_id).and_then(|c| app.config.tier(&c.storage))
        else {
            continue;
        };
        let dir = DataDir::new(tier, &app.config.instance, copy.id);
        let Ok((bytes, shared)) = size(app, &dir, &copy.image, can_share(tier)).await else { continue };
        let mut db = app.db.acquire().await?;
        containers::copies::set_size(&mut db, copy.id, bytes, shared).await?;
        drop(db);
        let sum = used.entry(tier.name.as_str()).or_default();
        sum.add(family(&rows, copy.container_id), bytes, shared);
    }
    for version in versions.iter().filter(|version| version.is_usable()) {
        let Some(tier) = app.config.tier(&version.storage) else { continue };
        let dir = DataDir::new(tier, &app.config.instance, version.id);
        let Ok((bytes, shared)) = size(app, &dir, &version.image, can_share(tier)).await else { continue };
        used.entry(tier.name.as_str()).or_default().add(version.template_id, bytes, shared);
    }
    for (tier, has) in capacities {
        let sum = used.remove(tier).unwrap_or_default();
        let row = TierUsage {
            tier: tier.to_owned(),
            used_bytes: sum.used(),
            shared_bytes: sum.shared - sum.families.values().sum::<i64>(),
            free_bytes: has.free,
            total_bytes: has.total,
            databases: sum.databases,
            file_system: has.file_system,
            copies: has.copies,
            measured_at: began,
        };
        let mut db = app.db.acquire().await?;
        usage::set(&mut db, &row).await?;
    }
    let mut db = app.db.acquire().await?;
    let now = app.clock.now();
    let (failed, asked) = (now - app.config.backups.upload_keep, now - staging::ABANDONED);
    dumps::forget_asked(&mut db, asked).await?;
    let mut waiting = dumps::waiting(&mut db, failed, asked).await?;
    let importing = versions::existing(&mut db).await?.into_iter();
    let importing = importing.filter(|v| v.status() == VersionStatus::Importing).map(|v| v.id);
    drop(db);
    staging::sweep(&app.config, &waiting);
    waiting.extend(importing);
    scratch::sweep(&app.config, &waiting, staging::ABANDONED);
    Ok(serde_json::json!({ "databases": rows.len(), "tiers": app.config.storage.len() }))
}

/// Bytes of a directory, and how many of them are shared, on a tier that can share blocks.
async fn size(app: &App, dir: &DataDir, image: &str, can_share: bool) -> Result<(i64, Option<i64>), StorageError> {
    let bytes = app.files.usage(dir, &app.config.image_reference(image)).await?;
    let shared = if can_share { app.files.shared(dir).await? } else { None };
    Ok((bytes, shared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_shared_within_a_family_count_once() {
        let mut sum = Sum::default();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for (family, bytes, shared) in [(one, 100, Some(90)), (one, 95, Some(85)), (other, 50, None)] {
            sum.add(family, bytes, shared);
        }
        // 10 + 10 + 50 of their own, and 90 once.
        assert_eq!(sum.used(), 160);
        // More than the whole cannot be shared.
        sum.add(other, 5, Some(4096));
        assert_eq!(sum.used(), 165);
    }
}
