//! The limit of a storage tier for everything that the portal keeps on it.

use chrono::DateTime;

use crate::admin_db::containers::usage;
use crate::app::App;
use crate::config::Tier;
use crate::domain::quantity::ByteSize;
use crate::queue::step_error::StepError;

/// Fails if the databases and copies on a tier reach its limit, or would exceed it with `more` bytes. What has come since
/// the last measurement counts with the size that is known of it; where copies share blocks, they take nothing at first.
///
/// # Errors
/// [`StepError::Fail`] with the sizes, followed by `advice`.
pub(crate) async fn check(app: &App, tier: &Tier, more: i64, advice: &str) -> Result<(), StepError> {
    let Some(limit) = tier.limit_bytes() else { return Ok(()) };
    let mut db = app.db.acquire().await?;
    let measured = usage::list(&mut db).await?.into_iter().find(|u| u.tier == tier.name);
    let since = measured.as_ref().map_or(DateTime::UNIX_EPOCH, |u| u.measured_at);
    let added = match measured.as_ref().is_some_and(|u| u.copies.shares_blocks()) {
        true => 0,
        false => usage::added_since(&mut db, &tier.name, since).await?,
    };
    let used = measured.map_or(0, |u| u.used_bytes).saturating_add(added);
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
