//! Recovers a database whose data is lost from its newest backup, with its name, port and users.

use uuid::Uuid;

use crate::admin_db::backups::Backup;
use crate::admin_db::containers;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::backup::restore::FIND_BACKUP;
use crate::backup::restore::offline::FILL;
use crate::backup::restore::source::openable;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::state::Event;
use crate::provision::create;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;

/// Recovers a database.
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

/// Enqueues the recovery of `c`, whose data is not on this host, from `backup`.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn recover(app: &App, c: &Container, backup: &Backup, actor: &Actor) -> Result<Uuid, RequestError> {
    openable(app, backup)?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let why = ("recovery", "The data of this database is not on this host.");
    states::apply(&mut tx, c.id, Event::Fail, &actor.name, now, Some(why)).await?;
    // It counts as never started: until it starts, data left by an interrupted job belongs to nobody.
    containers::record::set_recovering(&mut tx, c.id, backup.id).await?;
    let job = enqueue(app, &mut tx, &RECOVER, (c.id, &c.name), actor, &format!("backup {}", backup.id)).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}
