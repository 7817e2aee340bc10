//! Upgrades a database to a newer version: it is stopped and backed up, the new version restores the backup into a new
//! directory and compares it, and only then are the two directories swapped. The previous data is kept for some days.

use crate::backup::dump::{dump, finish, read_back, sweep_soon};
use crate::backup::restore::in_place;
use crate::backup::restore::swap;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::provision::{create, power};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::step_error::StepError;

/// Upgrades a database.
pub static UPGRADE: Flow = Flow {
    kind: JobKind::Upgrade,
    title: "Upgrade to another version",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(swap::EXCHANGE.name)).blame(Blame::Nobody),
    steps: &[
        Step::new("Get the image", |w| Box::pin(get_image(w))),
        // Nothing may be written that the backup does not contain.
        swap::STOP,
        Step::new("Dump and upload", |w| Box::pin(dump(w))).undo(|w| Box::pin(sweep_soon(w))),
        Step::new("Read back the start of the dump", |w| Box::pin(read_back::list(w))),
        Step::new("Write the manifest", |w| Box::pin(finish(w))),
        Step::new("Restore with the new version and compare", |w| Box::pin(in_place::fill(w)))
            .undo(|w| Box::pin(in_place::clear(w))),
        swap::EXCHANGE,
        Step::new("Create the container of the new version", |w| Box::pin(swap::change_image(w)))
            .undo(|w| Box::pin(swap::change_image_back(w))),
        power::START_SERVER,
        power::WAIT_FOR_SERVER,
        Step { run: |w| Box::pin(in_place::keep_previous(w)), ..swap::KEEP_PREVIOUS },
    ],
};

async fn get_image(w: &StepContext) -> Result<(), StepError> {
    let snapshot = swap::row(w).await?;
    let reference = w.app.config.image_reference(&snapshot.image_after);
    if w.app.runtime.image(&reference).await?.is_none() {
        create::pull(w, &reference).await?;
    }
    Ok(())
}
