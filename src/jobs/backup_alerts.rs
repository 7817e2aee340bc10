//! Raises notices about backups: failed test restores, failed backups and missed backups.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::BackupStatus;
use crate::admin_db::backups::newest::Newest;
use crate::admin_db::containers::Container;
use crate::admin_db::jobs::Job;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::notices::NoticeKind;
use crate::admin_db::{backups, log, notices};
use crate::app::App;
use crate::domain::backup_schedule::Policy;
use crate::domain::job_kind::JobKind;
use crate::domain::short_reason;
use crate::domain::state::ContainerState;

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Raises a notice that the backup or test restore of a job failed, before its row records that. Earlier test restores
/// remain valid.
pub async fn failed(tx: &mut PgConnection, job: &Job, why: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if !matches!(job.kind(), Some(JobKind::Backup | JobKind::Drill | JobKind::Delete)) {
        return Ok(());
    }
    let row = backups::of_job(tx, job.id).await?.filter(|row| row.status == BackupStatus::Running);
    let Some(row) = row else { return Ok(()) };
    let why = short_reason::line(why);
    let (kind, text) = match row.drill_of {
        Some(of) => {
            let from =
                backups::by_id(tx, of).await?.map(|b| format!(" from {}", day(b.started_at))).unwrap_or_default();
            (NoticeKind::DrillFailed, format!("The test restore of the backup{from} failed: {why}"))
        }
        None => (NoticeKind::BackupFailed, format!("The backup started at {} failed: {why}", day(row.started_at))),
    };
    notices::raise(tx, row.container_id, kind, (row.drill_of, &text), now).await.map(|_| ())
}

/// When the backup of a database was due, if it was not made in time.
fn missed(app: &App, c: &Container, seen: Option<&Newest>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let counts = matches!(c.state, ContainerState::Running | ContainerState::Stopped | ContainerState::Failed);
    if !counts || c.started_at.is_none() || c.engine.engine().backup().is_none() {
        return None;
    }
    let good = seen.and_then(|s| s.good_at);
    Policy::stored(&c.backup_freq).missed(c.id, app.config.backups.window, (c.policy_at, good), now)
}

/// Raises notices for databases that missed a backup, clears those of databases that have one again, and returns the
/// names of the former.
pub async fn look(app: &Arc<App>, rows: &[Container], newest: &[Newest]) -> Result<Vec<String>, sqlx::Error> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let known = notices::missing(&mut db).await?;
    drop(db);
    let mut missing: Vec<(Uuid, String)> = Vec::new();
    for c in rows {
        let seen = newest.iter().find(|n| n.container_id == c.id);
        let Some(due) = missed(app, c, seen, now) else { continue };
        missing.push((c.id, c.name.clone()));
        if known.contains(&c.id) {
            continue;
        }
        let newest = seen
            .and_then(|s| s.good_at)
            .map_or("There is no backup at all.".to_owned(), |at| format!("The newest one is from {}.", day(at)));
        let state = match (&c.maintenance_note, c.state) {
            (Some(_), _) => " The database is in maintenance.".to_owned(),
            (None, ContainerState::Running) => String::new(),
            (None, state) => format!(" The database is {state}."),
        };
        let text = format!("A backup was due at {} but was not made in time. {newest}{state}", day(due));
        let mut tx = app.db.begin().await?;
        if notices::raise(&mut tx, c.id, NoticeKind::BackupMissed, (None, &text), now).await? {
            let about = Some((c.id, c.name.as_str()));
            let entry = LogEntry { action: "backup.missed", container: about, outcome: Outcome::Failed, detail: &text };
            log::append(&mut tx, &Actor::portal("backups"), &entry, now).await?;
            tracing::warn!(container.name = c.name, "{}: {text}", c.name);
        }
        tx.commit().await?;
    }
    if known.iter().any(|id| missing.iter().all(|(m, _)| m != id)) {
        let still: Vec<Uuid> = missing.iter().map(|(id, _)| *id).collect();
        let mut db = app.db.acquire().await?;
        notices::end_missing_but(&mut db, &still, now).await?;
    }
    Ok(missing.into_iter().map(|(_, name)| name).collect())
}
