//! From nothing but the bucket and the recovery key: mydb_admin, then every database that should be there.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde::Serialize;
use uuid::Uuid;

use super::admin_restore::{self, Wanted};
use super::from_manifests;

use crate::admin_db::containers::{self, Container};
use crate::admin_db::jobs::JobStatus;
use crate::admin_db::log::Actor;
use crate::admin_db::{backups, bootstrap, jobs, newest_backups};
use crate::app::{App, Parts};
use crate::auth::first_admin;
use crate::backup::recover::recover;
use crate::domain::state::ContainerState;
use crate::jobs::runner;
use crate::lifecycle::Lifecycle;
use crate::objects::Stores;
use crate::provision::blueprint::Blueprint;
use crate::provision::power;
use crate::provision::request;
use crate::secrets::Random;

/// Who is in the log.
const ACTOR: &str = "rebuild";
/// Wait between looks at a job.
const LOOK: Duration = Duration::from_millis(200);

/// What became of one database.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Its name.
    pub database: String,
    /// Its engine.
    pub engine: &'static str,
    /// Whether it is there.
    pub there: bool,
    /// A sentence.
    pub outcome: String,
}

/// What became of all of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where mydb_admin came from, as a sentence.
    pub admin_db: String,
    /// The databases.
    pub databases: Vec<Line>,
}

/// Rebuilds this instance. What is there already stays as it is, so a run that was cut short is begun again.
///
/// # Errors
/// If mydb_admin can't be had. What fails for one database is in the report.
pub async fn rebuild(mut parts: Parts, target: Option<&str>, wanted: &Wanted<'_>) -> anyhow::Result<Report> {
    // It may be one of those to whom backups are encrypted.
    parts.config.backups.identities.extend(wanted.key.cloned());
    let (stores, servers) = Stores::open(&parts.config).await.context("a target can't be used")?;
    let mut lifecycle = Lifecycle::default();
    let stop = lifecycle.token();
    for server in servers {
        lifecycle.spawn("embedded store", server.serve(stop.clone()));
    }
    let store = match target {
        Some(name) => stores.get(name).cloned(),
        None => stores.first().cloned(),
    };
    let store = store.ok_or_else(|| anyhow!("there is no such target in the configuration"))?;
    let found = admin_restore::choose(&parts, &store, wanted.at).await?;
    let known = bootstrap::holds_tables(&parts, &Random::system()).await?;
    let (admin_db, by_manifests) = match (&found, known) {
        (_, true) => ("It was there already; what is missing of the databases is brought back.".to_owned(), false),
        (Some(found), false) => {
            admin_restore::restore(&parts, &store, found, wanted).await.context("mydb_admin could not be restored")?;
            (format!("From its backup of {}.", found.0.made_at.format("%Y-%m-%d %H:%M:%S UTC")), false)
        }
        (None, false) => ("There is no backup of it: it is made anew from the manifests.".to_owned(), true),
    };
    let app = App::assemble(parts, stores).await?;
    first_admin::ensure(&app, None).await.context("the first administrator can't be made")?;
    let mut lines = Vec::new();
    let made = if by_manifests { from_manifests::enqueue(&app, &store, &mut lines).await? } else { Vec::new() };
    lifecycle.spawn("jobs", {
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            runner::run(app, stop).await;
            Ok(())
        }
    });
    let databases = async {
        for (line, job) in made {
            lines.push(ended(&app, line, job).await?);
        }
        let named: HashSet<String> = lines.iter().map(|l| l.database.clone()).collect();
        lines.extend(bring_back(&app).await?.into_iter().filter(|l| !named.contains(&l.database)));
        Ok::<_, anyhow::Error>(lines)
    };
    let databases = databases.await;
    let _ = lifecycle.stop(std::future::pending()).await;
    app.db.close().await;
    Ok(Report { admin_db, databases: databases? })
}

/// Enqueues the way back of all that have no data here, at once, and waits for each.
async fn bring_back(app: &Arc<App>) -> anyhow::Result<Vec<Line>> {
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    let newest: HashMap<Uuid, Uuid> =
        newest_backups::list(&mut db).await?.into_iter().filter_map(|n| Some((n.container_id, n.good_id?))).collect();
    drop(db);
    let (mut lines, mut under_way) = (Vec::new(), Vec::new());
    for c in rows {
        let line =
            |there: bool, outcome: String| Line { database: c.name.clone(), engine: c.engine.label(), there, outcome };
        if matches!(c.state, ContainerState::Trashed | ContainerState::Deleting) {
            lines.push(line(false, "It was in the trash. Its backups are in the bucket.".to_owned()));
            continue;
        }
        if c.active_job.is_none() && is_here(app, &c).await? {
            lines.push(line(true, "Its data is here.".to_owned()));
            continue;
        }
        let job = match (c.active_job_id, newest.get(&c.id)) {
            (Some(job), _) => Ok(job),
            (None, None) => Err("There is no backup of it.".to_owned()),
            (None, Some(backup)) => {
                let mut db = app.db.acquire().await?;
                let backup = backups::by_id(&mut db, *backup).await?.context("a backup vanished")?;
                drop(db);
                recover(app, &c, &backup, &Actor::portal(ACTOR)).await.map_err(|e| e.to_string())
            }
        };
        match job {
            Ok(job) => under_way.push((line(false, String::new()), job, c.state == ContainerState::Stopped)),
            Err(why) => lines.push(line(false, why)),
        }
    }
    for (line, job, stopped) in under_way {
        let line = ended(app, line, job).await?;
        if line.there && stopped {
            stop_again(app, &line.database).await?;
        }
        lines.push(line);
    }
    lines.sort_by(|a, b| a.database.cmp(&b.database));
    Ok(lines)
}

/// Whether the database's data lies on this host.
async fn is_here(app: &App, c: &Container) -> anyhow::Result<bool> {
    let Ok(b) = Blueprint::read(app, c).await else { return Ok(false) };
    Ok(c.started_at.is_some() && !app.files.is_empty(&b.dir, &b.reference).await?)
}

/// Waits for a job, and says what became of it.
async fn ended(app: &App, mut line: Line, job: Uuid) -> anyhow::Result<Line> {
    loop {
        let mut db = app.db.acquire().await?;
        let found = jobs::by_id(&mut db, job).await?.context("a job vanished")?;
        drop(db);
        match found.status {
            JobStatus::Queued | JobStatus::Running => tokio::time::sleep(LOOK).await,
            JobStatus::Succeeded => {
                line.there = true;
                "Brought back from its newest backup and compared with it.".clone_into(&mut line.outcome);
                return Ok(line);
            }
            JobStatus::Failed | JobStatus::Cancelled => {
                line.outcome = found.error.unwrap_or_else(|| "It failed.".to_owned());
                return Ok(line);
            }
        }
    }
}

/// One that was stopped is stopped again.
async fn stop_again(app: &Arc<App>, name: &str) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    let c = containers::by_name(&mut db, name).await?.context("a database vanished")?;
    drop(db);
    request::act(app, &c, &power::STOP, &Actor::portal(ACTOR)).await?;
    Ok(())
}
