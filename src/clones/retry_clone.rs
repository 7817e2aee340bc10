//! Repeats a clone that failed.

use uuid::Uuid;

use crate::admin_db::containers::{Container, copies, snapshots};
use crate::admin_db::log::Actor;
use crate::admin_db::{containers, jobs};
use crate::app::App;
use crate::clones::clone::CLONE;
use crate::clones::request::{origin, patiently, same_owner, still_same_owner};
use crate::provision::request::{act, act_in};
use crate::queue::cancel_backup::over_backup;
use crate::queue::refusal::RequestError;

/// Enqueues the clone `c` again, which has never run. If its snapshot does not exist, because it could not be taken or
/// because the failed attempt used it up, another snapshot of the source is taken first; the clone then has its current data.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn retry_clone(app: &App, c: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut db = app.db.acquire().await?;
    let kept = match c.origin {
        Some(id) => snapshots::by_id(&mut db, id).await?.is_some_and(|s| s.made_at.is_some()),
        None => false,
    };
    if kept {
        drop(db);
        return act(app, c, &CLONE, actor).await;
    }
    let from = c.cloned_from.ok_or(RequestError::NoSource)?;
    let source = containers::by_id(&mut db, from).await?.filter(|s| s.purged_at.is_none());
    drop(db);
    let source = &source.ok_or(RequestError::NoSource)?;
    same_owner(c, source)?;
    over_backup(app, &[source], actor, || patiently(app, source.id, || retry_once(app, c, source, actor))).await
}

async fn retry_once(app: &App, c: &Container, source: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    let mut tx = app.db.begin().await?;
    still_same_owner(&mut tx, c, source).await?;
    let job = act_in(app, &mut tx, c, &CLONE, actor).await?;
    let (snapshot, taking) = origin(app, &mut tx, source, actor).await?;
    copies::set_origin(&mut tx, c.id, source.id, snapshot).await?;
    jobs::start_after(&mut tx, job, taking).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}
