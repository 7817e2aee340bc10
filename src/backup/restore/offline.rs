//! Restores into a new container of an engine whose data is restored while its server is stopped. A sealed server
//! restores the data into the new directory and compares it first; then the container is created on this existing data.

use crate::backup::restore::{FIND_BACKUP, admin_of, seal_in, source};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::manifest::BackupSubject;
use crate::provision::sealed_server::{AdminPassword, SealedServer};
use crate::provision::{create, rotate_password};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;

/// Restores the data into the new directory and compares it with the backup.
pub(crate) const FILL: Step =
    Step::new("Restore the data and compare it with the backup", |w| Box::pin(fill(w))).undo(|w| Box::pin(unseal(w)));

/// Restores into a new database, its data first.
pub static RESTORE_COPY: Flow = Flow {
    kind: JobKind::RestoreCopy,
    title: "Restore to a new database",
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
        rotate_password::SET_PASSWORD,
        create::HAND_OVER,
    ],
};

/// Removes the sealed container.
async fn unseal(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    // Only the container: another step's undo removes the directory.
    SealedServer::of(&w.app, &BackupSubject::new(&c, ""), c.id, AdminPassword::New)
        .await?
        .remove_container(&w.app)
        .await
}

/// Fills the container's own directory and compares its content, before anyone can connect.
async fn fill(w: &StepContext) -> Result<(), StepError> {
    let (app, (c, source)) = (&w.app, source(w).await?);
    let own = w.blueprint().await?;
    let password = own.admin_password();
    let mut sealed = SealedServer::of(app, &BackupSubject::new(&c, ""), c.id, admin_of(&source, &password)?).await?;
    if sealed.blueprint.dir != own.dir {
        return Err(StepError::Fail(format!("The storage tier “{}” is unavailable.", c.storage)));
    }
    seal_in(w, &source, &mut sealed, &password, false).await
}
