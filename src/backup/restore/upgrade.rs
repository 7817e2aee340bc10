//! A newer version of the server: stopped, backed up, restored into a new directory by the new version, compared, and only
//! then put in the place of the old, which is kept for some days.

use crate::backup::dump::{dump, finish, read_back, sweep_soon};
use crate::backup::restore::in_place;
use crate::domain::work::{Blame, Cancel, JobRules, Pool};
use crate::provision::{create, swap};
use crate::queue::flow::{Flow, Step, StepError, Work};

/// Upgrade.
pub static UPGRADE: Flow = Flow {
    kind: "upgrade",
    title: "Upgrade to another version",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Before(swap::EXCHANGE.name)).blame(Blame::Nobody),
    steps: &[
        Step { name: "Get the image", run: |w| Box::pin(get_image(w)), undo: None },
        // Nothing may be written that the backup does not have.
        swap::STOP,
        Step { name: "Dump and store", run: |w| Box::pin(dump(w)), undo: Some(|w| Box::pin(sweep_soon(w))) },
        Step { name: "Read the beginning back", run: |w| Box::pin(read_back::list(w)), undo: None },
        Step { name: "Write the manifest", run: |w| Box::pin(finish(w)), undo: None },
        Step {
            name: "Restore it with the new version, and compare",
            run: |w| Box::pin(in_place::fill(w)),
            undo: Some(|w| Box::pin(in_place::clear(w))),
        },
        swap::EXCHANGE,
        Step {
            name: "Make the container of the new version",
            run: |w| Box::pin(swap::change_image(w)),
            undo: Some(|w| Box::pin(swap::change_image_back(w))),
        },
        swap::START,
        swap::WAIT,
        swap::KEEP_PREVIOUS,
    ],
};

async fn get_image(w: &Work) -> Result<(), StepError> {
    let snapshot = swap::row(w).await?;
    let reference = w.app.config.image_reference(&snapshot.image_after);
    if w.app.runtime.image(&reference).await?.is_none() {
        create::pull(w, &reference).await?;
    }
    Ok(())
}
