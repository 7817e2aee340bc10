//! The reaper: removes databases that have expired and, on request, temporary ones that no longer work.
//!
//! It looks only at rows of mydb_admin. Containers that are not in them are never touched.

mod health;
mod warnings;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use crate::admin_db::containers::{Container, expiry};
use crate::admin_db::jobs;
use crate::admin_db::jobs::JobStatus;
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::expiry::{ReaperFilter, is_over};
use crate::domain::job_kind::JobKind;
use crate::queue::refusal::RequestError;
use crate::trash::expire;
use crate::trash::expire::Removal;

/// The actor in the log.
pub const ACTOR: &str = "reaper";
/// Number of servers that are probed at a time.
const AT_ONCE: usize = 8;
/// Delay after a deletion that failed or was cancelled.
const RETRY: TimeDelta = TimeDelta::hours(1);

/// A database that a filter applies to.
#[derive(Debug)]
pub struct Due {
    /// The database.
    pub container: Container,
    /// Which filter.
    pub filter: ReaperFilter,
    /// Why, as a sentence for the log.
    pub reason: String,
    /// How it is removed.
    pub removal: Removal,
}

/// What a run did with a database.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its removal is enqueued.
    Removed,
    /// It is left alone for now, for this reason.
    Later(String),
    /// It could not be removed.
    Failed(String),
}

/// The periodic run: warns owners, then removes what the settings say.
pub async fn run(app: &Arc<App>) -> anyhow::Result<Value> {
    if app.read_only().is_some() {
        // Owners could not extend their databases.
        return Ok(json!({ "skipped": "the portal is read-only" }));
    }
    let warned = warnings::warn(app).await?;
    let (mut removed, mut failed) = (Vec::new(), Vec::new());
    for due in find(app, &app.config.jobs.reaper).await? {
        let name = &due.container.name;
        match remove(app, &due, &Actor::portal(ACTOR)).await {
            Outcome::Removed => removed.push(name.clone()),
            Outcome::Later(why) => tracing::debug!(container.name = name, "`{name}` is not removed yet: {why}"),
            Outcome::Failed(why) => {
                tracing::warn!(container.name = name, "Could not remove `{name}`: {why}");
                failed.push(name.clone());
            }
        }
    }
    Ok(json!({ "removed": removed, "warned": warned, "failed": failed }))
}

/// The databases that the filters apply to, each once, the earliest expiry first.
///
/// # Errors
/// If mydb_admin does not respond.
pub async fn find(app: &App, filters: &[ReaperFilter]) -> anyhow::Result<Vec<Due>> {
    let mut db = app.db.acquire().await?;
    let rows = expiry::temporary(&mut db).await?;
    drop(db);
    let now = app.clock.now();
    let look = async |container: Container| {
        let (filter, reason) = reason(app, &container, filters, now).await?;
        Some(Due { removal: Removal::of(&container), container, filter, reason })
    };
    // Several at once: one that does not respond takes seconds, in which other periodic work waits.
    let found = stream::iter(rows).map(look).buffered(AT_ONCE);
    Ok(found.filter_map(std::future::ready).collect().await)
}

/// The first of the filters that applies to `c`, and why.
async fn reason(
    app: &App,
    c: &Container,
    filters: &[ReaperFilter],
    now: DateTime<Utc>,
) -> Option<(ReaperFilter, String)> {
    if let Some(end) = c.expires_at.filter(|_| filters.contains(&ReaperFilter::Expired) && is_over(c.expires_at, now)) {
        return Some((ReaperFilter::Expired, format!("expired at {}", end.format("%Y-%m-%d %H:%M:%S UTC"))));
    }
    if !expire::is_temporary(c) {
        return None;
    }
    health::fault(app, c, filters).await
}

/// Removes one of them. A failure concerns only this one.
pub async fn remove(app: &App, due: &Due, actor: &Actor) -> Outcome {
    match try_to_remove(app, due, actor).await {
        Ok(outcome) => outcome,
        Err(e @ (RequestError::Busy | RequestError::State(_) | RequestError::Gone)) => Outcome::Later(e.to_string()),
        Err(e) => Outcome::Failed(e.to_string()),
    }
}

async fn try_to_remove(app: &App, due: &Due, actor: &Actor) -> Result<Outcome, RequestError> {
    let (c, now) = (&due.container, app.clock.now());
    if c.maintenance_note.is_some() {
        return Ok(Outcome::Later("The database is in maintenance.".to_owned()));
    }
    let mut db = app.db.acquire().await?;
    let last = jobs::of_container(&mut db, c.id, 1).await?;
    drop(db);
    let called_off = last.first().filter(|job| {
        job.kind() == Some(JobKind::Delete) && matches!(job.status, JobStatus::Failed | JobStatus::Cancelled)
    });
    // A deletion that fails takes a backup each time.
    if called_off.is_some_and(|job| job.finished_at.is_some_and(|at| at <= now && now - at < RETRY)) {
        return Ok(Outcome::Later("Its last deletion failed or was cancelled less than an hour ago.".to_owned()));
    }
    let still = |found: &Container| match due.filter {
        ReaperFilter::Expired => is_over(found.expires_at, now),
        // Nothing has happened to it since it was looked at.
        ReaperFilter::Dead | ReaperFilter::Unhealthy => {
            expire::is_temporary(found)
                && (found.changed_at, found.started_at, &found.docker_id) == (c.changed_at, c.started_at, &c.docker_id)
        }
    };
    Ok(match expire::remove(app, c.id, &due.reason, still, actor).await? {
        Some(_) => Outcome::Removed,
        None => Outcome::Later("It has changed meanwhile.".to_owned()),
    })
}
