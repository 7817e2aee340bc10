//! The registry of all kinds of jobs.

use crate::admin_db::containers::Container;
use crate::audit;
use crate::backup::restore::{in_place, offline, partial, recover, upgrade};
use crate::backup::retention::prune;
use crate::backup::{drill, dump, replicate, request, restore};
use crate::domain::job_kind::JobKind;
use crate::import::request::load_flow;
use crate::import::{load, load_stopped};
use crate::provision::{create, power, rollback, rotate, seed_builder};
use crate::queue::flow::Flow;
use crate::recovery::admin_backup;
use crate::trash::delete;

/// All flows.
pub static FLOWS: &[&Flow] = &[
    &create::CREATE,
    &load::LOAD,
    &load_stopped::LOAD_STOPPED,
    &power::START,
    &power::STOP,
    &power::RESTART,
    &power::RESIZE,
    &rotate::ROTATE,
    &delete::DELETE,
    &delete::UNDELETE,
    &delete::PURGE,
    &dump::BACKUP,
    &drill::DRILL,
    &restore::RESTORE,
    &offline::RESTORE_COPY,
    &in_place::RESTORE_IN_PLACE,
    &partial::RESTORE_BESIDE,
    &upgrade::UPGRADE,
    &recover::RECOVER,
    &rollback::GO_BACK,
    &prune::PRUNE,
    &audit::AUDIT,
    &admin_backup::BACK_UP,
    &replicate::COPY,
    &seed_builder::PREPARE,
];

/// The flow of this kind; `None` if only another version of the portal has it.
pub fn flow(kind: &str) -> Option<&'static Flow> {
    let kind = JobKind::parse(kind)?;
    FLOWS.iter().copied().find(|f| f.kind == kind)
}

/// The flow that starts a container again. If it never ran, that is the flow that creates it.
pub fn start_flow(c: &Container) -> &'static Flow {
    match (c.started_at, c.restored_from) {
        (Some(_), _) => &power::START,
        (None, None) if c.brought => load_flow(c.engine),
        (None, None) => &create::CREATE,
        (None, Some(_)) => request::restore_flow(c.engine),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::work::Cancel;
    use crate::jobs::registry::*;

    #[test]
    fn every_kind_has_a_flow() {
        for kind in JobKind::ALL {
            assert!(flow(kind.as_str()).is_some(), "{kind}");
        }
    }

    #[test]
    fn what_ends_the_time_to_cancel_is_a_step_of_the_job() {
        for flow in FLOWS {
            if let Cancel::Before(step) = flow.rules.cancel {
                assert!(flow.names().contains(&step), "{}: {step}", flow.kind);
            }
        }
    }

    #[test]
    fn what_takes_as_long_as_the_data_is_large_can_be_cancelled() {
        for flow in FLOWS.iter().filter(|f| f.rules.pool.is_long()) {
            assert_ne!(flow.rules.cancel, Cancel::Never, "{}", flow.kind);
        }
    }
}
