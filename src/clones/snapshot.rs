//! Copies the data of a database at one moment.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{copies, snapshots};
use crate::admin_db::jobs;
use crate::backup::restore::swap;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::provision::container::find;
use crate::provision::exec::ask;
use crate::provision::freeze::CopyCost;
use crate::provision::quota::tier_limit;
use crate::provision::{data_directory, freeze};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::requester::lost_the_database;
use crate::queue::step_error::StepError;

/// Timeout for writing what is only in a server's log to its data files.
const FLUSH: Duration = Duration::from_secs(120);

/// Copies the data of a database at one moment.
pub static SNAPSHOT: Flow = Flow {
    kind: JobKind::Snapshot,
    title: "Take snapshot",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always).blame(Blame::Nobody),
    steps: &[Step::new("Copy the data", |w| Box::pin(copy(w))).undo(|w| Box::pin(remove(w)))],
};

/// The row of a job's own snapshot.
pub(super) async fn row(w: &StepContext) -> Result<Snapshot, StepError> {
    let mut db = w.app.db.acquire().await?;
    let found = snapshots::of_job(&mut db, w.job.id).await?;
    found.ok_or_else(|| StepError::Fail("The record of this snapshot no longer exists.".to_owned()))
}

/// Why a snapshot could not be taken, with a space before it; empty if that is not known.
pub(crate) async fn failure(db: &mut PgConnection, snapshot: Uuid) -> Result<String, sqlx::Error> {
    let job = jobs::of_snapshot(db, snapshot).await?;
    Ok(job.and_then(|job| job.error).map(|why| format!(" {why}")).unwrap_or_default())
}

async fn copy(w: &StepContext) -> Result<(), StepError> {
    let (app, c, snapshot) = (&w.app, w.container().await?, row(w).await?);
    if snapshot.made_at.is_some() {
        return Ok(());
    }
    let b = w.blueprint().await?;
    let dir = swap::dir(app, &c, snapshot.id)?;
    let running = find(app, &c).await?.filter(|found| found.running);
    if let Some(found) = running.as_ref().filter(|found| found.status == "paused") {
        // An earlier attempt ended with its portal.
        freeze::thaw(app, &found.id).await;
    }
    let cost = CopyCost::of(app, &b, &dir).await?;
    let more = if cost.shared { 0 } else { cost.bytes };
    tier_limit::check(app, &b.tier, more, "Delete snapshots that you no longer need, or ask an administrator.").await?;
    if let Some(found) = &running {
        flush(w, &found.id).await?;
    }
    let copy = freeze::copy(w, &b, &dir, running.as_ref().map(|found| found.id.as_str()), cost).await?;
    data_directory::note_maker(&dir, &b.image).await?;
    // A server that is started on a copy relies on it.
    app.files.sync(&dir).await?;
    // The owner may have changed since the job began.
    if let Some(why) = lost_the_database(w).await? {
        return Err(StepError::Fail(why));
    }
    let mut db = app.db.acquire().await?;
    copies::set_copied(&mut db, snapshot.id, (copy.at, copy.paused_ms, copy.bytes), app.clock.now()).await?;
    drop(db);
    w.progress(&match copy.paused_ms {
        Some(0) => "The database kept working.".to_owned(),
        Some(ms) => format!("The database was paused for {ms} ms."),
        None => "The database was not running.".to_owned(),
    })
    .await;
    Ok(())
}

/// Lets the server write what is only in its log to its data files. If that fails or takes too long, the copy takes longer
/// to recover.
async fn flush(w: &StepContext, id: &str) -> Result<(), StepError> {
    let b = w.blueprint().await?;
    let Some(command) = b.image.engine.engine().flush(&b.plan()) else { return Ok(()) };
    w.progress("Writing recent changes to disk").await;
    match ask(&w.app, id, &command, FLUSH).await {
        Ok(said) if said.code == 0 => {}
        Ok(said) => tracing::warn!("Could not flush the server before it is copied: {}", said.stderr.trim()),
        Err(e) => tracing::warn!("Could not flush the server before it is copied: {e}"),
    }
    Ok(())
}

/// Resumes the server and removes what was copied.
async fn remove(w: &StepContext) -> Result<(), StepError> {
    let (app, c, snapshot) = (&w.app, w.container().await?, row(w).await?);
    if let Some(found) = find(app, &c).await?.filter(|found| found.running) {
        freeze::thaw(app, &found.id).await;
    }
    freeze::online::end(app, snapshot.id).await?;
    app.files.remove(&swap::dir(app, &c, snapshot.id)?, &app.config.image_reference(&snapshot.image)).await?;
    let mut db = app.db.acquire().await?;
    Ok(snapshots::set_removed(&mut db, snapshot.id, app.clock.now()).await?)
}
