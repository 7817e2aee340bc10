//! Rebuilds a portal from only the bucket and the recovery key: first mydb_admin, then all databases that should exist.

pub mod from_manifests;
pub mod report;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::newest;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::jobs::JobStatus;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{backups, containers, jobs, log};
use crate::app::App;
use crate::auth::first_admin;
use crate::backup::restore::recover::recover;
use crate::backup::sign::AcceptedSigners;
use crate::blueprint::Blueprint;
use crate::bootstrap::BootstrapParts;
use crate::data_dir_lock::Presence;
use crate::domain::state::{ContainerState, Event};
use crate::jobs::registry::start_flow;
use crate::jobs::workers;
use crate::lifecycle::Lifecycle;
use crate::objects::{Store, Stores};
use crate::provision::{power, request};
use crate::rebuild::report::{DatabaseLine, DatabaseOutcome, RebuildReport, TrustedKeys};
use crate::recovery::admin_restore;
use crate::recovery::admin_restore::AdminRestoreRequest;
use crate::secrets::Random;
use crate::trash::{purge, tombstone};
use crate::{bootstrap, recovery_key};

/// The actor in the log.
const ACTOR: &str = "rebuild";
/// Time between two checks of a job.
const LOOK: Duration = Duration::from_millis(200);

/// Rebuilds this instance. Whatever exists already is kept, so an interrupted run can simply be repeated.
///
/// # Errors
/// If mydb_admin cannot be opened or restored. Failures of single databases are in the report.
pub async fn rebuild(
    mut parts: BootstrapParts,
    target: Option<&str>,
    wanted: &AdminRestoreRequest<'_>,
) -> anyhow::Result<RebuildReport> {
    let _alone = Presence::alone(&parts.config)?;
    // The recovery key may be one of the recipients of encrypted backups.
    parts.config.backups.identities.extend(wanted.key.cloned());
    let (stores, servers) = Stores::open(&parts.config).await.context("a backup target is unusable")?;
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
    if found.is_none()
        && let Some(key) = wanted.key
    {
        // Otherwise the keys in the backup of mydb_admin show whether it is the right one.
        recovery_key::adopt(&parts.config, key)?;
    }
    let known = bootstrap::holds_tables(&parts, &Random::system()).await?;
    let admin_db = match (&found, known) {
        (_, true) => {
            wanted.key.map_or(Ok(()), |key| recovery_key::adopt(&parts.config, key))?;
            "It already existed; missing databases are recovered.".to_owned()
        }
        (Some(found), false) => {
            admin_restore::restore(&parts, &store, found, wanted).await.context("mydb_admin could not be restored")?;
            format!("Restored from its backup of {}.", found.manifest.made_at.format("%Y-%m-%d %H:%M:%S UTC"))
        }
        (None, false) => "It has no backup, so it is rebuilt from the manifests.".to_owned(),
    };
    let app = Box::pin(App::assemble(parts, stores)).await?;
    first_admin::ensure(&app, None).await.context("the first administrator cannot be created")?;
    let mut lines = Vec::new();
    // The order matters: a database created in the last hour may have the name of one deleted in that hour.
    let recovery = wanted.key.map(recovery_key::signer_of);
    let by: Vec<AcceptedSigners<'_>> = std::iter::once(AcceptedSigners::Sealing(app.sealer.manifests()))
        .chain(recovery.as_ref().map(AcceptedSigners::Recovery))
        .collect();
    let trust = TrustedKeys { by: &by, unsigned: wanted.unsigned };
    let (taken_in, unsigned) = from_manifests::take_in(&app, &store, trust, &mut lines).await?;
    forget_deleted(&app, &store, trust, &mut lines).await?;
    let made = from_manifests::enqueue(&app, &store, trust, &mut lines).await?;
    lifecycle.spawn("jobs", {
        let (app, stop) = (app.clone(), stop.clone());
        async move {
            workers::run(app, stop).await;
            Ok(())
        }
    });
    let databases = async {
        let named: HashSet<String> = made.iter().map(|(line, _)| line.database.clone()).collect();
        for (line, job) in made {
            lines.push(ended(&app, line, job).await?);
        }
        lines.extend(bring_back(&app).await?.into_iter().filter(|l| !named.contains(&l.database)));
        lines.sort_by(|a, b| a.database.cmp(&b.database));
        Ok::<_, anyhow::Error>(lines)
    };
    let databases = databases.await;
    let _ = lifecycle.stop(std::future::pending()).await;
    app.db.close().await;
    Ok(RebuildReport { admin_db, taken_in, unsigned, databases: databases? })
}

/// Forgets the databases that were deleted after mydb_admin was backed up: their data is not on this host, and the
/// deletion record next to their backups is newer than everything known about them.
async fn forget_deleted(
    app: &Arc<App>,
    store: &Store,
    trust: TrustedKeys<'_>,
    lines: &mut Vec<DatabaseLine>,
) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    let newest = newest_good(&mut db).await?;
    drop(db);
    for c in rows.iter().filter(|c| c.active_job.is_none() && c.state != ContainerState::Trashed) {
        if is_here(app, c).await? {
            continue;
        }
        let mark = tombstone::read(store, app.config.instance.as_str(), c.id, trust.by, trust.unsigned).await?;
        let Some(mark) = mark else { continue };
        let lived_on = newest.get(&c.id).is_some_and(|(_, made_at)| *made_at >= mark.deleted_at);
        if lived_on || c.changed_at >= mark.deleted_at {
            continue;
        }
        let why = from_manifests::deleted(&mark);
        let mut tx = app.db.begin().await?;
        let now = app.clock.now();
        for event in [Event::Delete, Event::Purge] {
            states::apply(&mut tx, c.id, event, ACTOR, now, None).await?;
        }
        purge::forget(&mut tx, c.id, mark.deleted_at).await?;
        let about = Some((c.id, c.name.as_str()));
        let entry = LogEntry { action: "container.purge", container: about, outcome: Outcome::Ok, detail: &why };
        log::append(&mut tx, &Actor::portal(ACTOR), &entry, now).await?;
        tx.commit().await?;
        lines.push(DatabaseLine {
            database: c.name.clone(),
            engine: c.engine.label(),
            is: DatabaseOutcome::Deleted,
            outcome: why,
        });
    }
    Ok(())
}

/// The newest good backup of each database, and when it began.
async fn newest_good(db: &mut PgConnection) -> Result<HashMap<Uuid, (Uuid, DateTime<Utc>)>, sqlx::Error> {
    let found = newest::list(db).await?;
    Ok(found.into_iter().filter_map(|n| Some((n.container_id, (n.good_id?, n.good_at?)))).collect())
}

/// Enqueues the recovery of all databases without data on this host at once, and waits for each.
async fn bring_back(app: &Arc<App>) -> anyhow::Result<Vec<DatabaseLine>> {
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    let newest = newest_good(&mut db).await?;
    drop(db);
    let (mut lines, mut under_way) = (Vec::new(), Vec::new());
    for c in rows {
        let line = |is: DatabaseOutcome, outcome: String| DatabaseLine {
            database: c.name.clone(),
            engine: c.engine.label(),
            is,
            outcome,
        };
        if matches!(c.state, ContainerState::Trashed | ContainerState::Deleting) {
            lines.push(line(DatabaseOutcome::Deleted, "It was in the trash. Its backups are registered.".to_owned()));
            continue;
        }
        if c.active_job.is_none() && is_here(app, &c).await? {
            lines.push(line(DatabaseOutcome::There, "Its data is here.".to_owned()));
            continue;
        }
        let job = match (c.active_job_id, newest.get(&c.id)) {
            (Some(job), _) => Ok(job),
            // It was being restored from another database's backup when an earlier run of the rebuild was interrupted.
            (None, None) if c.started_at.is_none() && c.restored_from.is_some() => {
                request::act(app, &c, start_flow(&c), &Actor::portal(ACTOR)).await.map_err(|e| e.to_string())
            }
            (None, None) => Err("It has no backup.".to_owned()),
            (None, Some((backup, _))) => {
                let mut db = app.db.acquire().await?;
                let backup = backups::by_id(&mut db, *backup).await?.context("a backup disappeared")?;
                drop(db);
                recover(app, &c, &backup, &Actor::portal(ACTOR)).await.map_err(|e| e.to_string())
            }
        };
        match job {
            Ok(job) => {
                under_way.push((
                    line(DatabaseOutcome::Missing, String::new()),
                    job,
                    c.state == ContainerState::Stopped,
                ));
            }
            Err(why) => lines.push(line(DatabaseOutcome::Missing, why)),
        }
    }
    for (line, job, stopped) in under_way {
        let line = ended(app, line, job).await?;
        if line.is == DatabaseOutcome::There && stopped {
            stop_again(app, &line.database).await?;
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Whether the data of the database is on this host.
async fn is_here(app: &App, c: &Container) -> anyhow::Result<bool> {
    let Ok(b) = Blueprint::read(app, c).await else { return Ok(false) };
    Ok(c.started_at.is_some() && !app.files.is_empty(&b.dir, &b.reference).await?)
}

/// Waits for a job and records its outcome.
async fn ended(app: &App, mut line: DatabaseLine, job: Uuid) -> anyhow::Result<DatabaseLine> {
    loop {
        let mut db = app.db.acquire().await?;
        let found = jobs::by_id(&mut db, job).await?.context("a job disappeared")?;
        drop(db);
        match found.status {
            JobStatus::Queued | JobStatus::Running => tokio::time::sleep(LOOK).await,
            JobStatus::Succeeded => {
                line.is = DatabaseOutcome::There;
                "Recovered from its newest backup and compared with it.".clone_into(&mut line.outcome);
                return Ok(line);
            }
            JobStatus::Failed | JobStatus::Cancelled => {
                line.outcome = found.error.unwrap_or_else(|| "The recovery failed.".to_owned());
                return Ok(line);
            }
        }
    }
}

/// Stops a database that was stopped before.
async fn stop_again(app: &Arc<App>, name: &str) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    let c = containers::by_name(&mut db, name).await?.context("a database disappeared")?;
    drop(db);
    request::act(app, &c, &power::STOP, &Actor::portal(ACTOR)).await?;
    Ok(())
}
