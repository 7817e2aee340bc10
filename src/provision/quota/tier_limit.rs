//! The limit of a storage tier for everything that the portal keeps on it.

use chrono::DateTime;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::usage;
use crate::app::App;
use crate::config::Tier;
use crate::domain::quantity::ByteSize;
use crate::queue::step_error::StepError;

/// Bytes of what the portal keeps on a tier. What was added since the last measurement counts with the size known
/// of it; copies that share blocks take no space at first.
pub(crate) async fn used(app: &App, tier: &Tier) -> Result<i64, sqlx::Error> {
    let mut db = app.db.acquire().await?;
    let measured = usage::list(&mut db).await?.into_iter().find(|u| u.tier == tier.name);
    let since = measured.as_ref().map_or(DateTime::UNIX_EPOCH, |u| u.measured_at);
    let copied = match measured.as_ref().is_some_and(|u| u.copies.shares_blocks()) {
        true => 0,
        false => usage::added_since(&mut db, &tier.name, since).await?,
    };
    // What was loaded from dumps shares its blocks with nothing.
    let imported = usage::imported_since(&mut db, &tier.name, since).await?;
    Ok(measured.map_or(0, |u| u.used_bytes).saturating_add(copied).saturating_add(imported))
}

/// The same without what is known of the data directory with this id.
pub(super) async fn used_by_others(app: &App, tier: &Tier, own: Uuid) -> Result<i64, sqlx::Error> {
    let all = used(app, tier).await?;
    let mut db = app.db.acquire().await?;
    let counted = containers::by_id(&mut db, own).await?.and_then(|c| c.size_bytes).unwrap_or(0);
    Ok(all.saturating_sub(counted).max(0))
}

/// Fails if the databases and copies on a tier reach its limit, or would exceed it with `more` bytes.
///
/// # Errors
/// [`StepError::Fail`] with the sizes, followed by `advice`.
pub(crate) async fn check(app: &App, tier: &Tier, more: i64, advice: &str) -> Result<(), StepError> {
    let Some(limit) = tier.limit_bytes() else { return Ok(()) };
    let used = used(app, tier).await?;
    if used < limit && used.saturating_add(more) <= limit {
        return Ok(());
    }
    let needed = if more > 0 { format!(", {} more are needed", ByteSize(more)) } else { String::new() };
    Err(StepError::Fail(format!(
        "The databases and snapshots on the storage tier “{}” use {}{needed}, and the limit is {}. {advice}",
        tier.label,
        ByteSize(used),
        ByteSize(limit)
    )))
}
