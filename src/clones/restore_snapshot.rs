//! Replaces the data of a database with a snapshot: of the database itself, or, for a clone, its origin or a new snapshot
//! of its source. The current data is kept for some days, as after a restore of a backup in place.

use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{copies, snapshots};
use crate::backup::restore::swap;
use crate::clones::fetch::fetch;
use crate::clones::snapshot::failure;
use crate::clones::take_over::take_over;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::provision::{power, sealed_server};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;

/// Replaces the data of a database with a snapshot.
pub static RESTORE_SNAPSHOT: Flow = Flow {
    kind: JobKind::RestoreSnapshot,
    title: "Restore snapshot",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(swap::EXCHANGE.name)).blame(Blame::Nobody),
    steps: &[
        Step::new("Copy the snapshot next to the current data", |w| Box::pin(fill(w))).undo(|w| Box::pin(clear(w))),
        swap::STOP,
        swap::EXCHANGE,
        Step::new("Find or create the container", |w| Box::pin(swap::change_image(w)))
            .undo(|w| Box::pin(swap::change_image_back(w))),
        power::START_SERVER,
        power::WAIT_FOR_SERVER,
        Step { run: |w| Box::pin(keep_previous(w)), ..swap::KEEP_PREVIOUS },
    ],
};

/// The snapshot to restore.
async fn source(w: &StepContext) -> Result<Snapshot, StepError> {
    let row = swap::row(w).await?;
    let id = row.source.ok_or_else(|| StepError::Fail("This job does not specify a snapshot.".to_owned()))?;
    let mut db = w.app.db.acquire().await?;
    match snapshots::origin(&mut db, id).await? {
        Some(found) if found.made_at.is_some() => Ok(found),
        _ => {
            let why = failure(&mut db, id).await?;
            Err(StepError::Fail(format!("The snapshot to restore does not exist.{why}")))
        }
    }
}

async fn fill(w: &StepContext) -> Result<(), StepError> {
    let (app, c, row, snapshot) = (&w.app, w.container().await?, swap::row(w).await?, source(w).await?);
    let b = w.blueprint().await?;
    let to = swap::dir(app, &c, row.id)?;
    app.runtime.remove(&sealed_server::name(app, row.id)).await?;
    app.files.prepare(&to, &b.reference, b.image.uid, b.image.gid).await?;
    let fetched = fetch(w, &snapshot, &to, &b).await?;
    if snapshot.container_id != c.id {
        take_over(w, (&c, row.id), &snapshot, fetched).await?;
    }
    Ok(app.files.sync(&to).await?)
}

/// Keeps the previous data. For a clone, also records what was switched off in its new data and, after a refresh, its new
/// origin.
async fn keep_previous(w: &StepContext) -> Result<(), StepError> {
    swap::done(w).await?;
    let (c, snapshot) = (w.container().await?, source(w).await?);
    if c.origin.is_some() && snapshot.container_id != c.id {
        let mut db = w.app.db.acquire().await?;
        copies::set_origin(&mut db, c.id, snapshot.container_id, snapshot.id).await?;
        copies::set_cut_off(&mut db, c.id, snapshot.id).await?;
    }
    Ok(())
}

async fn clear(w: &StepContext) -> Result<(), StepError> {
    let row = swap::row(w).await?;
    w.app.runtime.remove(&sealed_server::name(&w.app, row.id)).await?;
    swap::remove_aside(w).await
}
