//! Brings the data of a snapshot to the directory of a clone.
//!
//! Where copies share blocks, or the snapshot is needed later, it is copied. Otherwise a snapshot that was taken only for
//! this clone is moved, so that a clone costs one copy of the data, not two.

use crate::admin_db::containers::copies;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::backup::restore::swap;
use crate::blueprint::Blueprint;
use crate::domain::quantity::{ByteSize, MIB};
use crate::provision::data_directory;
use crate::provision::freeze::CopyCost;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::{DataDir, measured};

/// Free space in bytes that must remain on a tier.
const RESERVE: i64 = 256 * MIB;

/// How the data of a snapshot came to a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// It was copied.
    Copied,
    /// It was moved.
    Moved,
    /// An earlier attempt moved it, and may have changed the passwords in it.
    MovedBefore,
}

/// Brings the data of `snapshot` to `to`.
///
/// # Errors
/// If there is no room, it cannot be copied, or it was moved and no longer exists.
pub(super) async fn fetch(
    w: &StepContext,
    snapshot: &Snapshot,
    to: &DataDir,
    b: &Blueprint,
) -> Result<Fetched, StepError> {
    let (app, c) = (&w.app, w.container().await?);
    if snapshot.moved_to.is_some() {
        return moved_before(to).await;
    }
    let from = swap::dir(app, &c, snapshot.id)?;
    let shared = app.files.shares_blocks(&from, to, &b.reference).await?;
    // A clone that is reset keeps its origin, to be reset again.
    let is_reset = to.id != c.id && c.origin == Some(snapshot.id);
    if !shared
        && !is_reset
        && let Some(fetched) = take(w, snapshot, &from, to, b).await?
    {
        return Ok(fetched);
    }
    copy_as(w, snapshot, (&from, to), b, shared).await?;
    Ok(Fetched::Copied)
}

/// Copies a snapshot on the tier of `b` to `to`.
///
/// # Errors
/// If there is no room, or it cannot be copied.
pub(crate) async fn copy(w: &StepContext, snapshot: &Snapshot, to: &DataDir, b: &Blueprint) -> Result<(), StepError> {
    let from = DataDir::new(&b.tier, &w.app.config.instance, snapshot.id);
    let shared = w.app.files.shares_blocks(&from, to, &b.reference).await?;
    copy_as(w, snapshot, (&from, to), b, shared).await
}

async fn copy_as(
    w: &StepContext,
    snapshot: &Snapshot,
    (from, to): (&DataDir, &DataDir),
    b: &Blueprint,
    shared: bool,
) -> Result<(), StepError> {
    let app = &w.app;
    let bytes = snapshot.bytes.unwrap_or(0);
    CopyCost { bytes, shared, free: measured(b.tier.path.clone()).await?.free }.check(RESERVE)?;
    w.progress(&format!("Copying {}", ByteSize(bytes))).await;
    app.files.copy(from, to, &b.reference, &b.image.volume).await?;
    data_directory::note_maker(to, app.image(&snapshot.image)?).await
}

async fn moved_before(to: &DataDir) -> Result<Fetched, StepError> {
    match tokio::fs::try_exists(to.data()).await {
        Ok(true) => Ok(Fetched::MovedBefore),
        _ => Err(StepError::Fail(
            "The data of this clone no longer exists. “Try again” copies the current data of the source.".to_owned(),
        )),
    }
}

/// Moves the directory of a snapshot that nothing else needs. `None` if something else does. The row is locked meanwhile, so
/// that nothing starts to use it.
async fn take(
    w: &StepContext,
    snapshot: &Snapshot,
    from: &DataDir,
    to: &DataDir,
    b: &Blueprint,
) -> Result<Option<Fetched>, StepError> {
    let (app, c) = (&w.app, w.container().await?);
    let mut tx = app.db.begin().await?;
    if !copies::is_only_for(&mut tx, snapshot.id, c.id, w.job.id).await? {
        return Ok(None);
    }
    let moved = app.files.move_directory(from, to, &b.reference).await?;
    copies::set_moved(&mut tx, snapshot.id, to.id, app.clock.now()).await?;
    tx.commit().await?;
    Ok(Some(if moved { Fetched::Moved } else { moved_before(to).await? }))
}
