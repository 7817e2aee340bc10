//! The jobs that move a database to the trash and restore it from there.

use chrono::Duration;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::domain::state::Event;
use crate::provision::pinning::rebalance;
use crate::provision::{container, power, request};
use crate::queue::cancel_backup::over_backup;
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::trash::purge::{PURGE, change};
use crate::trash::{final_backup, renew, tombstone};

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

/// Enqueues a deletion. It begins with a final backup unless none can be made or `without_backup` is set.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn delete(app: &App, c: &Container, without_backup: bool, actor: &Actor) -> Result<Uuid, RequestError> {
    over_backup(app, &[c], actor, || delete_once(app, c, without_backup, actor)).await
}

async fn delete_once(app: &App, c: &Container, without_backup: bool, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    // A deletion is visible immediately; all other jobs change the state when they finish.
    states::apply(&mut tx, c.id, Event::Delete, &actor.name, app.clock.now(), None).await?;
    // A database that never ran has no data to keep in the trash.
    let flow = if c.started_at.is_none() { &PURGE } else { &DELETE };
    let job = match c.is_disposable() {
        // Allowed in every state from which it can be deleted, which the transition has checked.
        true => enqueue(app, &mut tx, &PURGE, (c.id, &c.name), actor, "requested").await?,
        false => request::act_in(app, &mut tx, c, flow, actor).await?,
    };
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
    containers::record::set_trashed(&mut tx, id, Some((now, until))).await?;
    tx.commit().await?;
    rebalance::released(&w.app).await;
    tombstone::note(&w.app, id).await
}

async fn untrash(w: &StepContext) -> Result<(), StepError> {
    let id = w.container_id()?;
    let mut tx = w.app.db.begin().await?;
    change(states::apply(&mut tx, id, Event::Undelete, &w.job.created_by, w.app.clock.now(), None).await)?;
    containers::record::set_trashed(&mut tx, id, None).await?;
    renew::renew(&w.app, &mut tx, id).await?;
    tx.commit().await?;
    tombstone::note(&w.app, id).await
}
