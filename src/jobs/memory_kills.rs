//! Listens for databases that exceed their memory limit: the kernel then ends one of their processes.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::admin_db::containers::{Container, oom_kills};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{log, notices};
use crate::app::App;
use crate::domain::quantity::ByteSize;
use crate::runtime::Observed;

/// How far back to ask the engine for events, for those that happened while the portal did not listen. The engine keeps only a few.
const LOOK_BACK: chrono::Duration = chrono::Duration::days(1);
/// Delay before listening again.
const AGAIN: Duration = Duration::from_secs(2);

/// Listens until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        match stop.run_until_cancelled(listen(&app)).await {
            None => return,
            Some(Ok(())) => {}
            Some(Err(e)) => tracing::debug!("Stopped listening for databases that exceed their memory limit: {e:#}"),
        }
        if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
            return;
        }
    }
}

/// Counts events until the engine ends the stream or one cannot be recorded. The engine repeats it next time.
async fn listen(app: &App) -> anyhow::Result<()> {
    let mut kills = app.runtime.oom_kills(&app.config.instance, app.clock.now() - LOOK_BACK).await?;
    while let Some(kill) = kills.next().await {
        let kill = kill?;
        record(app, &kill.id, kill.at).await?;
    }
    Ok(())
}

/// Counts what the reconciler sees in a container that has ended, unless its event was counted: not every engine reports
/// events.
pub(super) async fn seen(app: &App, c: &Container, found: &Observed) -> anyhow::Result<()> {
    let counted = c.oom_killed_at.is_some_and(|at| found.started_at.is_none_or(|started| at >= started));
    if found.oom_killed && !counted {
        record(app, &found.id, app.clock.now()).await?;
    }
    Ok(())
}

async fn record(app: &App, docker_id: &str, at: DateTime<Utc>) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(of) = oom_kills::count(&mut tx, docker_id, at).await? else { return Ok(()) };
    let limit = ByteSize(of.memory_bytes);
    let text = format!(
        "The server needed more memory than its limit of {limit}, so the operating system ended one of its processes. \
         Connections were closed; committed data is kept. If this happens again, raise the memory limit, or let queries \
         use less memory."
    );
    let detail = format!("exceeded the memory limit of {limit}");
    let entry = LogEntry {
        action: "container.out_of_memory",
        container: Some((of.id, &of.name)),
        outcome: Outcome::Failed,
        detail: &detail,
    };
    if notices::out_of_memory(&mut tx, of.id, &text, now).await? {
        // As seldom as the notice: a server in which this happens all the time must not fill the log.
        log::append(&mut tx, &Actor::portal("memory"), &entry, now).await?;
        tracing::warn!(container.name = of.name, "{} {detail}", of.name);
    }
    tx.commit().await?;
    Ok(())
}
