//! Creates a database from a snapshot of another one.

use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{copies, snapshots};
use crate::clones::fetch::fetch;
use crate::clones::snapshot::failure;
use crate::clones::take_over::take_over;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::provision::{create, sealed_server};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;

/// Creates a database from a snapshot.
pub static CLONE: Flow = Flow {
    kind: JobKind::Clone,
    title: "Clone",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(create::HAND_OVER.name)),
    steps: &[
        Step::new("Find the snapshot", |w| Box::pin(look(w))),
        create::CHECK_STORAGE,
        create::GET_IMAGE,
        create::EMPTY_DATA,
        Step::new("Copy the data and set new passwords", |w| Box::pin(fill(w))).undo(|w| Box::pin(unseal(w))),
        create::MAKE_CONTAINER,
        create::START,
        create::WAIT,
        create::HAND_OVER,
    ],
};

/// The origin of the job's clone.
async fn origin(w: &StepContext) -> Result<Snapshot, StepError> {
    let c = w.container().await?;
    let mut db = w.app.db.acquire().await?;
    let found = match c.origin {
        Some(id) => snapshots::origin(&mut db, id).await?,
        None => None,
    };
    found.ok_or_else(|| StepError::Fail("The snapshot that this database is cloned from no longer exists.".to_owned()))
}

/// Fails if the snapshot could not be taken, with the reason.
async fn look(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let mut db = w.app.db.acquire().await?;
    let Some(id) = c.origin else { return origin(w).await.map(drop) };
    if let Some(snapshot) = snapshots::origin(&mut db, id).await?.filter(|s| s.made_at.is_some()) {
        // From now on the clone shows the time of its data.
        copies::set_origin(&mut db, c.id, snapshot.container_id, snapshot.id).await?;
        let at = snapshot.as_of();
        drop(db);
        w.changed();
        w.progress(&format!("As of {}", at.format("%Y-%m-%d %H:%M:%S UTC"))).await;
        return Ok(());
    }
    let why = failure(&mut db, id).await?;
    let advice = "“Try again” takes another one.";
    Err(StepError::Fail(format!("No snapshot of the source could be taken.{why} {advice}")))
}

async fn fill(w: &StepContext) -> Result<(), StepError> {
    let (app, c, snapshot) = (&w.app, w.container().await?, origin(w).await?);
    let b = w.blueprint().await?;
    app.runtime.remove(&sealed_server::name(app, c.id)).await?;
    // An interrupted attempt may have changed the passwords in the data, so each attempt starts with a new copy if possible.
    let fetched = fetch(w, &snapshot, &b.dir, &b).await?;
    take_over(w, (&c, c.id), &snapshot, fetched).await?;
    app.files.sync(&b.dir).await?;
    let mut db = app.db.acquire().await?;
    copies::set_cut_off(&mut db, c.id, snapshot.id).await?;
    drop(db);
    let at = snapshot.as_of();
    w.progress(&format!("As of {}", at.format("%Y-%m-%d %H:%M:%S UTC"))).await;
    Ok(())
}

/// Removes the sealed container. Another step's undo removes the directory.
async fn unseal(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let name = sealed_server::name(&w.app, c.id);
    Ok(w.app.runtime.remove(&name).await?)
}
