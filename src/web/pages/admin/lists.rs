//! `/admin/log`, `/admin/jobs`: long lists with keyset pagination.

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;

use crate::admin_db::jobs::{JobStatus, listing};
use crate::admin_db::log::Outcome;
use crate::admin_db::{containers, log};
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::pages::shared::{collapsed, cursor, job_row, parse_cursor};
use crate::web::urls;
use crate::web::views::admin::lists::{JobsPage, LogPage, LogRow};
use crate::web::views::elements::format::count_text;
use crate::web::views::{Chip, Choice, Field, FilterForm, Link, Moment, Pager};

/// Rows per page.
pub(crate) const PAGE: usize = 100;
/// One more than a page, to detect whether there is another one.
pub(crate) const FETCH: i64 = 101;

/// A URL with these parameters; empty ones are omitted.
pub(crate) fn address(path: &str, pairs: &[(&str, &str)]) -> String {
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let set: Vec<_> = pairs.iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| format!("{k}={}", encode(v))).collect();
    if set.is_empty() { path.to_owned() } else { format!("{path}?{}", set.join("&")) }
}

/// The position in a list of which this many things are shown, in this many rows. `next` is the URL of the next page.
pub(crate) fn pager(
    (shown, rows): (usize, usize),
    (one, many): (&str, &str),
    first: Option<String>,
    next: Option<String>,
) -> Pager {
    let count = count_text(shown as u64, one, many);
    let text = if rows == shown { count } else { format!("{count} in {}", count_text(rows as u64, "row", "rows")) };
    let part = first.is_some() || next.is_some();
    Pager { summary: if part { format!("{text} on this page") } else { text }, first, next }
}

/// Query parameters of the log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    /// Only actions of this actor.
    pub actor: String,
    /// Only this action.
    pub action: String,
    /// Only actions on databases with this name.
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

    fn form(&self) -> FilterForm {
        let mut outcomes = vec![Choice::new("", "Any outcome", &self.outcome)];
        outcomes.extend(["ok", "refused", "failed"].map(|o| Choice::new(o, o, &self.outcome)));
        FilterForm {
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
pub async fn log(ctx: Context, Query(query): Query<LogQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let set = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
    let wanted = log::LogFilter {
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
    // If no database has this name any more, the link leads to its other log rows instead of a missing page.
    let link = |name: &String| {
        let page = urls::database(name);
        let history = || address("/admin/log", &[("container", name)]);
        Link::new(name, if living.contains(name) { page } else { history() })
    };
    let next = rows.last().filter(|_| more).map(|r| query.address(&r.id.to_string()));
    let first = wanted.before.map(|_| query.address(""));
    let row = |r: &log::LogRecord| LogRow {
        when: Moment::new(r.at, now),
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
        pager: pager((rows.len(), rows.len()), ("row", "rows"), first, next),
    })
}

/// Query parameters of the list of jobs.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct JobsQuery {
    /// Only jobs with this status.
    pub status: String,
    /// Cursor of the page.
    pub after: String,
}

/// `GET /admin/jobs`
pub async fn jobs(ctx: Context, Query(query): Query<JobsQuery>) -> Result<Response, AppError> {
    let now = ctx.now();
    let status = JobStatus::ALL.into_iter().find(|s| s.as_str() == query.status);
    let after = parse_cursor(&query.after);
    let mut db = ctx.app().db.acquire().await?;
    let counts = listing::counts(&mut db).await?;
    let mut rows = listing::list(&mut db, status, after, FETCH).await?;
    drop(db);
    let more = rows.len() > PAGE;
    rows.truncate(PAGE);
    let link =
        |after: &str| address("/admin/jobs", &[("status", status.map_or("", JobStatus::as_str)), ("after", after)]);
    let next = rows.last().filter(|_| more).map(|l| link(&cursor(l.job.created_at, l.job.id)));
    let mut statuses = vec![Link::new("all", "/admin/jobs").current(status.is_none())];
    statuses.extend(JobStatus::ALL.map(|s| {
        let count = counts.iter().find(|(counted, _)| *counted == s).map_or(0, |(_, n)| *n);
        let word = Chip::of_job(s.as_str()).word;
        let label = match (s, count) {
            (_, 0) => word,
            (JobStatus::Failed, n) => format!("{word} · {n} in the last 24 hours"),
            (_, n) => format!("{word} · {n}"),
        };
        Link::new(label, address("/admin/jobs", &[("status", s.as_str())])).current(status == Some(s))
    }));
    let shown = collapsed(rows.iter().map(|l| job_row(&l.job, l.container_name.as_deref(), now)));
    page(&JobsPage {
        frame: ctx.frame("admin-jobs"),
        statuses,
        pager: pager((rows.len(), shown.len()), ("job", "jobs"), after.map(|_| link("")), next),
        rows: shown,
    })
}

#[cfg(test)]
mod tests {
    use crate::web::pages::admin::lists::*;

    #[test]
    fn urls_keep_and_encode_parameters() {
        assert_eq!(address("/admin/log", &[("actor", ""), ("outcome", "")]), "/admin/log");
        assert_eq!(
            address("/admin/log", &[("actor", "a&b=c"), ("before", "7")]),
            "/admin/log?actor=a%26b%3Dc&before=7"
        );
    }

    #[test]
    fn a_pager_says_when_there_is_more() {
        assert_eq!(pager((1, 1), ("row", "rows"), None, None).summary, "1 row");
        assert_eq!(pager((6, 3), ("job", "jobs"), None, None).summary, "6 jobs in 3 rows");
        assert_eq!(pager((100, 100), ("row", "rows"), None, Some("/x".to_owned())).summary, "100 rows on this page");
    }
}
