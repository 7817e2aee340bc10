//! A database whose data is gone from this host comes back from its newest backup, as itself: name, port, users.

use uuid::Uuid;

use crate::admin_db::backups::Backup;
use crate::admin_db::containers;
use crate::admin_db::containers::states::TransitionError;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::backup::restore::FIND_BACKUP;
use crate::backup::restore::offline::FILL;
use crate::backup::restore::source::openable;
use crate::domain::job_kind::JobKind;
use crate::domain::state::Event;
use crate::domain::work::{Cancel, JobRules, Pool};
use crate::provision::create;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

/// Recover.
pub static RECOVER: Flow = Flow {
    kind: JobKind::Recover,
    title: "Recover from backup",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        FIND_BACKUP,
        create::CHECK_STORAGE,
        create::GET_IMAGE,
        create::EMPTY_DATA,
        FILL,
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        create::HAND_OVER,
    ],
};

/// Enqueues the way back of `c`, whose data is not on this host, from `backup`.
///
/// # Errors
/// [`RequestError`], with nothing written.
pub async fn recover(app: &App, c: &Container, backup: &Backup, actor: &Actor) -> Result<Uuid, RequestError> {
    openable(app, backup)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let why = ("recovery", "The data of this database is not on this host.");
    match states::apply(&mut tx, c.id, Event::Fail, &actor.name, now, Some(why)).await {
        Ok(_) => {}
        Err(TransitionError::Db(e)) => return Err(e.into()),
        Err(TransitionError::Refused(state)) => return Err(RequestError::State(state)),
        Err(TransitionError::Gone) => return Err(RequestError::Gone),
    }
    // As one that has never run: until it has, what a job leaves of its data is nobody's.
    containers::set_recovering(&mut tx, c.id, backup.id).await?;
    let job = enqueue(app, &mut tx, &RECOVER, (c.id, &c.name), actor, &format!("backup {}", backup.id)).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}
