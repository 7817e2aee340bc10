//! `/admin/states`: desired states compared with actual states.

use axum::extract::Query;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::admin_db::backups::findings::ListedFinding;
use crate::admin_db::backups::{findings, schedule};
use crate::admin_db::containers::listing::ContainerQuery;
use crate::admin_db::containers::{Container, listing};
use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::domain::state::ContainerState;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::pages::admin::facts::error_of;
use crate::web::pages::admin::lists::{FETCH, PAGE, address, pager};
use crate::web::pages::shared::{chip, cursor, parse_cursor};
use crate::web::urls;
use crate::web::views::admin::{FindingRow, StateRow, StatesPage};
use crate::web::views::{Chip, Flash, Link, Moment};

/// The reconciler's row in `schedule`.
const RECONCILE: &str = "reconcile";

/// Query parameters of the list.
#[derive(Debug, Default, Deserialize)]
pub struct StatesQuery {
    /// Cursor of the page.
    #[serde(default)]
    pub after: String,
}

/// The text that describes a difference.
pub(crate) struct FindingText {
    /// `bad` or `warn`.
    pub severity: &'static str,
    /// The difference, in a word or two.
    pub what: String,
    /// What is being done about it, or what to do.
    pub advice: &'static str,
}

/// The text for a kind of difference.
pub(crate) fn words(kind: &str) -> FindingText {
    let (severity, what, advice) = match kind {
        "missing" => ("bad", "missing", "The portal recreates and starts it."),
        "stopped" => ("bad", "stopped unexpectedly", "The portal restarts it."),
        "stuck" => ("bad", "stuck", "Check its jobs. Retrying or deleting it may resolve this."),
        "running" => ("warn", "started manually", "Stop it in the container engine, or start it here."),
        "unknown" => (
            "warn",
            "unknown",
            "The portal did not touch it. Remove it in the container engine if nobody \
                                          needs it.",
        ),
        "directory" => ("warn", "unknown directory", "The portal did not touch it. Remove it if nobody needs it."),
        other => ("warn", other, ""),
    };
    FindingText { severity, what: what.to_owned(), advice }
}

fn finding(f: &ListedFinding, now: DateTime<Utc>) -> FindingRow {
    let words = words(&f.finding.kind);
    let name = f.container_name.as_ref();
    FindingRow {
        kind: words.severity.to_owned(),
        what: words.what,
        name: name.unwrap_or(&f.finding.subject).clone(),
        href: name.map(urls::database),
        text: format!("{}. {}", f.finding.detail, words.advice).trim_end().to_owned(),
        since: Moment::new(f.finding.first_seen, now),
    }
}

/// The state the reconciler saw in the container engine; `None` if it has not run since the last change.
fn actual(c: &Container, found: &[ListedFinding], compared: Option<DateTime<Utc>>) -> Option<Chip> {
    let differs = found.iter().find(|f| f.finding.container_id == Some(c.id));
    match differs.map(|f| f.finding.kind.as_str()) {
        Some("missing") => Some(Chip::new("fail", "missing")),
        Some("stopped") => Some(Chip::new("fail", "not running")),
        Some("running") => Some(Chip::of("running")),
        Some(_) => None,
        // If the list of findings is full, there may be an unlisted one about this container.
        None if found.len() >= findings::MOST || c.active_job.is_some() => None,
        None if compared.is_none_or(|at| at < c.changed_at) => None,
        None => match c.state {
            ContainerState::Running => Some(Chip::of("running")),
            ContainerState::Stopped | ContainerState::Failed | ContainerState::Trashed => {
                Some(Chip::new("stop", "not running"))
            }
            _ => None,
        },
    }
}

/// `GET /admin/states`
pub async fn states(ctx: Context, Query(query): Query<StatesQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let wanted = ContainerQuery { after: parse_cursor(&query.after), limit: FETCH, ..ContainerQuery::default() };
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = listing::list(&mut db, &wanted).await?;
    let found = findings::listed(&mut db).await?;
    let reconciler = schedule::list(&mut db).await?.into_iter().find(|s| s.name == RECONCILE);
    drop(db);
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let error = reconciler.as_ref().and_then(error_of);
    let last_run = reconciler.as_ref().and_then(|s| s.last_run);
    // If the last run failed, the actual states are unknown.
    let compared = last_run.filter(|_| error.is_none());
    let mut shown: Vec<_> = found.iter().map(|f| finding(f, now)).collect();
    if let (Some(error), Some(at)) = (error, last_run) {
        shown.insert(
            0,
            FindingRow {
                kind: "bad".to_owned(),
                what: "comparison failed".to_owned(),
                name: "Reconciler".to_owned(),
                href: None,
                text: error,
                since: Moment::new(at, now),
            },
        );
    }
    let next =
        rows.last().filter(|_| more).map(|c| address("/admin/states", &[("after", &cursor(c.created_at, c.id))]));
    let first = wanted.after.map(|_| "/admin/states".to_owned());
    let row = |c: &Container| StateRow {
        container: Link::new(&c.name, urls::database(&c.name)),
        wanted: chip(c),
        actual: actual(c, &found, compared),
        previous: Chip::of(c.last_state.as_str()).word,
        changed_by: c.changed_by.clone(),
        changed: Moment::new(c.changed_at, now),
    };
    page(&StatesPage {
        frame: ctx.frame("admin-states"),
        checked: last_run.map(|at| Moment::new(at, now)),
        findings: shown,
        rows: rows.iter().map(row).collect(),
        pager: pager((rows.len(), rows.len()), ("database", "databases"), first, next),
    })
}

/// `POST /admin/states/check`: makes the comparison due immediately.
pub async fn check_now(ctx: Context) -> Result<Response, AppError> {
    let mut tx = ctx.app().db.begin().await?;
    schedule::make_due(&mut tx, RECONCILE).await?;
    let entry = LogEntry { action: "reconcile.check", container: None, outcome: Outcome::Ok, detail: "requested" };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(to(
        "/admin/states",
        Some(Flash::ok("The comparison starts within a second. Reload this page to see the result.")),
    ))
}
