//! Copies the data of a server at one moment.
//!
//! Where copies share blocks, the server is paused meanwhile: all its processes stand still, so the copy is what a power
//! failure would leave, from which every engine recovers. An engine's own lock would not do: PostgreSQL's and MariaDB's
//! protect only a copy that is combined with later log files, and Neo4j Community has none.
//!
//! Elsewhere a copy takes long. There the engine's own tool makes it while the server keeps working ([`online`]), if
//! there is one; otherwise the server is paused while its last changes are copied.

pub mod online;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::admin_db::spares;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::quantity::ByteSize;
use crate::provision::freeze::online::OnlineCopy;
use crate::provision::quota::space::RESERVE;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::RuntimeError;
use crate::storage::{DataDir, measured};

/// Time between two attempts to resume a server.
const AGAIN: Duration = Duration::from_millis(200);

/// How long the start of the portal waits for each server to resume.
const AT_START: Duration = Duration::from_secs(5);

/// A copy of a server's data at one moment.
#[derive(Debug, Clone, Copy)]
pub struct FrozenCopy {
    /// That moment.
    pub at: DateTime<Utc>,
    /// For how many milliseconds the server was paused: 0 if it kept working; `None` if it was not running.
    pub paused_ms: Option<i64>,
    /// Size of the data in bytes.
    pub bytes: i64,
}

/// What a copy of the data costs.
#[derive(Debug, Clone, Copy)]
pub struct CopyCost {
    /// Size of the data in bytes.
    pub bytes: i64,
    /// Whether the copy shares blocks with the data, so that it takes neither time nor space.
    pub shared: bool,
    /// Free space on the tier in bytes.
    pub free: i64,
}

impl CopyCost {
    /// Measures the data of `from` and what a copy of it in `to` would cost.
    pub async fn of(app: &App, from: &Blueprint, to: &DataDir) -> Result<Self, StepError> {
        if from.dir.base != to.base {
            return Err(StepError::Fail(
                "The database's storage tier is unavailable, so its data cannot be copied.".to_owned(),
            ));
        }
        let shared = app.files.shares_blocks(&from.dir, to, &from.reference).await?;
        let bytes = app.files.usage(&from.dir, &from.reference).await?;
        Ok(Self { bytes, shared, free: measured(from.tier.path.clone()).await?.free })
    }

    /// Rejects a copy for which there is no room, besides `reserve` bytes that must remain.
    pub fn check(&self, reserve: i64) -> Result<(), StepError> {
        let needed = if self.shared { reserve } else { self.bytes.saturating_add(reserve) };
        if self.free >= needed {
            return Ok(());
        }
        Err(StepError::Fail(format!(
            "Not enough disk space for a copy of the data: {} free, {} needed.",
            ByteSize(self.free),
            ByteSize(needed)
        )))
    }
}

/// Copies the data of `from` to `to`, which costs `cost`, and pauses its server meanwhile if it runs in the container
/// `running`.
///
/// # Errors
/// If there is no room, the data contains something that cannot be copied, or the server did not stay paused.
pub async fn copy(
    w: &StepContext,
    from: &Blueprint,
    to: &DataDir,
    running: Option<&str>,
    cost: CopyCost,
) -> Result<FrozenCopy, StepError> {
    let app = &w.app;
    cost.check(RESERVE)?;
    if !cost.shared
        && let Some(id) = running
        && let Some(copy) = OnlineCopy::of(from)
    {
        app.files.check(&from.dir, &from.reference, &from.image.volume).await?;
        if let Some(at) = copy.attempt(w, to, id).await? {
            return Ok(FrozenCopy { at, paused_ms: Some(0), bytes: cost.bytes });
        }
    }
    let Some(id) = running else {
        let at = app.clock.now();
        app.files.copy(&from.dir, to, &from.reference, &from.image.volume).await?;
        return Ok(FrozenCopy { at, paused_ms: None, bytes: cost.bytes });
    };
    w.progress(&format!("Copying {}", ByteSize(cost.bytes))).await;
    let ahead = app.files.copy_ahead(&from.dir, to, &from.image.volume).await?;
    // Unwritten data of a file is written before its blocks are shared. Data that is written now need not be written while the
    // server is paused.
    app.files.sync(&from.dir).await?;
    let begin = Instant::now();
    if let Err(e) = app.runtime.pause(id).await {
        // It may be paused although the engine did not answer.
        thaw(app, id).await;
        return Err(e.into());
    }
    let at = app.clock.now();
    let copied = app.files.copy_rest(&from.dir, to, &from.reference, &from.image.volume, ahead).await;
    let stood_still = app.runtime.inspect(id).await;
    thaw(app, id).await;
    let paused_ms = i64::try_from(begin.elapsed().as_millis()).ok();
    let copied = copied?;
    if stood_still?.is_none_or(|found| found.status != "paused") {
        return Err(StepError::Retry("The database was resumed or ended while its data was copied.".to_owned()));
    }
    app.files.finish_copy(to, &from.image.volume, copied).await?;
    Ok(FrozenCopy { at, paused_ms, bytes: cost.bytes })
}

/// Resumes the server in this container, and tries until it works: a server that stays paused is worse than any other
/// failure. A container that no longer exists needs nothing.
pub async fn thaw(app: &App, id: &str) {
    while let Err(e) = app.runtime.unpause(id).await {
        if matches!(e, RuntimeError::NotFound { .. }) {
            return;
        }
        tracing::error!(container = id, "Could not resume a paused database; trying again: {e}");
        tokio::time::sleep(AGAIN).await;
    }
}

/// Resumes every paused server of this portal, when the portal starts: the process that paused it may be dead. A copy that is
/// made by another portal at this moment fails and is made again.
///
/// # Errors
/// If the engine or mydb_admin cannot be queried.
pub async fn thaw_all(app: &App) -> Result<usize, StepError> {
    let mut paused = app.runtime.list(&app.config.instance).await?;
    paused.retain(|found| found.status == "paused");
    let mut db = app.db.acquire().await?;
    let spares = spares::all(&mut db).await?;
    drop(db);
    // Servers started in advance are to stay paused.
    paused.retain(|found| !spares.iter().any(|spare| spare.docker_name == found.name));
    for found in &paused {
        tracing::warn!(container = found.name, "Resuming a database that was paused when the portal started");
        if tokio::time::timeout(AT_START, thaw(app, &found.id)).await.is_err() {
            tracing::error!(
                container = found.name,
                "A paused database cannot be resumed now; the reconciler tries again"
            );
        }
    }
    Ok(paused.len())
}
