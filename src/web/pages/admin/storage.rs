//! `/admin/storage`: the tiers with their configuration and last measurement.

use axum::response::Response;
use sqlx::PgConnection;

use crate::admin_db::containers::usage;
use crate::admin_db::containers::usage::TierUsage;
use crate::config::Tier;
use crate::domain::quantity::ByteSize;
use crate::storage::unavailable_reason;
use crate::tasks;
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::views::Size;
use crate::web::views::admin::{StoragePage, TierRow};

/// A tier with its last measurement.
pub(crate) struct TierState {
    /// Its name.
    pub name: String,
    /// Display name.
    pub label: String,
    /// Its directory.
    pub path: String,
    /// Allowed users and engines.
    pub allowed: String,
    /// Maximum total size of its databases in bytes.
    pub limit: Option<i64>,
    /// The last measurement.
    pub usage: Option<TierUsage>,
    /// Why it is unavailable.
    pub unavailable: Option<String>,
}

impl TierState {
    /// Usage in percent that needs attention; the same as in the meter of the page.
    pub const NEARLY_FULL: u8 = 80;
    /// Usage in percent that needs attention urgently.
    pub const FULL: u8 = 92;

    fn used(&self) -> i64 {
        self.usage.as_ref().map_or(0, |u| u.total_bytes.saturating_sub(u.free_bytes)).max(0)
    }

    /// Used space of its file system in percent, 0 to 100.
    pub fn used_percent(&self) -> u8 {
        let total = self.usage.as_ref().map_or(0, |u| u.total_bytes);
        if total <= 0 {
            return 0;
        }
        u8::try_from(i128::from(self.used()) * 100 / i128::from(total)).map_or(100, |p| p.min(100))
    }
}

/// The tiers in the order of the configuration.
pub(crate) async fn tiers(ctx: &Context, db: &mut PgConnection) -> Result<Vec<TierState>, AppError> {
    let measured = usage::list(db).await?;
    let configured = ctx.app().config.storage.clone();
    // Off the async threads: a hanging network directory would block one of them.
    let looked = tasks::blocking(move || {
        configured.into_iter().map(|tier| (unavailable_reason(&tier), tier)).collect::<Vec<_>>()
    });
    let looked = looked.await.map_err(anyhow::Error::from)?;
    let states = looked.into_iter().map(|(unavailable, tier)| TierState {
        allowed: allowed(&tier),
        limit: tier.limit_bytes(),
        usage: measured.iter().find(|u| u.tier == tier.name).cloned(),
        path: tier.path.display().to_string(),
        label: if tier.label.is_empty() { tier.name.clone() } else { tier.label },
        name: tier.name,
        unavailable,
    });
    Ok(states.collect())
}

/// Allowed users and engines of a tier, in words.
fn allowed(tier: &Tier) -> String {
    let named: Vec<_> = tier.users.iter().map(String::as_str).filter(|u| *u != "admins").collect();
    let mut text = match (tier.users.is_empty(), named.is_empty()) {
        (true, _) => "everyone".to_owned(),
        (false, true) => "administrators".to_owned(),
        (false, false) => format!("{} and administrators", named.join(", ")),
    };
    if !tier.engines.is_empty() {
        text = format!("{text}; {} only", tier.engines.join(", "));
    }
    match tier.limit_bytes() {
        Some(limit) => format!("{text}; limit {}", ByteSize(limit)),
        None => text,
    }
}

/// `GET /admin/storage`
pub async fn storage(ctx: Context) -> Result<Response, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let tiers = tiers(&ctx, &mut db).await?;
    drop(db);
    let size = |bytes: i64| Size::new(u64::try_from(bytes).unwrap_or(0));
    let row = |t: TierState| TierRow {
        file_system: t.usage.as_ref().map_or_else(|| "not measured yet".to_owned(), |u| u.file_system.clone()),
        copies: t.usage.as_ref().map_or("not tried yet", |u| u.copies.in_words()),
        used: size(t.used()),
        free: size(t.usage.as_ref().map_or(0, |u| u.free_bytes)),
        total: size(t.usage.as_ref().map_or(0, |u| u.total_bytes)),
        used_percent: t.used_percent(),
        databases: t.usage.as_ref().map_or(0, |u| u64::try_from(u.databases).unwrap_or(0)),
        databases_size: t.usage.as_ref().map(|u| size(u.used_bytes)),
        name: t.name,
        label: t.label,
        path: t.path,
        allowed: t.allowed,
        unavailable: t.unavailable,
    };
    page(&StoragePage { frame: ctx.frame("admin-storage"), tiers: tiers.into_iter().map(row).collect() })
}

#[cfg(test)]
mod tests {
    use crate::domain::copy_method::CopyMethod;
    use crate::web::pages::admin::storage::*;

    fn tier(users: &[&str], engines: &[&str], limit: Option<&str>) -> Tier {
        let own = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect();
        Tier {
            name: "fast".to_owned(),
            path: "/srv/fast".into(),
            label: String::new(),
            users: own(users),
            engines: own(engines),
            limit: limit.map(str::to_owned),
            seen: None,
        }
    }

    #[test]
    fn access_to_a_tier_is_described_in_words() {
        assert_eq!(allowed(&tier(&[], &[], None)), "everyone");
        assert_eq!(allowed(&tier(&["admins"], &["postgres"], None)), "administrators; postgres only");
        assert_eq!(
            allowed(&tier(&["ada", "admins", "bo"], &[], Some("200g"))),
            "ada, bo and administrators; limit 200 GiB"
        );
    }

    #[test]
    fn the_used_percentage_stays_within_bounds() {
        let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let state = |free, total| TierState {
            name: String::new(),
            label: String::new(),
            path: String::new(),
            allowed: String::new(),
            limit: None,
            unavailable: None,
            usage: Some(TierUsage {
                tier: String::new(),
                shared_bytes: 0,
                used_bytes: 0,
                free_bytes: free,
                total_bytes: total,
                databases: 0,
                file_system: String::new(),
                copies: CopyMethod::Plain,
                measured_at: now,
            }),
        };
        for (free, total, percent) in [(0, 0, 0), (50, 100, 50), (0, 100, 100), (120, 100, 0), (0, i64::MAX, 100)] {
            assert!(state(free, total).used_percent().abs_diff(percent) <= 1, "{free} of {total}");
        }
    }
}
