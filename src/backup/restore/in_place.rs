//! Restores in place: the backup is restored into a directory next to that of the database and compared while the
//! database keeps running; then the two are swapped. The previous data is kept for some days.

use crate::admin_db::containers::Container;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::app::App;
use crate::backup::restore::source::{BackupSource, present};
use crate::backup::restore::swap;
use crate::backup::restore::{admin_of, differences, seal_in};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::domain::quantity::ByteSize;
use crate::manifest::BackupSubject;
use crate::provision::power;
use crate::provision::quota::space::RESERVE;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;
use crate::storage::measured;

/// Restores in place.
pub static RESTORE_IN_PLACE: Flow = Flow {
    kind: JobKind::RestoreInPlace,
    title: "Restore in place",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(swap::EXCHANGE.name)).blame(Blame::Nobody),
    steps: &[
        Step::new("Find the backup", |w| Box::pin(look(w))),
        Step::new("Restore next to the current data and compare", |w| Box::pin(fill(w))).undo(|w| Box::pin(clear(w))),
        swap::STOP,
        swap::EXCHANGE,
        power::START_SERVER,
        power::WAIT_FOR_SERVER,
        Step { run: |w| Box::pin(keep_previous(w)), ..swap::KEEP_PREVIOUS },
    ],
};

/// The backup with the new data.
async fn source<'a>(w: &'a StepContext, snapshot: &Snapshot) -> Result<BackupSource<'a>, StepError> {
    let id = snapshot.backup_id.ok_or_else(|| StepError::Fail("This job does not specify a backup.".to_owned()))?;
    w.note_backup(id);
    BackupSource::read(&w.app, id).await
}

async fn look(w: &StepContext) -> Result<(), StepError> {
    let source = source(w, &swap::row(w).await?).await?;
    present(&source).await?;
    let _c = w.container().await?;
    let b = w.blueprint().await?;
    let has = measured(b.tier.path.clone()).await?;
    let needed = source.row.raw_bytes.unwrap_or(0).saturating_mul(2).saturating_add(RESERVE);
    if has.free < needed {
        return Err(StepError::Fail(format!(
            "Not enough disk space to restore next to the current data: {} free, {} needed.",
            ByteSize(has.free),
            ByteSize(needed)
        )));
    }
    Ok(())
}

/// The sealed container that fills the directory next to that of `c`.
async fn sealed(
    app: &App,
    c: &Container,
    snapshot: &Snapshot,
    admin: AdminPassword,
) -> Result<SealedServer, StepError> {
    let reference = app.config.image_reference(&snapshot.image_after);
    let digest = app.runtime.image(&reference).await?.map(|i| i.digest).unwrap_or_default();
    let of = BackupSubject { image: snapshot.image_after.clone(), digest, ..BackupSubject::new(c, "") };
    let sealed = SealedServer::of(app, &of, snapshot.id, admin).await?;
    let wanted = swap::dir(app, c, snapshot.id)?;
    if sealed.blueprint.dir == wanted {
        return Ok(sealed);
    }
    Err(StepError::Fail(format!("The storage tier “{}” is unavailable.", c.storage)))
}

/// Fills the new directory, compares its content and stops its server cleanly. The administrator's password in it is
/// the one in the container's own data.
pub(crate) async fn fill(w: &StepContext) -> Result<(), StepError> {
    let (app, c, snapshot) = (&w.app, w.container().await?, swap::row(w).await?);
    let source = source(w, &snapshot).await?;
    let own = w.blueprint().await?.admin_password();
    let mut sealed = sealed(app, &c, &snapshot, admin_of(&source, &own)?).await?;
    sealed.remove(app).await?;
    seal_in(w, &source, &mut sealed, &own, true).await
}

/// Keeps the previous data. Notices are about the new data from now on.
pub(crate) async fn keep_previous(w: &StepContext) -> Result<(), StepError> {
    swap::done(w).await?;
    match swap::row(w).await?.backup_id {
        Some(backup) => differences::replaced(w, backup).await,
        None => Ok(()),
    }
}

/// Removes the sealed container, and the directory unless it contains the previous data.
pub(crate) async fn clear(w: &StepContext) -> Result<(), StepError> {
    let (c, snapshot) = (w.container().await?, swap::row(w).await?);
    sealed(&w.app, &c, &snapshot, AdminPassword::New).await?.remove_container(&w.app).await?;
    swap::remove_aside(w).await
}
