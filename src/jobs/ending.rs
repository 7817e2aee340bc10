//! Ends jobs, and records what the end means for their databases.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::BackupStatus;
use crate::admin_db::containers::states;
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::jobs::{Job, JobStatus};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::storable_text;
use crate::admin_db::{backups, containers, jobs, log};
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::Blame;
use crate::domain::state::{ContainerState, Event};
use crate::jobs::{backup_alerts, registry, template_alerts};
use crate::notify;

/// Raises notices about the failed job, and marks its container failed if the rules of the job say so.
async fn mark_failed(tx: &mut PgConnection, app: &App, job: &Job, failure: (&str, &str)) -> Result<(), sqlx::Error> {
    let Some(id) = job.container_id else {
        return template_alerts::failed(tx, job, failure.1, app.clock.now()).await;
    };
    backup_alerts::failed(tx, job, failure.1, app.clock.now()).await?;
    // The reconciler counts failures of the restarts that it requested, and decides what follows.
    if job.created_by == crate::jobs::reconcile_servers::ACTOR && job.kind() == Some(JobKind::Start) {
        return Ok(());
    }
    // Ends the row of the backup or test restore that failed, if there is one.
    backups::end(tx, job.id, BackupStatus::Failed, failure.1, app.clock.now()).await?;
    let blamed = match registry::flow(&job.kind).map_or(Blame::Database, |f| f.rules.blame) {
        Blame::Database => true,
        Blame::Nobody => false,
        Blame::IfDeleting => containers::by_id(tx, id).await?.is_none_or(|c| c.state == ContainerState::Deleting),
    };
    if blamed { fail(tx, app, job, id, failure).await } else { Ok(()) }
}

/// Marks a container failed.
async fn fail(tx: &mut PgConnection, app: &App, job: &Job, id: Uuid, failure: (&str, &str)) -> Result<(), sqlx::Error> {
    match states::apply(tx, id, Event::Fail, &job.created_by, app.clock.now(), Some(failure)).await {
        Ok(_) => Ok(()),
        Err(TransitionError::Db(e)) => Err(e),
        Err(e) => {
            tracing::error!("Could not mark a container as failed: {e}");
            Ok(())
        }
    }
}

/// Marks a container failed if its creation was cancelled: it never ran.
async fn unmade(tx: &mut PgConnection, app: &App, job: &Job, why: &str) -> Result<(), sqlx::Error> {
    let Some(flow) = registry::flow(&job.kind).filter(|f| f.rules.blame == Blame::Database) else { return Ok(()) };
    let Some(id) = job.container_id else { return Ok(()) };
    fail(tx, app, job, id, (flow.title, why)).await
}

/// How a job ends.
#[derive(Clone, Copy)]
pub(super) enum JobEnd<'a> {
    /// All steps are complete.
    Well,
    /// It failed; the name of the step and the reason.
    Failed(&'a str, &'a str),
    /// Someone cancelled it; a sentence.
    Cancelled(&'a str),
}

/// Ends the job, marks its container failed if a step failed, and logs the outcome, in one transaction.
pub(super) async fn end(app: &Arc<App>, job: &Job, lease: &str, ending: JobEnd<'_>) {
    // The reason may quote a server. Text that cannot be stored would keep the job from ending.
    let why = match ending {
        JobEnd::Well => Cow::Borrowed(""),
        JobEnd::Failed(_, why) | JobEnd::Cancelled(why) => storable_text::text(why),
    };
    let ending = match ending {
        JobEnd::Well => JobEnd::Well,
        JobEnd::Failed(step, _) => JobEnd::Failed(step, &why),
        JobEnd::Cancelled(_) => JobEnd::Cancelled(&why),
    };
    let (status, error) = match ending {
        JobEnd::Well => (JobStatus::Succeeded, None),
        JobEnd::Failed(_, why) => (JobStatus::Failed, Some(why)),
        JobEnd::Cancelled(why) => (JobStatus::Cancelled, Some(why)),
    };
    let ended = async {
        let mut tx = app.db.begin().await?;
        // The state is locked before the job, as everywhere else, so that two transactions never deadlock.
        match ending {
            JobEnd::Well => {}
            JobEnd::Failed(step, why) => mark_failed(&mut tx, app, job, (step, why)).await?,
            JobEnd::Cancelled(why) => {
                backups::end(&mut tx, job.id, BackupStatus::Cancelled, why, app.clock.now()).await?;
                unmade(&mut tx, app, job, why).await?;
            }
        }
        if !jobs::finish(&mut tx, job.id, lease, status, error).await? {
            return Ok::<_, sqlx::Error>(());
        }
        if matches!(ending, JobEnd::Well) {
            jobs::all_steps_done(&mut tx, job.id).await?;
        }
        let name = match job.container_id {
            Some(id) => containers::by_id(&mut tx, id).await?.map(|c| (id, c.name)),
            None => None,
        };
        let actor = Actor {
            name: job.created_by.clone(),
            address: job.payload.address.clone(),
            request_id: job.payload.request_id.clone(),
        };
        let about = if job.container_id.is_some() { "container" } else { "portal" };
        let action = format!("{about}.{}", job.kind);
        let entry = LogEntry {
            action: &action,
            container: name.as_ref().map(|(id, name)| (*id, name.as_str())),
            outcome: if error.is_none() { Outcome::Ok } else { Outcome::Failed },
            detail: error.unwrap_or("done"),
        };
        log::append(&mut tx, &actor, &entry, app.clock.now()).await?;
        tx.commit().await
    };
    match ended.await {
        Ok(()) => {
            if matches!(ending, JobEnd::Failed(..)) {
                notify::tell(app);
            }
            tracing::info!(status = status.as_str(), error, "Ended the job `{}`", job.kind);
        }
        Err(e) => tracing::warn!("Could not record the end of a job; its lease will expire: {e}"),
    }
}
