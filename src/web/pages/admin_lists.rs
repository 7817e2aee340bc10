//! `/admin/states`, `/admin/log`, `/admin/jobs`: long lists, paged by key.

use axum::extract::Query;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::admin_system::error_of;
use super::shared::{chip, cursor, job_row, parse_cursor};
use crate::admin_db::containers::{self, Container, Filter as Wanted};
use crate::admin_db::findings::{self, Listed};
use crate::admin_db::jobs::{self, JobStatus};
use crate::admin_db::log::{self, Entry, Outcome};
use crate::admin_db::schedule;
use crate::domain::state::ContainerState;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::views::admin::{Finding, StateRow, StatesPage};
use crate::web::views::admin_lists::{JobsPage, LogPage, LogRow};
use crate::web::views::format::count_text;
use crate::web::views::{Chip, Choice, Field, Filter, Flash, Link, Pager, When};

/// Rows of a page.
const PAGE: usize = 100;
/// One more than a page, to know whether there is another.
const FETCH: i64 = 101;
/// The reconciler's row in `schedule`.
const RECONCILE: &str = "reconcile";

/// An address with these parameters; those that are empty are left out.
pub(super) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let set: Vec<_> = pairs.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k}={}", encode(v))).collect();
    if set.is_empty() { path.to_owned() } else { format!("{path}?{}", set.join("&")) }
}

/// Where in a list of `shown` rows one is. `next` is the address of the following page.
pub(super) fn pager(shown: usize, (one, many): (&str, &str), first: Option<String>, next: Option<String>) -> Pager {
    let text = count_text(shown as u64, one, many);
    let part = first.is_some() || next.is_some();
    Pager { summary: if part { format!("{text} on this page") } else { text }, first, next }
}

/// What the list of states is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct StatesQuery {
    /// Where to go on.
    #[serde(default)]
    pub after: String,
}

/// How a difference is told.
pub(super) struct Words {
    /// `bad` or `warn`.
    pub severity: &'static str,
    /// In a word or two.
    pub what: String,
    /// What is done about it, or what to do.
    pub advice: &'static str,
}

/// How a difference of this kind is told.
pub(super) fn words(kind: &str) -> Words {
    let (severity, what, advice) = match kind {
        "missing" => ("bad", "missing", "The portal makes it anew and starts it."),
        "stopped" => ("bad", "dead", "The portal starts it again."),
        "stuck" => ("bad", "stuck", "Look at its jobs; deleting it, or trying again, may free it."),
        "running" => ("warn", "started by hand", "Stop it in the engine, or start it here."),
        "unknown" => ("warn", "unknown", "It was not touched. Remove it in the engine if nobody needs it."),
        "directory" => ("warn", "unknown directory", "It was not touched. Remove it if nobody needs it."),
        other => ("warn", other, ""),
    };
    Words { severity, what: what.to_owned(), advice }
}

fn finding(f: &Listed, now: DateTime<Utc>) -> Finding {
    let words = words(&f.finding.kind);
    let name = f.container_name.as_ref();
    Finding {
        kind: words.severity.to_owned(),
        what: words.what,
        name: name.unwrap_or(&f.finding.subject).clone(),
        href: name.map(|n| format!("/containers/{n}")),
        text: format!("{}. {}", f.finding.detail, words.advice).trim_end().to_owned(),
        since: When::new(f.finding.first_seen, now),
    }
}

/// What the engine had when the reconciler last looked; `None` where it has not looked since the last change.
fn actual(c: &Container, found: &[Listed], compared: Option<DateTime<Utc>>) -> Option<Chip> {
    let differs = found.iter().find(|f| f.finding.container_id == Some(c.id));
    match differs.map(|f| f.finding.kind.as_str()) {
        Some("missing") => Some(Chip::new("fail", "missing")),
        Some("stopped") => Some(Chip::new("fail", "not running")),
        Some("running") => Some(Chip::of("running")),
        Some(_) => None,
        // Beyond the most differences that are listed there may be one about this container.
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
///
/// # Errors
/// If mydb_admin can't be asked.
pub async fn states(ctx: Context, Query(query): Query<StatesQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let wanted = Wanted { after: parse_cursor(&query.after), limit: FETCH, ..Wanted::default() };
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = containers::list(&mut db, &wanted).await?;
    let found = findings::listed(&mut db).await?;
    let reconciler = schedule::list(&mut db).await?.into_iter().find(|s| s.name == RECONCILE);
    drop(db);
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let error = reconciler.as_ref().and_then(error_of);
    let last_run = reconciler.as_ref().and_then(|s| s.last_run);
    // A run that failed saw nothing: what it would have seen is not known.
    let compared = last_run.filter(|_| error.is_none());
    let mut shown: Vec<_> = found.iter().map(|f| finding(f, now)).collect();
    if let (Some(error), Some(at)) = (error, last_run) {
        shown.insert(0, Finding {
            kind: "bad".to_owned(),
            what: "it could not compare".to_owned(),
            name: "Reconciler".to_owned(),
            href: None,
            text: error,
            since: When::new(at, now),
        });
    }
    let next = rows.last().filter(|_| more).map(|c| address("/admin/states", &[("after", &cursor(c.created_at, c.id))]));
    let first = wanted.after.map(|_| "/admin/states".to_owned());
    let row = |c: &Container| StateRow {
        container: Link::new(&c.name, format!("/containers/{}", c.name)),
        wanted: chip(c),
        actual: actual(c, &found, compared),
        previous: Chip::of(c.last_state.as_str()).word,
        changed_by: c.changed_by.clone(),
        changed: When::new(c.changed_at, now),
    };
    page(&StatesPage {
        frame: ctx.frame("admin-states"),
        checked: last_run.map(|at| When::new(at, now)),
        findings: shown,
        rows: rows.iter().map(row).collect(),
        pager: pager(rows.len(), ("database", "databases"), first, next),
    })
}

/// `POST /admin/states/check`: the comparison becomes due at once.
///
/// # Errors
/// If mydb_admin can't be asked.
pub async fn check_now(ctx: Context) -> Result<Response, AppError> {
    let mut tx = ctx.app().db.begin().await?;
    schedule::make_due(&mut tx, RECONCILE).await?;
    let entry = Entry { action: "reconcile.check", container: None, outcome: Outcome::Ok, detail: "asked for" };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(to("/admin/states", Some(Flash::ok("The comparison begins within a second. Load this page again to see what it found."))))
}

/// What the log is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    /// Only this actor's.
    pub actor: String,
    /// Only this action.
    pub action: String,
    /// Only on databases of this name.
    pub container: String,
    /// Only with this outcome.
    pub outcome: String,
    /// Only rows older than this key.
    pub before: String,
}

impl LogQuery {
    fn address(&self, before: &str) -> String {
        let pairs = [
            ("actor", self.actor.as_str()),
            ("action", &self.action),
            ("container", &self.container),
            ("outcome", &self.outcome),
            ("before", before),
        ];
        address("/admin/log", &pairs)
    }

    fn form(&self) -> Filter {
        let mut outcomes = vec![Choice::new("", "Any outcome", &self.outcome)];
        outcomes.extend(["ok", "refused", "failed"].map(|o| Choice::new(o, o, &self.outcome)));
        Filter {
            action: "/admin/log".to_owned(),
            fields: vec![
                Field::text("actor", "Who").value(&self.actor),
                Field::text("action", "What").value(&self.action),
                Field::text("container", "Database").value(&self.container),
                Field::select("outcome", "Outcome", outcomes),
            ],
            keep: Vec::new(),
            active: [&self.actor, &self.action, &self.container, &self.outcome].iter().any(|t| !t.is_empty()),
        }
    }
}

/// `GET /admin/log`
///
/// # Errors
/// If mydb_admin can't be asked.
pub async fn log(ctx: Context, Query(query): Query<LogQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let set = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    let wanted = log::Filter {
        actor: set(&query.actor),
        action: set(&query.action),
        container: set(&query.container),
        container_id: None,
        outcome: Outcome::parse(&query.outcome),
        before: query.before.parse().ok(),
        limit: FETCH,
    };
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = log::list(&mut db, &wanted).await?;
    let mut names: Vec<_> = rows.iter().map(|r| r.container_name.clone()).filter(|n| !n.is_empty()).collect();
    names.sort();
    names.dedup();
    let living = containers::living_names(&mut db, &names).await?;
    drop(db);
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    // A name that no database has any more leads to what else the log says about it, not to nothing.
    let link = |name: &String| {
        let page = format!("/containers/{name}");
        let history = || address("/admin/log", &[("container", name)]);
        Link::new(name, if living.contains(name) { page } else { history() })
    };
    let next = rows.last().filter(|_| more).map(|r| query.address(&r.id.to_string()));
    let first = wanted.before.map(|_| query.address(""));
    let row = |r: &log::Row| LogRow {
        when: When::new(r.at, now),
        actor: r.actor.clone(),
        address: r.address.clone(),
        action: r.action.clone(),
        container: Some(&r.container_name).filter(|n| !n.is_empty()).map(link),
        outcome: Chip::of(r.outcome.as_str()),
        detail: r.detail.clone(),
    };
    page(&LogPage {
        frame: ctx.frame("admin-log"),
        filter: query.form(),
        rows: rows.iter().map(row).collect(),
        pager: pager(rows.len(), ("row", "rows"), first, next),
    })
}

/// What the list of jobs is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobsQuery {
    /// Only in this status.
    pub status: String,
    /// Where to go on.
    pub after: String,
}

/// `GET /admin/jobs`
///
/// # Errors
/// If mydb_admin can't be asked.
pub async fn jobs(ctx: Context, Query(query): Query<JobsQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let status = JobStatus::ALL.into_iter().find(|s| s.as_str() == query.status);
    let after = parse_cursor(&query.after);
    let mut db = ctx.app().db.acquire().await?;
    let counts = jobs::counts(&mut db).await?;
    let mut rows = jobs::list(&mut db, status, after, FETCH).await?;
    drop(db);
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let link = |after: &str| address("/admin/jobs", &[("status", status.map_or("", JobStatus::as_str)), ("after", after)]);
    let next = rows.last().filter(|_| more).map(|l| link(&cursor(l.job.created_at, l.job.id)));
    let mut statuses = vec![Link::new("all", "/admin/jobs").current(status.is_none())];
    statuses.extend(JobStatus::ALL.map(|s| {
        let count = counts.iter().find(|(counted, _)| *counted == s).map_or(0, |(_, n)| *n);
        let word = Chip::of_job(s.as_str()).word;
        let label = match (s, count) {
            (_, 0) => word,
            (JobStatus::Failed, n) => format!("{word} · {n} in the last day"),
            (_, n) => format!("{word} · {n}"),
        };
        Link::new(label, address("/admin/jobs", &[("status", s.as_str())])).current(status == Some(s))
    }));
    page(&JobsPage {
        frame: ctx.frame("admin-jobs"),
        statuses,
        rows: rows.iter().map(|l| job_row(&l.job, l.container_name.as_deref(), now)).collect(),
        pager: pager(rows.len(), ("job", "jobs"), after.map(|_| link("")), next),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_keeps_what_is_set_and_encodes_it() {
        assert_eq!(address("/admin/log", &[("actor", ""), ("outcome", "")]), "/admin/log");
        assert_eq!(address("/admin/log", &[("actor", "a&b=c"), ("before", "7")]), "/admin/log?actor=a%26b%3Dc&before=7");
    }

    #[test]
    fn a_pager_says_when_there_is_more() {
        assert_eq!(pager(1, ("row", "rows"), None, None).summary, "1 row");
        assert_eq!(pager(100, ("row", "rows"), None, Some("/x".to_owned())).summary, "100 rows on this page");
    }
}
