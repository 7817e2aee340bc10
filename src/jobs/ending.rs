//! How a job ends, and what that says about its database.

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use super::notify;
use crate::admin_db::backups::{self, BackupStatus};
use crate::admin_db::containers;
use crate::admin_db::containers::states;
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::jobs::{self, Job, JobStatus};
use crate::admin_db::log::{self, Actor, Entry, Outcome};
use crate::admin_db::plain;
use crate::app::App;
use crate::domain::state::{ContainerState, Event};
use crate::domain::work::Blame;
use crate::jobs::backup_alerts;
use crate::jobs::registry;

/// Marks the container failed, where its job's failure says so.
async fn mark_failed(tx: &mut PgConnection, app: &App, job: &Job, failure: (&str, &str)) -> Result<(), sqlx::Error> {
    let Some(id) = job.container_id else { return Ok(()) };
    backup_alerts::failed(tx, job, failure.1, app.clock.now()).await?;
    // The reconciler counts the failures of its own restarts, and decides itself.
    if job.created_by == crate::jobs::reconcile_servers::ACTOR && job.kind == "start" {
        return Ok(());
    }
    // A backup or drill, where that is what failed.
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
            tracing::error!(job = %job.id, "A container could not be marked failed: {e}");
            Ok(())
        }
    }
}

/// Marks a container failed whose making was cancelled: it never ran.
async fn unmade(tx: &mut PgConnection, app: &App, job: &Job, why: &str) -> Result<(), sqlx::Error> {
    let Some(flow) = registry::flow(&job.kind).filter(|f| f.rules.blame == Blame::Database) else { return Ok(()) };
    let Some(id) = job.container_id else { return Ok(()) };
    fail(tx, app, job, id, (flow.title, why)).await
}

/// How a job ends.
#[derive(Clone, Copy)]
pub(super) enum Ending<'a> {
    /// All its steps are done.
    Well,
    /// At this step, for this reason.
    Failed(&'a str, &'a str),
    /// By somebody; a sentence.
    Cancelled(&'a str),
}

/// Ends the job, marks its container failed where it failed at a step, and writes the outcome to the log: all or nothing.
pub(super) async fn end(app: &Arc<App>, job: &Job, lease: &str, ending: Ending<'_>) {
    // The reason may be in a server's words. An end that could not be written would be none.
    let why = match ending {
        Ending::Well => Cow::Borrowed(""),
        Ending::Failed(_, why) | Ending::Cancelled(why) => plain::text(why),
    };
    let ending = match ending {
        Ending::Well => Ending::Well,
        Ending::Failed(step, _) => Ending::Failed(step, &why),
        Ending::Cancelled(_) => Ending::Cancelled(&why),
    };
    let (status, error) = match ending {
        Ending::Well => (JobStatus::Succeeded, None),
        Ending::Failed(_, why) => (JobStatus::Failed, Some(why)),
        Ending::Cancelled(why) => (JobStatus::Cancelled, Some(why)),
    };
    let ended = async {
        let mut tx = app.db.begin().await?;
        // The state before the job, as everywhere, so that two transactions never wait for each other.
        match ending {
            Ending::Well => {}
            Ending::Failed(step, why) => mark_failed(&mut tx, app, job, (step, why)).await?,
            Ending::Cancelled(why) => {
                backups::end(&mut tx, job.id, BackupStatus::Cancelled, why, app.clock.now()).await?;
                unmade(&mut tx, app, job, why).await?;
            }
        }
        if !jobs::finish(&mut tx, job.id, lease, status, error).await? {
            return Ok::<_, sqlx::Error>(());
        }
        if matches!(ending, Ending::Well) {
            jobs::all_steps_done(&mut tx, job.id).await?;
        }
        let name = match job.container_id {
            Some(id) => containers::by_id(&mut tx, id).await?.map(|c| (id, c.name)),
            None => None,
        };
        let text = |key: &str| job.payload.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
        let actor = Actor { name: job.created_by.clone(), address: text("address"), request_id: text("request_id") };
        let about = if job.container_id.is_some() { "container" } else { "portal" };
        let action = format!("{about}.{}", job.kind);
        let entry = Entry {
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
            if matches!(ending, Ending::Failed(..)) {
                notify::tell(app);
            }
            tracing::info!(job = %job.id, kind = job.kind, status = status.as_str(), error, "Ended the job `{}`", job.kind);
        }
        Err(e) => tracing::warn!(job = %job.id, "A job's end could not be written; its lease will run out: {e}"),
    }
}
