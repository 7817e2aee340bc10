//! Swaps two data directories: that of a database and one next to it. A single system call does it, so both places
//! contain a complete directory at any moment, and rolling back is the same swap again.

use std::path::PathBuf;

use chrono::Duration;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{Container, snapshots};
use crate::app::App;
use crate::domain::state::ContainerState;
use crate::provision::{container, power};
use crate::queue::context::StepContext;
use crate::queue::flow::{Resume, Step};
use crate::queue::step_error::StepError;
use crate::storage::DataDir;

/// Days for which previous data is kept.
pub const KEPT_DAYS: i64 = 7;

/// Stops the server.
pub(crate) const STOP: Step =
    Step::new("Stop the server", |w| Box::pin(container::stop(w))).undo(|w| Box::pin(start_again(w)));
/// Swaps the two data directories.
pub(crate) const EXCHANGE: Step =
    Step::new("Swap the data directories", |w| Box::pin(exchange(w))).undo(|w| Box::pin(exchange_back(w)));
/// Keeps the previous data for some days.
pub(crate) const KEEP_PREVIOUS: Step =
    Step::new("Keep the previous data for undo", |w| Box::pin(done(w))).resume(Resume::Running);

/// The snapshot row of this job.
pub(crate) async fn row(w: &StepContext) -> Result<Snapshot, StepError> {
    let mut db = w.app.db.acquire().await?;
    let found = snapshots::of_job(&mut db, w.job.id).await?;
    found.ok_or_else(|| StepError::Fail("The record of the previous data no longer exists.".to_owned()))
}

/// The directory of a snapshot of `c`.
pub(crate) fn dir(app: &App, c: &Container, snapshot: Uuid) -> Result<DataDir, StepError> {
    let tier = app.config.tier(&c.storage);
    let tier =
        tier.ok_or_else(|| StepError::Fail(format!("The storage tier “{}” is no longer configured.", c.storage)))?;
    Ok(DataDir::new(tier, &app.config.instance, snapshot))
}

/// The two directories, and the name of the marker file that tells them apart.
struct SwapDirs {
    own: PathBuf,
    aside: PathBuf,
    mark: String,
}

async fn places(w: &StepContext) -> Result<SwapDirs, StepError> {
    let (c, snapshot) = (w.container().await?, row(w).await?);
    let own = dir(&w.app, &c, c.id)?.root();
    Ok(SwapDirs { own, aside: dir(&w.app, &c, snapshot.id)?.root(), mark: format!("to-come-{}", w.job.id) })
}

impl SwapDirs {
    /// Swaps them, unless they have been swapped.
    async fn exchange(self) -> Result<(), StepError> {
        let io = |e: std::io::Error, path: &PathBuf| StepError::Fail(format!("{}: {e}", path.display()));
        if tokio::fs::try_exists(self.own.join(&self.mark)).await.map_err(|e| io(e, &self.own))? {
            return Ok(());
        }
        let mark = self.aside.join(&self.mark);
        tokio::fs::write(&mark, "").await.map_err(|e| io(e, &mark))?;
        swap(&self.own, &self.aside)
    }

    /// Swaps them back, if they have been swapped.
    async fn exchange_back(self) -> Result<(), StepError> {
        let there = tokio::fs::try_exists(self.own.join(&self.mark)).await;
        if matches!(there, Ok(true)) {
            swap(&self.own, &self.aside)?;
        }
        Ok(())
    }
}

fn swap(one: &PathBuf, other: &PathBuf) -> Result<(), StepError> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|e| {
        StepError::Fail(format!(
            "Could not swap {} and {}: {}. Neither was changed.",
            one.display(),
            other.display(),
            std::io::Error::from(e)
        ))
    })
}

pub(crate) async fn exchange(w: &StepContext) -> Result<(), StepError> {
    places(w).await?.exchange().await
}

pub(crate) async fn exchange_back(w: &StepContext) -> Result<(), StepError> {
    places(w).await?.exchange_back().await
}

/// Starts the server again if it was running before.
pub(crate) async fn start_again(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    if c.state != ContainerState::Running {
        return Ok(());
    }
    container::start(w).await?;
    power::wait(w).await
}

/// Gives the container the image for the data now in its directory, and creates it again if the image differs.
pub(crate) async fn change_image(w: &StepContext) -> Result<(), StepError> {
    let snapshot = row(w).await?;
    wear(w, &snapshot.image_after).await
}

/// Gives the container its previous image.
pub(crate) async fn change_image_back(w: &StepContext) -> Result<(), StepError> {
    let snapshot = row(w).await?;
    wear(w, &snapshot.image).await
}

async fn wear(w: &StepContext, image: &str) -> Result<(), StepError> {
    let c = w.container().await?;
    if c.image != image {
        let reference = w.app.config.image_reference(image);
        let found = w.app.runtime.image(&reference).await?;
        let found = found.ok_or_else(|| StepError::Fail(format!("{reference} is no longer on this machine.")))?;
        container::remove(w).await?;
        let mut db = w.app.db.acquire().await?;
        containers::record::set_image(&mut db, c.id, image, &found.digest).await?;
        w.changed();
    }
    container::ensure(w).await.map(|_| ())
}

/// Records that the previous data is kept and that the server is running.
pub(crate) async fn done(w: &StepContext) -> Result<(), StepError> {
    power::up(w).await?;
    let snapshot = row(w).await?;
    let now = w.app.clock.now();
    let mut db = w.app.db.acquire().await?;
    Ok(snapshots::set_made(&mut db, snapshot.id, now, now + Duration::days(KEPT_DAYS)).await?)
}

/// Removes the directory with the new data. After the swap this directory contains the previous data, so it is kept. If
/// the swap was undone, [`exchange_back`] ran first.
pub(crate) async fn remove_aside(w: &StepContext) -> Result<(), StepError> {
    let (c, snapshot) = (w.container().await?, row(w).await?);
    let at = places(w).await?;
    let swapped = tokio::fs::try_exists(at.own.join(&at.mark)).await;
    if snapshot.made_at.is_some() || !matches!(swapped, Ok(false)) {
        return Ok(());
    }
    let b = w.blueprint().await?;
    w.app.files.remove(&dir(&w.app, &c, snapshot.id)?, &b.reference).await?;
    let mut db = w.app.db.acquire().await?;
    Ok(snapshots::set_removed(&mut db, snapshot.id, w.app.clock.now()).await?)
}
