//! Enqueues the backups that are due, and test restores of the newest ones.

use std::sync::Arc;

use chrono::Duration;
use serde_json::{Value, json};

use crate::admin_db::backups::newest;
use crate::admin_db::log::Actor;
use crate::admin_db::{backups, containers};
use crate::app::App;
use crate::backup::drill;
use crate::backup::{replicate, request};
use crate::domain::backup_schedule::{DRILL_DAYS, Policy};
use crate::domain::state::ContainerState;
use crate::jobs::backup_alerts;
use crate::notify;
use crate::queue::refusal::RequestError;

/// The actor in the log.
const ACTOR: &str = "backups";
/// Test restores enqueued per run. They use processor time that databases need too.
const DRILLS: usize = 1;
/// Minutes after which a failed backup is retried.
const AGAIN_MINUTES: i64 = 30;

/// Enqueues what is due. Runs that were missed because the portal or the server was down are made up for once.
pub async fn enqueue(app: &Arc<App>) -> anyhow::Result<Value> {
    if app.stores.first().is_none() {
        // The audit raises one alarm for all of them.
        return Ok(json!({ "skipped": "no target is configured" }));
    }
    let now = app.clock.now();
    let window = app.config.backups.window;
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    let newest = newest::list(&mut db).await?;
    drop(db);
    // Checked before what is due is enqueued: that makes up for a missed backup, but the alarm must remain until it is
    // done.
    let missed = backup_alerts::look(app, &rows, &newest).await?;
    notify::tell(app);
    let copies = replicate::enqueue_if_due(app, &Actor::portal(ACTOR)).await?;
    let (mut made, mut drills) = (Vec::new(), Vec::new());
    for c in rows.iter().filter(|c| can(c.state) && c.maintenance_note.is_none()) {
        let seen = newest.iter().find(|n| n.container_id == c.id);
        let due = Policy::stored(&c.backup_freq).last_due(c.id, window, now).filter(|due| *due >= c.policy_at);
        let good = seen.and_then(|s| s.good_at);
        let failed = seen.and_then(|s| s.tried_at).filter(|at| now - *at < Duration::minutes(AGAIN_MINUTES));
        if due.is_some_and(|due| good.is_none_or(|at| at < due)) && failed.is_none() && c.active_job.is_none() {
            match request::backup(app, c, "schedule", &Actor::portal(ACTOR)).await {
                Ok(_) => made.push(c.name.clone()),
                Err(RequestError::NoBackup(_) | RequestError::Busy) => {}
                Err(e) => tracing::warn!(container.name = c.name, "Could not enqueue a due backup: {e}"),
            }
        }
        let stale = |s: &&newest::Newest| s.drilled_at.is_none_or(|at| now - at > Duration::days(DRILL_DAYS));
        if let Some(id) = seen.filter(stale).and_then(|s| s.good_id)
            && drills.len() < DRILLS
            && seen.is_some_and(|s| !s.drilling)
        {
            let mut db = app.db.acquire().await?;
            let Some(backup) = backups::by_id(&mut db, id).await? else { continue };
            drop(db);
            match drill::request(app, &backup, "schedule", &Actor::portal(ACTOR)).await {
                Ok(_) => drills.push(c.name.clone()),
                // Without the key, the portal cannot run a test restore.
                Err(RequestError::Busy | RequestError::NeedsKey) => {}
                Err(e) => tracing::warn!(container.name = c.name, "Could not enqueue a due test restore: {e}"),
            }
        }
    }
    Ok(json!({ "backups": made, "drills": drills, "copies": copies, "missed": missed }))
}

/// Stopped databases are backed up too, from a copy: their disk can fail as well.
fn can(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Stopped)
}
