//! The jobs that move a database to the trash, restore it from there, and delete it permanently.

use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::containers::{Container, credentials, ports, samples, snapshots, states, surveys};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::state::{ContainerState, Event};
use crate::domain::work::{Blame, Cancel, JobRules, Pool};
use crate::provision::{container, power, request, rollback};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::give_way;
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::trash::{final_backup, tombstone};

/// Moves a database to the trash. Its data, name and ports are kept.
pub static DELETE: Flow = Flow {
    kind: JobKind::Delete,
    title: "Delete database",
    rules: JobRules::of(Pool::Short).cancel(Cancel::WhileBackingUp).blame(Blame::IfDeleting),
    steps: &[
        Step::new("Make a final backup", |w| Box::pin(final_backup::dump(w))).undo(|w| Box::pin(final_backup::keep(w))),
        Step::new("Read back the dump and write its manifest", |w| Box::pin(final_backup::finish(w))),
        power::STOP_SERVER,
        Step::new("Remove the container, keep its data", |w| Box::pin(container::remove(w))),
        Step::new("Move it to the trash", |w| Box::pin(trash(w))),
    ],
};

/// Restores a database from the trash.
pub static UNDELETE: Flow = Flow {
    kind: JobKind::Undelete,
    title: "Restore from trash",
    rules: JobRules::of(Pool::Short),
    steps: &[
        Step::new("Take it out of the trash", |w| Box::pin(untrash(w))),
        Step::new("Create the container", |w| Box::pin(power::make(w))),
        power::START_SERVER,
        power::WAIT_FOR_SERVER,
        power::RECORD_RUNNING,
    ],
};

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

/// Enqueues a deletion. It begins with a final backup unless none can be made or `without_backup` is set.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn delete(app: &App, c: &Container, without_backup: bool, actor: &Actor) -> Result<Uuid, RequestError> {
    give_way::cancel_backup(app, c, actor).await?;
    let mut tx = app.db.begin().await?;
    // A deletion is visible immediately; all other jobs change the state when they finish.
    request::transition(states::apply(&mut tx, c.id, Event::Delete, &actor.name, app.clock.now(), None).await)?;
    // A database that never ran has no data to keep in the trash.
    let flow = if c.started_at.is_none() { &PURGE } else { &DELETE };
    let job = request::act_in(app, &mut tx, c, flow, actor).await?;
    if !without_backup && final_backup::none_because(app, c).is_none() {
        final_backup::insert(app, &mut tx, c, job).await?;
    }
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

async fn trash(w: &StepContext) -> Result<(), StepError> {
    let id = w.container_id()?;
    let now = w.app.clock.now();
    let until = now + Duration::days(w.app.config.trash_days);
    let mut tx = w.app.db.begin().await?;
    change(states::apply(&mut tx, id, Event::Trash, &w.job.created_by, now, None).await)?;
    containers::set_trashed(&mut tx, id, Some((now, until))).await?;
    tx.commit().await?;
    tombstone::note(&w.app, id).await
}

async fn untrash(w: &StepContext) -> Result<(), StepError> {
    let id = w.container_id()?;
    let mut tx = w.app.db.begin().await?;
    change(states::apply(&mut tx, id, Event::Undelete, &w.job.created_by, w.app.clock.now(), None).await)?;
    containers::set_trashed(&mut tx, id, None).await?;
    tx.commit().await?;
    tombstone::note(&w.app, id).await
}

async fn remove_data(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let mut db = w.app.db.acquire().await?;
    let aside = snapshots::of_container(&mut db, c.id).await?;
    drop(db);
    for snapshot in aside {
        rollback::remove(&w.app, &c, &snapshot).await?;
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
    tombstone::note(&w.app, id).await
}

/// Removes everything that mydb_admin stores for a living database. Its row is kept as history.
pub async fn forget(db: &mut PgConnection, id: Uuid, at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    ports::release(db, id).await?;
    credentials::delete(db, id).await?;
    surveys::forget(db, id).await?;
    samples::forget(db, id).await?;
    containers::set_purged(db, id, at).await
}

fn change(result: Result<ContainerState, TransitionError>) -> Result<(), StepError> {
    match result {
        Ok(_) => Ok(()),
        Err(TransitionError::Db(e)) => Err(e.into()),
        Err(e) => Err(StepError::Fail(format!("This is not possible while {e}."))),
    }
}
