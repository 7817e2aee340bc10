//! Looks into every running server: what it holds, for its page and the audit, and a point for its charts. Never
//! inside a request, and bounded in time, so a server that hangs slows nothing but its own row.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::admin_db::containers;
use crate::admin_db::containers::samples::Sample;
use crate::admin_db::containers::{Container, samples, surveys};
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::reason;
use crate::domain::state::ContainerState;
use crate::engine::{ExecOutcome, LOCKED_OUT, Survey};
use crate::provision::exec::ask;

/// How long one server may take to answer.
const ANSWER: Duration = Duration::from_secs(20);
/// Servers asked at the same time. Few, because some clients take a second of processor time to start.
const AT_ONCE: usize = 2;

/// Why a server whose owner shut the portal's user out can't be looked into, and what helps.
const SHUT_OUT: &str = "The portal's user cannot sign in to this server: someone removed the user or changed its \
                        password. Restart the database and the portal recreates the user.";

/// Why a look failed: a sentence for the database's page, and what exactly was said for the portal's log.
struct SurveyError {
    sentence: &'static str,
    detail: String,
}

impl SurveyError {
    fn new(sentence: &'static str, detail: &impl ToString) -> Self {
        Self { sentence, detail: detail.to_string() }
    }
}

/// Looks into every server once.
///
/// # Errors
/// If mydb_admin can't be asked. A server that can't be asked keeps what was seen before, with the reason.
pub async fn survey(app: &App) -> anyhow::Result<serde_json::Value> {
    let mut db = app.db.acquire().await?;
    let mut rows = containers::living(&mut db).await?;
    drop(db);
    rows.retain(|c| c.state == ContainerState::Running && c.active_job.is_none() && c.docker_id.is_some());
    let looks: Vec<BoxFuture<'_, anyhow::Result<bool>>> = rows.iter().map(|c| look(app, c).boxed()).collect();
    let mut looks = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
    let mut failed = 0;
    while let Some(fine) = looks.next().await {
        // What could not be written of one server keeps nobody from looking into the others.
        let fine = fine.unwrap_or_else(|e| {
            tracing::warn!("Could not record the result of a server scan: {e:#}");
            false
        });
        failed += usize::from(!fine);
    }
    let mut db = app.db.acquire().await?;
    let thinned = samples::thin(&mut db, app.clock.now()).await?;
    Ok(serde_json::json!({ "servers": rows.len(), "failed": failed, "points_dropped": thinned }))
}

/// One look; whether it succeeded.
async fn look(app: &App, c: &Container) -> anyhow::Result<bool> {
    let id = c.docker_id.as_deref().unwrap_or_default();
    let seen = into(app, c, id).await;
    let stats = app.runtime.stats(id).await.ok().flatten();
    let now = app.clock.now();
    let sample = Sample {
        at: now,
        size_bytes: c.size_bytes,
        memory_bytes: stats.map(|s| s.memory),
        cpu_us: stats.map(|s| s.cpu_us),
        connections: seen.as_ref().ok().and_then(|s| s.connections).and_then(|n| i32::try_from(n).ok()),
    };
    let mut tx = app.db.begin().await?;
    samples::insert(&mut tx, c.id, &sample).await?;
    match &seen {
        Ok(survey) => surveys::set(&mut tx, c.id, survey, now).await?,
        Err(fault) => {
            tracing::warn!(container = %c.name, "A server scan failed. {} {}", fault.sentence, fault.detail);
            surveys::fail(&mut tx, c.id, fault.sentence, now).await?;
        }
    }
    tx.commit().await?;
    Ok(seen.is_ok())
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
        ExecOutcome::Failed(words) => reason::line(&words),
        ExecOutcome::Done => String::new(),
    };
    let shut_out = said.stderr.contains(LOCKED_OUT);
    let sentence = if shut_out { SHUT_OUT } else { "The server could not answer the portal's queries." };
    Err(SurveyError::new(sentence, &detail))
}
