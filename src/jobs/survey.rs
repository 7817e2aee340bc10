//! Scans every running server: its content for its page and the audit, and a data point for its charts. Scans never run
//! within a request and have a timeout, so a server that hangs delays nothing but its own row.

use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::admin_db::containers;
use crate::admin_db::containers::samples::Sample;
use crate::admin_db::containers::{Container, samples, surveys};
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::short_reason;
use crate::domain::state::ContainerState;
use crate::engine::{ExecOutcome, LOCKED_OUT, Survey};
use crate::provision::exec::ask;

/// Timeout for one server.
const ANSWER: Duration = Duration::from_secs(20);
/// Number of servers scanned at the same time. It is small, because some clients need a second of processor time to
/// start.
const AT_ONCE: usize = 2;

/// Why a server cannot be scanned if its owner removed the portal's user or changed its password, and what to do.
const SHUT_OUT: &str = "The portal's user cannot sign in to this server: someone removed the user or changed its \
                        password. Restart the database and the portal recreates the user.";

/// Why a scan failed: a sentence for the page of the database, and the exact error for the portal's log.
struct SurveyError {
    sentence: &'static str,
    detail: String,
}

impl SurveyError {
    fn new(sentence: &'static str, detail: &impl ToString) -> Self {
        Self { sentence, detail: detail.to_string() }
    }
}

/// Outcome of a scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// The server was scanned.
    Scanned,
    /// Nobody has used the server since the last scan, so its result is still valid.
    Idle,
    /// The server could not be scanned, or the result could not be saved.
    Failed,
}

/// Scans every running server once, except those that have not been used since their last scan.
///
/// # Errors
/// If mydb_admin cannot be queried. A server that cannot be scanned keeps its previous result, with the reason.
pub async fn survey(app: &App) -> anyhow::Result<serde_json::Value> {
    let mut db = app.db.acquire().await?;
    let mut rows = containers::living(&mut db).await?;
    drop(db);
    rows.retain(|c| c.state == ContainerState::Running && c.active_job.is_none() && c.docker_id.is_some());
    app.activity.keep(|id| rows.iter().any(|c| c.id == *id));
    let scans: Vec<BoxFuture<'_, anyhow::Result<Outcome>>> = rows.iter().map(|c| scan(app, c).boxed()).collect();
    let mut scans = futures::stream::iter(scans).buffer_unordered(AT_ONCE);
    let (mut failed, mut idle) = (0, 0);
    while let Some(outcome) = scans.next().await {
        // If the result of one server cannot be saved, the others are still scanned.
        let outcome = outcome.unwrap_or_else(|e| {
            tracing::warn!("The result of a scan could not be saved: {e:#}");
            Outcome::Failed
        });
        failed += usize::from(outcome == Outcome::Failed);
        idle += usize::from(outcome == Outcome::Idle);
    }
    let mut db = app.db.acquire().await?;
    let thinned = samples::thin(&mut db, app.clock.now()).await?;
    Ok(serde_json::json!({ "servers": rows.len(), "failed": failed, "idle": idle, "points_dropped": thinned }))
}

/// Scans one server and adds a data point for the charts.
async fn scan(app: &App, c: &Container) -> anyhow::Result<Outcome> {
    let id = c.docker_id.as_deref().unwrap_or_default();
    // Taken before the scan, so that changes during the scan are noticed by the next one.
    let (stats, begun) = (app.runtime.stats(id).await.ok().flatten(), Instant::now());
    let sample = |connections: Option<i32>| Sample {
        at: app.clock.now(),
        size_bytes: c.size_bytes,
        memory_bytes: stats.map(|s| s.memory),
        cpu_us: stats.map(|s| s.cpu_us),
        connections,
    };
    if stats.is_some_and(|stats| app.activity.is_idle(c.id, id, &stats, begun)) {
        let mut tx = app.db.begin().await?;
        if let Some(connections) = surveys::confirm(&mut tx, c.id, app.clock.now()).await? {
            samples::insert(&mut tx, c.id, &sample(connections)).await?;
            tx.commit().await?;
            return Ok(Outcome::Idle);
        }
    }
    let seen = into(app, c, id).await;
    let connections = seen.as_ref().ok().and_then(|s| s.connections).and_then(|n| i32::try_from(n).ok());
    let mut tx = app.db.begin().await?;
    samples::insert(&mut tx, c.id, &sample(connections)).await?;
    match &seen {
        Ok(survey) => surveys::set(&mut tx, c.id, survey, app.clock.now()).await?,
        Err(fault) => {
            tracing::warn!(container = %c.name, "A scan failed. {} {}", fault.sentence, fault.detail);
            surveys::fail(&mut tx, c.id, fault.sentence, app.clock.now()).await?;
        }
    }
    tx.commit().await?;
    let after = app.runtime.stats(id).await.ok().flatten();
    match (&seen, stats.zip(after)) {
        (Ok(_), Some((stats, after))) => app.activity.scanned(c.id, id, (&stats, &after), begun),
        _ => app.activity.keep(|other| *other != c.id),
    }
    Ok(if seen.is_ok() { Outcome::Scanned } else { Outcome::Failed })
}

async fn into(app: &App, c: &Container, id: &str) -> Result<Survey, SurveyError> {
    let engine = c.engine.engine();
    let blueprint = Blueprint::read(app, c).await;
    let blueprint = blueprint.map_err(|e| SurveyError::new("The portal could not prepare its queries.", &e))?;
    let said = ask(app, id, &engine.survey(&blueprint.plan()), ANSWER).await;
    let said = said.map_err(|e| SurveyError::new("The server did not respond.", &e))?;
    if said.code == 0 {
        return engine
            .read_survey(&said.stdout)
            .map_err(|e| SurveyError::new("The server's response could not be read.", &e));
    }
    let detail = match ExecOutcome::of(said.code, &said.stderr) {
        ExecOutcome::Failed(words) => short_reason::line(&words),
        ExecOutcome::Done => String::new(),
    };
    let shut_out = said.stderr.contains(LOCKED_OUT);
    let sentence = if shut_out { SHUT_OUT } else { "The server could not answer the portal's queries." };
    Err(SurveyError::new(sentence, &detail))
}
