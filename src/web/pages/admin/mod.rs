//! `/admin`: items that need attention, then numbers, then lists.

pub mod admin_backups;
pub mod backup;
pub mod backups;
pub mod contents;
pub(crate) mod facts;
pub mod import;
pub mod lists;
pub mod people;
pub mod people_changes;
pub mod prune;
pub mod states;
pub mod storage;
pub mod system;
pub mod user;
pub mod user_deletion;

use axum::response::Response;
use chrono::{DateTime, Duration, Utc};

use crate::admin_db::backups::audits::AuditSummary;
use crate::admin_db::backups::findings::ListedFinding;
use crate::admin_db::backups::schedule::ScheduledWork;
use crate::admin_db::backups::{audits, findings, schedule};
use crate::admin_db::containers;
use crate::admin_db::containers::listing::ContainerQuery;
use crate::admin_db::containers::{Container, listing};
use crate::admin_db::jobs::{JobStatus, listing as job_list};
use crate::admin_db::notices::{Notice, of_admins};
use crate::admin_db::people::accounts;
use crate::app::App;
use crate::domain::audit::is_current;
use crate::domain::quantity::ByteSize;
use crate::domain::quantity::thousands;
use crate::domain::short_reason;
use crate::domain::state::ContainerState;
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::pages::admin::facts::{CERTIFICATE_WARNING, certificate, error_of};
use crate::web::pages::admin::states::{FindingText, words};
use crate::web::pages::admin::storage::{TierState, tiers};
use crate::web::pages::notices;
use crate::web::pages::shared::{collapsed, database_row, job_row};
use crate::web::urls;
use crate::web::views::admin::{AdminPage, Attention, Figure};
use crate::web::views::elements::format::{count_text, size_text};
use crate::web::views::{Link, Moment};

/// Maximum number of items of one kind under "Needs attention"; the rest are summarised.
const SHOWN: usize = 5;
/// Rows of each of the two lists.
const NEWEST: i64 = 8;

/// `GET /admin`
pub async fn overview(ctx: Context) -> Result<Response, AppError> {
    let (app, now) = (ctx.app(), ctx.now());
    let mut db = app.db.acquire().await?;
    let failed = containers::failed(&mut db, i64::try_from(SHOWN).unwrap_or(5)).await?;
    let differences = findings::listed(&mut db).await?;
    let periodic = schedule::list(&mut db).await?;
    let states = containers::counts(&mut db).await?;
    let job_counts = job_list::counts(&mut db).await?;
    let people = accounts::enabled(&mut db).await?;
    let newest = listing::list(&mut db, &ContainerQuery { limit: NEWEST, ..ContainerQuery::default() }).await?;
    let latest = job_list::list(&mut db, None, None, NEWEST).await?;
    let tiers = tiers(&ctx, &mut db).await?;
    let audited = audits::summary(&mut db).await?;
    let told = of_admins(&mut db).await?;
    drop(db);

    let mut attention = broken_work(&periodic, now);
    attention.extend(told_backups(&told, now));
    attention.extend(failed_databases(&failed, state_count(&states, ContainerState::Failed), now));
    attention.extend(tiers.iter().flat_map(full_tier));
    attention.extend(certificate_item(app, now).await);
    attention.extend(unknown_differences(&differences, now));
    attention.extend(missing_images(app));
    let existing = states.iter().map(|(_, n)| *n).sum::<i64>() - state_count(&states, ContainerState::Trashed);
    attention.extend(backups_item(audited.as_ref(), existing, now));
    attention.extend(failed_jobs(job_count(&job_counts, JobStatus::Failed)));
    // The sort is stable: items of equal severity keep the order above.
    attention.sort_by_key(|a| a.kind != "bad");
    page(&AdminPage {
        frame: ctx.frame("admin"),
        attention,
        empty: existing == 0,
        numbers: numbers(&states, &job_counts, people, &tiers),
        newest: newest.iter().map(|c| database_row(c, now)).collect(),
        jobs: collapsed(latest.iter().map(|j| job_row(&j.job, j.container_name.as_deref(), now))),
    })
}

fn state_count(counts: &[(ContainerState, i64)], state: ContainerState) -> i64 {
    counts.iter().find(|(s, _)| *s == state).map_or(0, |(_, n)| *n)
}

fn job_count(counts: &[(JobStatus, i64)], status: JobStatus) -> i64 {
    counts.iter().find(|(s, _)| *s == status).map_or(0, |(_, n)| *n)
}

/// A count for display; counts from the database are never negative.
fn positive(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// Singular or plural, depending on the count.
fn noun(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

fn item(kind: &str, text: impl Into<String>, advice: impl Into<String>, link: Link) -> Attention {
    let (text, advice) = (text.into(), advice.into());
    Attention { kind: kind.to_owned(), text, advice, since: None, link: Some(link), action: None }
}

fn broken_work(periodic: &[ScheduledWork], now: DateTime<Utc>) -> Vec<Attention> {
    let broken = periodic.iter().filter_map(|work| Some((work, error_of(work)?)));
    broken
        .map(|(work, error)| Attention {
            since: work.last_run.map(|at| Moment::new(at, now)),
            ..item(
                "bad",
                format!("The periodic task “{}” is failing", crate::jobs::schedule::title(&work.name)),
                error,
                Link::new("System", "/admin/system"),
            )
        })
        .collect()
}

fn told_text(same: &[&Notice]) -> String {
    let text = same.first().map_or("", |n| n.text.as_str());
    let mut owners: Vec<&str> =
        same.iter().filter(|n| !n.is_about_template && !n.owner.is_empty()).map(|n| n.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    match owners.as_slice() {
        [] => text.to_owned(),
        [owner] if same.len() == 1 => format!("{text} Its owner is {owner}."),
        [owner] => format!("{text} Their owner is {owner}."),
        _ => format!("{text} Their owners are {}.", owners.join(", ")),
    }
}

/// Notices that no administrator has dismissed; those that say the same are one.
fn told_backups(told: &[Notice], now: DateTime<Utc>) -> Vec<Attention> {
    let groups = notices::grouped(told);
    let one = |same: &notices::Equal<'_>| Attention {
        since: same.first().map(|n| Moment::new(n.at, now)),
        action: notices::seen_action(same, "admin"),
        ..item("bad", notices::title(same), told_text(same), notices::link(same, "/admin/containers?sort=loss"))
    };
    let mut items: Vec<_> = groups.iter().take(SHOWN).map(one).collect();
    let more = groups.iter().skip(SHOWN).map(Vec::len).sum::<usize>() as u64;
    if more > 0 {
        let text = count_text(more, "more notice", "more notices");
        items.push(item(
            "bad",
            text,
            "They appear here when you dismiss those above.",
            Link::new("Backups", "/admin/backups"),
        ));
    }
    items
}

/// Failed databases, with one line for all that failed for the same reason.
fn failed_databases(failed: &[Container], all: i64, now: DateTime<Utc>) -> Vec<Attention> {
    let reason = |c: &Container| c.failed_reason.as_deref().map(short_reason::line).unwrap_or_default();
    let mut groups: Vec<(String, Vec<&Container>)> = Vec::new();
    for c in failed {
        match groups.iter_mut().find(|(why, _)| *why == reason(c)) {
            Some((_, same)) => same.push(c),
            None => groups.push((reason(c), vec![c])),
        }
    }
    let one = |(why, same): &(String, Vec<&Container>)| {
        let names: Vec<&str> = same.iter().map(|c| c.name.as_str()).collect();
        let link = match names.as_slice() {
            [name] => Link::new("Open", urls::database(name)),
            _ => Link::new("All failed databases", "/admin/containers?state=failed"),
        };
        Attention {
            since: same.iter().map(|c| c.changed_at).min().map(|at| Moment::new(at, now)),
            ..item("bad", format!("{} failed", names.join(", ")), why, link)
        }
    };
    let mut items: Vec<_> = groups.iter().map(one).collect();
    let more = positive(all).saturating_sub(failed.len() as u64);
    if more > 0 {
        let text = format!("{} failed", count_text(more, "more database", "more databases"));
        items.push(item("bad", text, "", Link::new("All failed databases", "/admin/containers?state=failed")));
    }
    items
}

fn unknown_differences(found: &[ListedFinding], now: DateTime<Utc>) -> Vec<Attention> {
    let link = || Link::new("States", "/admin/states");
    let one = |f: &ListedFinding| {
        let FindingText { severity, advice, .. } = words(&f.finding.kind);
        Attention {
            since: Some(Moment::new(f.finding.first_seen, now)),
            ..item(severity, &f.finding.detail, advice, link())
        }
    };
    let mut items: Vec<_> = found.iter().take(SHOWN).map(one).collect();
    let more = found.len().saturating_sub(SHOWN) as u64;
    if more > 0 {
        let text = count_text(more, "more difference", "more differences");
        items.push(item("warn", format!("{text} between the container engine and the records"), "", link()));
    }
    items
}

fn missing_images(app: &App) -> Vec<Attention> {
    let link = || Link::new("System", "/admin/system");
    let missing = app.catalog.images().iter().filter_map(|image| {
        let reason = app.images.get(&image.image).unavailable()?.to_owned();
        Some(item("warn", format!("{} is unavailable", image.label), format!("{reason}."), link()))
    });
    missing.collect()
}

fn full_tier(tier: &TierState) -> Vec<Attention> {
    let link = || Link::new("Storage", "/admin/storage");
    let (label, used) = (&tier.label, tier.used_percent());
    let mut items = Vec::new();
    if let Some(reason) = &tier.unavailable {
        let in_use = tier.usage.as_ref().is_some_and(|u| u.databases > 0);
        let advice =
            if in_use { "Its databases cannot start until it is available again." } else { "It holds no databases." };
        let kind = if in_use { "bad" } else { "warn" };
        items.push(item(kind, format!("Storage tier “{label}” is unavailable: {reason}"), advice, link()));
    } else if used >= TierState::NEARLY_FULL {
        let kind = if used >= TierState::FULL { "bad" } else { "warn" };
        let advice = "Free up space or add a tier. Databases stop working when the disk is full.";
        items.push(item(kind, format!("Storage tier “{label}” is {used} % full"), advice, link()));
    }
    if let (Some(limit), Some(usage)) = (tier.limit, &tier.usage)
        && usage.used_bytes.saturating_mul(100) / limit.max(1) >= i64::from(TierState::NEARLY_FULL)
    {
        let text =
            format!("Databases on “{label}” use {} of the {} limit", ByteSize(usage.used_bytes), ByteSize(limit));
        items.push(item("warn", text, "The configured limit of this tier is nearly reached.", link()));
    }
    items
}

async fn certificate_item(app: &App, now: DateTime<Utc>) -> Option<Attention> {
    let link = Link::new("System", "/admin/system");
    match certificate(app).await? {
        Err(reason) => Some(item("bad", "The portal’s certificate cannot be read", reason, link)),
        Ok((end, _)) if end - now > CERTIFICATE_WARNING => None,
        Ok((end, _)) => {
            let kind = if end - now > Duration::days(7) { "warn" } else { "bad" };
            let verb = if end > now { "expires" } else { "expired" };
            let text = format!("The portal’s certificate {verb} {}", Moment::new(end, now).ago);
            Some(item(kind, text, "Replace it; the portal loads the new one automatically.", link))
        }
    }
}

/// The result of the last audit of backups, or a warning that it says nothing about the present.
fn backups_item(audited: Option<&AuditSummary>, existing: i64, now: DateTime<Utc>) -> Option<Attention> {
    let link = Link::new("Backups", "/admin/backups");
    let advice = "To check that every backup is present, select “Audit now” on that page.";
    let Some(audit) = audited else {
        return (existing > 0).then(|| item("warn", "Backups have not been audited yet", advice, link));
    };
    let since = Some(Moment::new(audit.at, now));
    if !is_current(audit.at, now) {
        let kind = if now - audit.at > Duration::days(2) { "bad" } else { "warn" };
        let text = format!("Backups were last audited {}", Moment::new(audit.at, now).ago);
        return Some(item(kind, text, "Audits run every day. If this one does not, see System.", link));
    }
    let all = audit.counts.values().sum();
    if all == 0 && audit.databases == 0 && existing > 0 {
        return Some(item("warn", "The last backup audit covered no databases", advice, link));
    }
    let kind = if audit.counts.keys().any(|k| k.is_bad()) { "bad" } else { "warn" };
    let advice: Vec<_> = audit.counts.iter().map(|(kind, n)| format!("{n} × {}", kind.label())).collect();
    let text = format!("The backup audit found {}", count_text(all, "problem", "problems"));
    (all > 0).then(|| Attention { since, ..item(kind, text, format!("{}.", advice.join(", ")), link) })
}

fn failed_jobs(count: i64) -> Option<Attention> {
    let text = count_text(positive(count), "job", "jobs");
    let link = Link::new("Failed jobs", "/admin/jobs?status=failed");
    (count > 0).then(|| item("warn", format!("{text} failed in the last 24 hours"), "", link))
}

fn numbers(
    states: &[(ContainerState, i64)],
    job_counts: &[(JobStatus, i64)],
    people: i64,
    tiers: &[TierState],
) -> Vec<Figure> {
    let number = |label: &str, value: String, note: String, href: &str| Figure {
        label: label.to_owned(),
        value,
        note,
        href: Some(href.to_owned()),
    };
    let of = |state| positive(state_count(states, state));
    let trashed = of(ContainerState::Trashed);
    let living = states.iter().map(|(_, n)| positive(*n)).sum::<u64>() - trashed;
    let waiting = positive(job_count(job_counts, JobStatus::Queued));
    let working = positive(job_count(job_counts, JobStatus::Running));
    let disk = tiers.iter().filter_map(|t| t.usage.as_ref()).map(|u| positive(u.used_bytes)).sum();
    let plain = |label: &str, count: u64, href: &str| number(label, thousands(count), String::new(), href);
    vec![
        number(
            "running",
            thousands(of(ContainerState::Running)),
            format!("of {}", thousands(living)),
            "/admin/containers?state=running",
        ),
        plain("stopped", of(ContainerState::Stopped), "/admin/containers?state=stopped"),
        plain("failed", of(ContainerState::Failed), "/admin/containers?state=failed"),
        plain("in the trash", trashed, "/admin/containers?state=trashed"),
        number(
            noun(working, "job running", "jobs running"),
            thousands(working),
            format!("{} waiting", thousands(waiting)),
            "/admin/jobs?status=running",
        ),
        plain(noun(positive(people), "user", "users"), positive(people), "/admin/users"),
        number("on disk", size_text(disk), String::new(), "/admin/storage"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_or_empty_audit_needs_attention() {
        let now: DateTime<Utc> = "2026-11-30T12:00:00Z".parse().unwrap();
        let audit = |hours, databases| AuditSummary {
            at: now - Duration::hours(hours),
            databases,
            counts: std::collections::BTreeMap::new(),
        };
        let told = |audited: Option<AuditSummary>, existing| {
            backups_item(audited.as_ref(), existing, now).map(|a| format!("{}: {}", a.kind, a.text))
        };
        assert_eq!(told(Some(audit(3, 5)), 5), None);
        assert_eq!(told(None, 0), None);
        assert_eq!(told(None, 1).unwrap(), "warn: Backups have not been audited yet");
        assert_eq!(told(Some(audit(3, 0)), 1).unwrap(), "warn: The last backup audit covered no databases");
        assert_eq!(told(Some(audit(26, 5)), 5).unwrap(), "warn: Backups were last audited 26 h ago");
        assert_eq!(told(Some(audit(72, 5)), 5).unwrap(), "bad: Backups were last audited 3 d ago");
    }

    #[test]
    fn the_trash_is_counted_separately() {
        let states = [(ContainerState::Running, 3), (ContainerState::Stopped, 1), (ContainerState::Trashed, 2)];
        let shown = numbers(&states, &[(JobStatus::Queued, 4)], 5, &[]);
        let texts: Vec<_> =
            shown.iter().map(|n| format!("{} {} {}", n.value, n.label, n.note).trim().to_owned()).collect();
        assert_eq!(
            texts,
            [
                "3 running of 4",
                "1 stopped",
                "0 failed",
                "2 in the trash",
                "0 jobs running 4 waiting",
                "5 users",
                "0 B on disk"
            ]
        );
        let alone = numbers(&[], &[(JobStatus::Running, 1)], 1, &[]);
        let labels: Vec<_> = alone.iter().map(|n| n.label.as_str()).collect();
        assert!(labels.contains(&"user") && labels.contains(&"job running"), "{labels:?}");
    }
}
