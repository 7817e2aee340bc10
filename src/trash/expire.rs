//! Deletes databases for the reaper, in the same way as their owners delete them.

use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::domain::state::Event;
use crate::queue::enqueue::enqueue;
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;
use crate::trash::final_backup;
use crate::trash::move_to_trash::DELETE;
use crate::trash::purge::PURGE;

/// How the reaper removes a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It moves to the trash, with a final backup if it has one.
    ToTrash,
    /// It is deleted permanently, because it has no data of its own, or its data can be made again from a template.
    Purge,
}

impl Removal {
    /// How the reaper removes `c`.
    pub fn of(c: &Container) -> Self {
        if c.goes_to_trash() { Self::ToTrash } else { Self::Purge }
    }

    fn flow(self) -> &'static Flow {
        match self {
            Self::ToTrash => &DELETE,
            Self::Purge => &PURGE,
        }
    }
}

/// Whether the reaper may remove `c` for another reason than its expiry: only temporary databases.
pub fn is_temporary(c: &Container) -> bool {
    c.expires_at.is_some() || c.is_disposable()
}

/// Enqueues the removal of a database, for the reason that the log names. Returns `None` if the reason no longer exists
/// according to `still`: its owner may just have extended it.
///
/// # Errors
/// [`RequestError`]; nothing is written then. [`RequestError::Busy`] while a job of it is running, even a backup.
pub async fn remove(
    app: &App,
    id: Uuid,
    reason: &str,
    still: impl Fn(&Container) -> bool,
    actor: &Actor,
) -> Result<Option<Uuid>, RequestError> {
    let mut tx = app.db.begin().await?;
    states::lock(&mut tx, id).await?.ok_or(RequestError::Gone)?;
    let c = containers::by_id(&mut tx, id).await?.ok_or(RequestError::Gone)?;
    if !still(&c) {
        return Ok(None);
    }
    if c.active_job.is_some() {
        return Err(RequestError::Busy);
    }
    states::apply(&mut tx, c.id, Event::Delete, &actor.name, app.clock.now(), None).await?;
    let removal = Removal::of(&c);
    let job = enqueue(app, &mut tx, removal.flow(), (c.id, &c.name), actor, reason).await?;
    if removal == Removal::ToTrash && final_backup::none_because(app, &c).is_none() {
        final_backup::insert(app, &mut tx, &c, job).await?;
    }
    tx.commit().await?;
    app.wake.notify_one();
    Ok(Some(job))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::edit::tests::container;

    #[test]
    fn only_databases_with_their_own_data_move_to_the_trash() {
        assert_eq!(Removal::of(&container()), Removal::ToTrash);
        assert!(!is_temporary(&container()));
        assert_eq!(Removal::of(&Container { started_at: None, ..container() }), Removal::Purge);
    }
}
