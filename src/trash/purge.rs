//! The job that deletes a database permanently, with its data and its records in mydb_admin.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::containers::{credentials, ports, samples, snapshots, states, surveys};
use crate::backup::restore::undo;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, JobRules, Pool};
use crate::domain::state::{ContainerState, Event};
use crate::provision::container;
use crate::provision::pinning::rebalance;
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;
use crate::trash::tombstone;

/// Deletes a database permanently, with its data.
pub static PURGE: Flow = Flow {
    kind: JobKind::Purge,
    title: "Delete permanently",
    rules: JobRules::of(Pool::Short).blame(Blame::IfDeleting),
    steps: &[
        Step::new("Remove the container", |w| Box::pin(container::remove(w))),
        Step::new("Remove the data", |w| Box::pin(remove_data(w))),
        Step::new("Free its name and ports", |w| Box::pin(free(w))),
    ],
};

async fn remove_data(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let mut db = w.app.db.acquire().await?;
    let aside = snapshots::of_container(&mut db, c.id).await?;
    drop(db);
    for snapshot in aside {
        undo::remove(&w.app, &c, &snapshot).await?;
    }
    let b = w.blueprint().await?;
    Ok(w.app.files.remove(&b.dir, &b.reference).await?)
}

async fn free(w: &StepContext) -> Result<(), StepError> {
    let id = w.container_id()?;
    let now = w.app.clock.now();
    let mut tx = w.app.db.begin().await?;
    match states::apply(&mut tx, id, Event::Purge, &w.job.created_by, now, None).await {
        // Already done by an earlier run of this step.
        Err(TransitionError::Gone) => {}
        other => change(other)?,
    }
    forget(&mut tx, id, now).await?;
    tx.commit().await?;
    rebalance::released(&w.app).await;
    tombstone::note(&w.app, id).await
}

/// Removes everything that mydb_admin stores for a living database. Its row is kept as history.
pub async fn forget(db: &mut PgConnection, id: Uuid, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    ports::release(db, id).await?;
    credentials::delete(db, id).await?;
    surveys::forget(db, id).await?;
    samples::forget(db, id).await?;
    containers::record::set_purged(db, id, at).await
}

/// A step fails if the state machine does not allow its transition.
pub(super) fn change(result: Result<ContainerState, TransitionError>) -> Result<(), StepError> {
    match result {
        Ok(_) => Ok(()),
        Err(TransitionError::Db(e)) => Err(e.into()),
        Err(e) => Err(StepError::Fail(format!("This is not possible while {e}."))),
    }
}
