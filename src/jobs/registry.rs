//! The registry of all kinds of jobs.

use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::audit;
use crate::backup::drill;
use crate::backup::restore::undo;
use crate::backup::restore::{in_place, offline, partial, recover, upgrade};
use crate::backup::retention::{owner_removal, prune};
use crate::backup::{dump, replicate, request, restore};
use crate::clones::retry_clone::retry_clone;
use crate::clones::{clone, restore_snapshot, snapshot};
use crate::domain::job_kind::JobKind;
use crate::import::load;
use crate::import::load_offline;
use crate::import::request::load_flow;
use crate::provision::request::act;
use crate::provision::spares::keeper;
use crate::provision::{create, power, rotate_password, seed_builder};
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;
use crate::recovery::admin_backup;
use crate::templates::import as template_import;
use crate::templates::instance;
use crate::trash::{move_to_trash, purge};

/// All flows.
pub static FLOWS: &[&Flow] = &[
    &create::CREATE,
    &load::LOAD,
    &load_offline::LOAD_STOPPED,
    &power::START,
    &power::STOP,
    &power::RESTART,
    &power::RESIZE,
    &rotate_password::ROTATE,
    &move_to_trash::DELETE,
    &move_to_trash::UNDELETE,
    &purge::PURGE,
    &dump::BACKUP,
    &drill::DRILL,
    &restore::RESTORE,
    &offline::RESTORE_COPY,
    &in_place::RESTORE_IN_PLACE,
    &partial::RESTORE_BESIDE,
    &upgrade::UPGRADE,
    &recover::RECOVER,
    &undo::GO_BACK,
    &prune::PRUNE,
    &owner_removal::REMOVE,
    &audit::AUDIT,
    &admin_backup::BACK_UP,
    &replicate::COPY,
    &seed_builder::PREPARE,
    &keeper::KEEP_SPARES,
    &snapshot::SNAPSHOT,
    &clone::CLONE,
    &restore_snapshot::RESTORE_SNAPSHOT,
    &template_import::IMPORT,
    &instance::FROM_TEMPLATE,
];

/// The flow of this kind; `None` if only another version of the portal has it.
pub fn flow(kind: &str) -> Option<&'static Flow> {
    let kind = JobKind::parse(kind)?;
    FLOWS.iter().copied().find(|f| f.kind == kind)
}

/// The flow that starts a container again. If it never ran, that is the flow that creates it.
pub fn start_flow(c: &Container) -> &'static Flow {
    if c.started_at.is_none() && c.origin.is_some() {
        return &clone::CLONE;
    }
    if c.started_at.is_none() && c.template_version.is_some() {
        return &instance::FROM_TEMPLATE;
    }
    match (c.started_at, c.restored_from) {
        (Some(_), _) => &power::START,
        (None, None) if c.brought => load_flow(c.engine),
        (None, None) => &create::CREATE,
        (None, Some(_)) => request::restore_flow(c.engine),
    }
}

/// Enqueues the flow that starts a container again.
///
/// # Errors
/// [`RequestError`]; nothing is written then.
pub async fn start(app: &App, c: &Container, actor: &Actor) -> Result<Uuid, RequestError> {
    match start_flow(c) {
        flow if flow.kind == JobKind::Clone => retry_clone(app, c, actor).await,
        flow if flow.kind == JobKind::FromTemplate => instance::again(app, c, None, actor).await,
        flow => act(app, c, flow, actor).await,
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::job_rules::Cancel;
    use crate::jobs::registry::*;

    #[test]
    fn every_kind_has_a_flow() {
        for kind in JobKind::ALL {
            assert!(flow(kind.as_str()).is_some(), "{kind}");
        }
    }

    #[test]
    fn the_last_cancellable_step_exists_in_the_job() {
        for flow in FLOWS {
            if let Cancel::Before(step) = flow.rules.cancel {
                assert!(flow.names().contains(&step), "{}: {step}", flow.kind);
            }
        }
    }

    #[test]
    fn jobs_that_depend_on_the_data_size_can_be_cancelled() {
        for flow in FLOWS.iter().filter(|f| f.rules.pool.is_long()) {
            assert_ne!(flow.rules.cancel, Cancel::Never, "{}", flow.kind);
        }
    }
}
