//! The final backup of a database being deleted: the first steps of the deletion. If it fails or is cancelled, the
//! deletion is called off and the database stays as it was. A stopped database is backed up from a copy.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::{Backup, BackupStatus, NewBackup};
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::jobs::payload::JobNotes;
use crate::admin_db::{backups, constraint, jobs, new_id};
use crate::app::App;
use crate::backup::dump;
use crate::backup::dump::read_back;
use crate::domain::backup_schedule::Policy;
use crate::domain::state::{ContainerState, Event};
use crate::queue::context::StepContext;
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// Why a deleted database gets no final backup, as a sentence; `None` if it gets one.
pub fn none_because(app: &App, c: &Container) -> Option<String> {
    if c.started_at.is_none() {
        return Some("The database never ran, so there is nothing to back up.".to_owned());
    }
    if Policy::parse(&c.backup_freq) == Some(Policy::Never) {
        return Some("No final backup is made, because the backup schedule is “Never”.".to_owned());
    }
    if app.stores.first().is_none() {
        return Some("No final backup can be made, because no backup target is configured.".to_owned());
    }
    if c.engine.engine().backup().is_none() {
        return Some(format!(
            "No final backup can be made, because backups of {} are not supported yet.",
            c.engine.label()
        ));
    }
    None
}

/// Inserts the row of the final backup with which a deletion begins.
///
/// # Errors
/// [`RequestError`]
pub async fn insert(app: &App, tx: &mut PgConnection, c: &Container, job: Uuid) -> Result<(), RequestError> {
    let store = app.stores.first().ok_or(RequestError::NoTarget)?;
    let id = new_id();
    let new = NewBackup { id, container: c.id, reason: "final", target: store.name(), drill_of: None };
    backups::insert(tx, &new, app.clock.now()).await.map_err(|e| match constraint(&e) {
        Some("backup_log_running_key") => RequestError::Busy,
        _ => RequestError::from(e),
    })?;
    backups::set_job(tx, id, job).await?;
    if let Some(reason) = &c.failed_reason {
        let before =
            JobNotes { failed_step: c.failed_step.clone(), failed_reason: Some(reason.clone()), ..JobNotes::default() };
        jobs::add_notes(tx, job, &before).await?;
    }
    Ok(())
}

async fn row(w: &StepContext) -> Result<Option<Backup>, StepError> {
    let mut db = w.app.db.acquire().await?;
    Ok(backups::of_job(&mut db, w.job.id).await?)
}

/// Whether this deletion makes a final backup that is still incomplete.
async fn wanted(w: &StepContext) -> Result<bool, StepError> {
    let wanted = row(w).await?.is_some_and(|b| b.status == BackupStatus::Running);
    if !wanted {
        w.progress("No final backup").await;
    }
    Ok(wanted)
}

/// Dumps and stores it.
pub async fn dump(w: &StepContext) -> Result<(), StepError> {
    if wanted(w).await? { describe(Box::pin(dump::dump(w)).await) } else { Ok(()) }
}

/// Reads it back and writes its manifest.
pub async fn finish(w: &StepContext) -> Result<(), StepError> {
    if wanted(w).await? {
        describe(read_back::list(w).await)?;
        describe(dump::finish(w).await)?;
    }
    Ok(())
}

fn describe(done: Result<(), StepError>) -> Result<(), StepError> {
    done.map_err(|e| {
        if e.may_pass() {
            return e;
        }
        e.with_message(|why| {
            format!(
                "The final backup failed, so the database was not deleted and is unchanged. You can delete it without \
                 a backup.\n{why}"
            )
        })
    })
}

/// Calls off the deletion if its backup failed or was cancelled. Nothing has been stopped at that point.
pub async fn keep(w: &StepContext) -> Result<(), StepError> {
    if row(w).await?.is_none_or(|b| b.status != BackupStatus::Running) {
        return Ok(());
    }
    // Even if objects of the backup remain in the target, the database is no longer being deleted.
    let c = w.container().await?;
    let before = &w.job.payload;
    let failure = (
        before.notes.failed_step.as_deref().unwrap_or_default(),
        before.notes.failed_reason.as_deref().unwrap_or_default(),
    );
    let event = match (c.state, c.last_state) {
        (ContainerState::Deleting, ContainerState::Stopped) => Some((Event::KeepStopped, None)),
        (ContainerState::Deleting, ContainerState::Failed) => Some((Event::Fail, Some(failure))),
        (ContainerState::Deleting, _) => Some((Event::Keep, None)),
        // Already done by an earlier run of this undo.
        _ => None,
    };
    if let Some((event, failure)) = event {
        let mut tx = w.app.db.begin().await?;
        match states::apply(&mut tx, c.id, event, &w.job.created_by, w.app.clock.now(), failure).await {
            Ok(_) => tx.commit().await?,
            Err(TransitionError::Db(e)) => return Err(e.into()),
            Err(e) => return Err(StepError::Fail(format!("The deletion cannot be undone while {e}."))),
        }
    }
    dump::sweep_soon(w).await
}
