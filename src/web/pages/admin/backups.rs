//! `/admin/backups`: audit findings, targets, and all backups with keyset pagination.

use std::collections::HashSet;

use axum::extract::Query;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::PgConnection;

use crate::admin_db::backups::listing::{BackupQuery, StatusFilter};
use crate::admin_db::backups::{Backup, audits, listing};
use crate::admin_db::containers;
use crate::app::App;
use crate::audit::AUDIT;
use crate::backup::request::BackupOutcome;
use crate::backup::{request, verification};
use crate::domain::audit::{AuditReport, AuditedTarget, Finding, is_current};
use crate::domain::quantity::thousands;
use crate::domain::short_reason;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::pages::admin;
use crate::web::pages::admin::lists::{FETCH, PAGE, address, pager};
use crate::web::pages::backups::{chip, size};
use crate::web::pages::shared::{cursor, parse_cursor};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::admin::FindingRow;
use crate::web::views::admin::backups::{AdminBackupRow, AdminBackupsPage, TargetRow};
use crate::web::views::elements::format::count_text;
use crate::web::views::{Chip, Choice, Field, FilterForm, Flash, Moment, Size};

/// Maximum number of databases without a backup that a message names.
const NAMED: usize = 3;
/// Maximum number of findings on the page.
const FINDINGS: usize = 50;

/// Query parameters of the list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct BackupsQuery {
    /// Only backups of databases with this name.
    pub container: String,
    /// Only backups with this status.
    pub status: String,
    /// Cursor of the page.
    pub after: String,
}

impl BackupsQuery {
    fn address(&self, after: &str) -> String {
        let pairs = [("container", self.container.as_str()), ("status", &self.status), ("after", after)];
        address("/admin/backups", &pairs)
    }

    fn form(&self) -> FilterForm {
        let mut choices = vec![Choice::new("", "Any state", &self.status)];
        choices.extend(StatusFilter::ALL.map(|w| Choice::new(w.as_str(), w.as_str(), &self.status)));
        FilterForm {
            action: "/admin/backups".to_owned(),
            fields: vec![
                Field::text("container", "Database").value(&self.container),
                Field::select("status", "State", choices),
            ],
            keep: Vec::new(),
            active: !self.container.is_empty() || !self.status.is_empty(),
        }
    }
}

/// Rows for a list of backups of all databases.
pub(crate) async fn rows(
    db: &mut PgConnection,
    backups: &[Backup],
    now: DateTime<Utc>,
) -> Result<Vec<AdminBackupRow>, sqlx::Error> {
    let mut names: Vec<_> = backups.iter().filter(|b| !b.container_gone).map(|b| b.container.clone()).collect();
    names.sort();
    names.dedup();
    let living: HashSet<String> = containers::living_names(db, &names).await?.into_iter().collect();
    let row = |b: &Backup| AdminBackupRow {
        href: urls::admin_backup(b.id),
        made: Moment::new(b.started_at, now),
        reason: verification::reason(&b.reason).to_owned(),
        database: b.container.clone(),
        database_href: (!b.container_gone && living.contains(&b.container))
            .then(|| urls::database_page(&b.container, DatabasePage::Backups)),
        chip: chip(b),
        size: size(b.bytes),
        level: b.is_good().then(|| verification::level(b.level).to_owned()),
        locked: b.locked_until.filter(|until| *until > now && b.is_good()).map(|until| Moment::new(until, now)),
        target: b.target.clone().unwrap_or_default(),
        trouble: b.error.as_deref().map(short_reason::line).or_else(|| {
            let failed = b.drill_error.as_deref().filter(|_| b.is_good());
            failed.map(|e| format!("The last test restore failed: {}", short_reason::line(e)))
        }),
    };
    Ok(backups.iter().map(row).collect())
}

fn finding(f: &Finding, at: DateTime<Utc>, now: DateTime<Utc>) -> FindingRow {
    let name = f.container.clone().unwrap_or_else(|| "Backup targets".to_owned());
    let href = match (&f.backup, &f.container) {
        (Some(id), _) => Some(urls::admin_backup(id)),
        (None, Some(name)) => Some(urls::database_page(name, DatabasePage::Backups)),
        (None, None) => None,
    };
    FindingRow {
        kind: if f.kind.is_bad() { "bad" } else { "warn" }.to_owned(),
        what: f.kind.label().to_owned(),
        name,
        href,
        text: f.text.clone(),
        since: Moment::new(at, now),
    }
}

fn targets(app: &App, report: Option<&AuditReport>) -> Vec<TargetRow> {
    let row = |(n, target): (usize, &crate::config::Target)| {
        let seen: Option<&AuditedTarget> = report.and_then(|r| r.places.iter().find(|p| p.target == target.name));
        let known = seen.filter(|p| p.error.is_none());
        TargetRow {
            name: target.name.clone(),
            first: n == 0,
            place: match (&target.embedded, &target.endpoint) {
                (Some(dir), _) => format!("{}/{}, served from {}", target.bucket, target.prefix, dir.display()),
                (None, Some(endpoint)) => format!("{}/{} at {endpoint}", target.bucket, target.prefix),
                (None, None) => format!("{}/{} at Amazon, {}", target.bucket, target.prefix, target.region),
            },
            chip: match seen {
                None => Chip::new("wait", "not audited"),
                Some(p) if p.error.is_some() => Chip::new("fail", "unavailable"),
                Some(_) => Chip::new("run", "available"),
            },
            trouble: seen.and_then(|p| p.error.clone()),
            objects: known.map(|p| thousands(p.objects)),
            size: known.map(|p| Size::new(p.bytes)),
            find_href: address("/admin/backups/find", &[("target", &target.name)]),
        }
    };
    app.config.targets.iter().enumerate().map(row).collect()
}

/// `GET /admin/backups`
pub async fn list(ctx: Context, Query(query): Query<BackupsQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let name = query.container.trim();
    let wanted = BackupQuery {
        container: (!name.is_empty()).then_some(name),
        which: StatusFilter::parse(&query.status),
        before: parse_cursor(&query.after),
        limit: FETCH,
    };
    let mut db = ctx.app().db.acquire().await?;
    let mut found = listing::page(&mut db, &wanted).await?;
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let shown = rows(&mut db, &found, now).await?;
    let report = audits::newest(&mut db).await?;
    let own = admin::admin_backups::section(ctx.app(), &mut db, now).await?;
    drop(db);
    let next = found.last().filter(|_| more).map(|b| query.address(&cursor(b.started_at, b.id)));
    let first = (!query.after.is_empty()).then(|| query.address(""));
    let findings = report.iter().flat_map(|r| r.findings.iter().map(|f| finding(f, r.at, now)));
    let findings: Vec<_> = findings.take(FINDINGS).collect();
    page(&AdminBackupsPage {
        frame: ctx.frame("admin-backups"),
        audited: report.as_ref().map(|r| Moment::new(r.at, now)),
        verdict: verdict(report.as_ref(), now),
        extent: report.as_ref().map(extent).unwrap_or_default(),
        more: report.as_ref().map_or(0, |r| r.all().saturating_sub(findings.len() as u64)),
        findings,
        targets: targets(ctx.app(), report.as_ref()),
        own,
        policy: ctx.app().config.backups.keep.sentence(),
        filter: query.form(),
        pager: pager((shown.len(), shown.len()), ("backup", "backups"), first, next),
        rows: shown,
    })
}

/// What it means that an audit found nothing.
fn verdict(report: Option<&AuditReport>, now: DateTime<Utc>) -> &'static str {
    match report {
        None => "No audit has run yet.",
        Some(r) if !is_current(r.at, now) => "None, but the audit is too old to say anything about the present.",
        Some(r) if r.databases == 0 => "None, but the audit covered no databases.",
        Some(_) => {
            "None. Every database has the backups its policy requires, and they are all present in their targets."
        }
    }
}

fn extent(r: &AuditReport) -> String {
    format!(
        "{} and {}",
        count_text(r.databases as u64, "database", "databases"),
        count_text(r.backups as u64, "backup", "backups")
    )
}

/// `POST /admin/backups/all`: backs up all databases now.
pub async fn all(ctx: Context) -> Result<Response, AppError> {
    let flash = match request::backup_all(ctx.app(), "requested", &ctx.actor()).await {
        Ok(outcomes) => told(&outcomes),
        Err(e @ RequestError::NoTarget) => Flash::warn(e.to_string()),
        Err(e) => return Err(e.into()),
    };
    Ok(to("/admin/backups", Some(flash)))
}

/// Says how many backups were enqueued, and names the first databases without one.
fn told(outcomes: &[BackupOutcome]) -> Flash {
    let without: Vec<_> =
        outcomes.iter().filter_map(|o| o.job.as_ref().err().map(|e| format!("{}: {e}", o.name))).collect();
    let made = outcomes.len() - without.len();
    let made = format!("{} enqueued.", count_text(made as u64, "backup", "backups"));
    if without.is_empty() {
        return Flash::ok(made);
    }
    let more = match without.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" And {more} more."),
    };
    Flash::warn(format!(
        "{made} {} not backed up. {}{more}",
        count_text(without.len() as u64, "database is", "databases are"),
        without.iter().take(NAMED).cloned().collect::<Vec<_>>().join(" ")
    ))
}

/// `POST /admin/backups/audit`
pub async fn audit(ctx: Context) -> Result<Response, AppError> {
    match enqueue_portal(ctx.app(), &AUDIT, &ctx.actor()).await {
        Ok(job) => Ok(to(&urls::job(job), None)),
        Err(RequestError::Busy) => {
            Ok(to("/admin/backups", Some(Flash::warn("An audit is running. Reload this page in a moment."))))
        }
        Err(e) => Err(e.into()),
    }
}
