//! Periodic work. If several portals use one mydb_admin, each run is done by one of them.

use std::sync::Arc;
use std::time::Duration;

use chrono::Duration as Span;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{backups, reaper, survey, usage};
use crate::admin_db::backups::schedule;
use crate::admin_db::containers;
use crate::admin_db::containers::ports;
use crate::admin_db::log::Actor;
use crate::admin_db::people::sessions;
use crate::app::App;
use crate::audit::AUDIT;
use crate::backup::restore::undo;
use crate::backup::retention::prune::prune_if_due;
use crate::clones::remove;
use crate::jobs::reconcile_servers;
use crate::provision::spares::keeper;
use crate::provision::{request, seed_builder};
use crate::queue::enqueue::enqueue_portal;
use crate::queue::refusal::RequestError;
use crate::recovery::admin_backup;
use crate::templates::{retire, update};
use crate::trash::purge::PURGE;
use crate::trash::tombstone;

/// One kind of periodic work.
struct PeriodicWork {
    /// Its key in the table `schedule`.
    name: &'static str,
    /// Its title, for people.
    title: &'static str,
    every: fn(&App) -> Duration,
    run: for<'a> fn(&'a Arc<App>) -> BoxFuture<'a, anyhow::Result<Value>>,
}

/// All periodic work.
const WORK: &[PeriodicWork] = &[
    PeriodicWork {
        name: "reconcile",
        title: "Desired and actual states",
        every: |app| app.config.jobs.reconcile,
        run: |app| Box::pin(async move { Ok(serde_json::to_value(reconcile_servers::reconcile(app).await?)?) }),
    },
    PeriodicWork {
        name: "usage",
        title: "Sizes on disk",
        every: |app| app.config.jobs.usage,
        run: |app| Box::pin(usage::measure(app)),
    },
    PeriodicWork {
        name: "survey",
        title: "Scans of servers",
        every: |app| app.config.jobs.survey,
        run: |app| Box::pin(survey::survey(app)),
    },
    PeriodicWork {
        name: "backups",
        title: "Scheduled backups",
        every: |_| Duration::from_secs(30),
        run: |app| Box::pin(backups::enqueue(app)),
    },
    PeriodicWork {
        name: "admin backup",
        title: "Backup of mydb_admin",
        every: |app| app.config.backups.admin_every.max(Duration::from_secs(60)),
        run: |app| Box::pin(admin_backup::hourly(app)),
    },
    PeriodicWork {
        name: "prune",
        title: "Removal of old backups",
        every: |_| Duration::from_secs(3600),
        run: |app| Box::pin(prune(app)),
    },
    PeriodicWork {
        name: "audit",
        title: "Audit of backups",
        every: |_| Duration::from_secs(24 * 3600),
        run: |app| Box::pin(audit(app)),
    },
    PeriodicWork {
        name: "purge",
        title: "Emptying the trash",
        every: |_| Duration::from_secs(60),
        run: |app| Box::pin(purge(app)),
    },
    PeriodicWork {
        name: "reaper",
        title: "Expiry of databases",
        every: |app| app.config.jobs.reaper_every,
        run: |app| Box::pin(reaper::run(app)),
    },
    PeriodicWork {
        name: "set aside",
        title: "Removal of previous data",
        every: |_| Duration::from_secs(3600),
        run: |app| Box::pin(async move { undo::remove_expired(app).await }),
    },
    PeriodicWork {
        name: "snapshots",
        title: "Removal of snapshots",
        every: |_| Duration::from_secs(60),
        run: |app| Box::pin(async move { remove::remove_unneeded(app).await }),
    },
    PeriodicWork {
        name: "marks",
        title: "Deletion records",
        every: |_| Duration::from_secs(300),
        run: |app| Box::pin(async move { tombstone::settle(app).await }),
    },
    PeriodicWork {
        name: "seeds",
        title: "Seeds of images",
        every: |app| app.config.jobs.prepare,
        run: |app| Box::pin(async move { seed_builder::enqueue_if_due(app).await }),
    },
    PeriodicWork {
        name: "spares",
        title: "Servers started in advance",
        every: |app| app.config.jobs.spares,
        run: |app| Box::pin(async move { keeper::enqueue_if_due(app).await }),
    },
    PeriodicWork {
        name: "templates",
        title: "Import of changed dumps",
        every: |_| Duration::from_secs(1800),
        run: |app| Box::pin(async move { update::nightly(app).await }),
    },
    PeriodicWork {
        name: "template versions",
        title: "Removal of old versions of templates",
        every: |_| Duration::from_secs(60),
        run: |app| Box::pin(async move { retire::remove_unneeded(app).await }),
    },
    PeriodicWork {
        name: "tidy",
        title: "Clean-up of sessions and ports",
        every: |_| Duration::from_secs(600),
        run: |app| Box::pin(tidy(app)),
    },
];

/// The title of periodic work, for people. Work that only another version of the portal knows keeps its key.
pub fn title(name: &str) -> &str {
    WORK.iter().find(|work| work.name == name).map_or(name, |work| work.title)
}

/// Time between two checks for due work.
const TICK: Duration = Duration::from_millis(500);

/// Runs due work until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(TICK) => {}
        }
        let names = match stop.run_until_cancelled(due(&app)).await {
            None => return,
            Some(Ok(names)) => names,
            Some(Err(e)) => {
                tracing::warn!("Could not look up due work: {e:#}");
                continue;
            }
        };
        for due in WORK.iter().filter(|due| names.iter().any(|name| name == due.name)) {
            // Can be interrupted anywhere: the next run repeats all of it.
            match stop.run_until_cancelled(run_if_due(&app, due)).await {
                None => return,
                Some(Ok(())) => {}
                Some(Err(e)) => tracing::warn!(work = due.name, "The periodic task `{}` failed: {e:#}", due.name),
            }
        }
    }
}

/// Names of the work that is due.
async fn due(app: &App) -> anyhow::Result<Vec<String>> {
    let work: Vec<_> = WORK.iter().map(|due| (due.name, (due.every)(app).as_secs_f64())).collect();
    let mut db = app.db.acquire().await?;
    Ok(schedule::due(&mut db, &work).await?)
}

async fn run_if_due(app: &Arc<App>, due: &PeriodicWork) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    if !schedule::claim(&mut db, due.name, (due.every)(app).as_secs_f64(), &app.worker).await? {
        return Ok(());
    }
    drop(db);
    let result = match (due.run)(app).await {
        Ok(result) => result,
        Err(e) => json!({ "error": format!("{e:#}") }),
    };
    if let Some(error) = result.get("error") {
        tracing::warn!(work = due.name, "The periodic task `{}` failed: {error}", due.name);
    }
    let mut db = app.db.acquire().await?;
    Ok(schedule::set_result(&mut db, due.name, &result).await?)
}

/// Enqueues the removal of backups that the retention policy does not keep.
async fn prune(app: &Arc<App>) -> anyhow::Result<Value> {
    let due = prune_if_due(app, &Actor::portal("prune")).await?;
    Ok(json!({ "to_remove": due }))
}

/// Enqueues the daily audit of the backups. Without a target there is nothing to compare, which pages show.
async fn audit(app: &Arc<App>) -> anyhow::Result<Value> {
    if app.stores.first().is_none() {
        return Ok(json!({ "skipped": "no target is configured" }));
    }
    match enqueue_portal(app, &AUDIT, &Actor::portal("audit")).await {
        Ok(job) => Ok(json!({ "job": job })),
        Err(RequestError::Busy) => Ok(json!({ "skipped": "one is already running" })),
        Err(e) => Err(e.into()),
    }
}

/// Enqueues the permanent deletion of databases that have been in the trash long enough.
async fn purge(app: &Arc<App>) -> anyhow::Result<Value> {
    let mut db = app.db.acquire().await?;
    let due = containers::due_for_purge(&mut db, app.clock.now()).await?;
    let mut names = Vec::new();
    for (id, name) in due {
        let Some(c) = containers::by_id(&mut db, id).await? else { continue };
        match request::act(app, &c, &PURGE, &Actor::portal("reaper")).await {
            Ok(_) => names.push(name),
            Err(e) => tracing::warn!(container.name = name, "Could not enqueue the purge of `{name}`: {e}"),
        }
    }
    Ok(json!({ "enqueued": names }))
}

/// Removes expired sessions, and checks ports again that were held by other programs.
async fn tidy(app: &Arc<App>) -> anyhow::Result<Value> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let ended = sessions::delete_expired(&mut db, now).await?;
    let freed = ports::forget_occupied(&mut db, now - Span::hours(1)).await?;
    Ok(json!({ "sessions": ended, "ports": freed }))
}
