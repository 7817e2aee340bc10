//! The kinds of jobs.

use super::flow::Flow;
use super::{create, delete, go_back, power, prepare_images, rotate};
use crate::backup::{audit, beside, drill, dump, in_place, prune, recover, restore, restore_copy, second, upgrade};
use crate::intake::{load, load_stopped};
use crate::recovery::admin_backup;

/// Every flow.
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
    &restore_copy::RESTORE_COPY,
    &in_place::RESTORE_IN_PLACE,
    &beside::RESTORE_BESIDE,
    &upgrade::UPGRADE,
    &recover::RECOVER,
    &go_back::GO_BACK,
    &prune::PRUNE,
    &audit::AUDIT,
    &admin_backup::BACK_UP,
    &second::COPY,
    &prepare_images::PREPARE,
];

/// The flow of this kind.
pub fn flow(kind: &str) -> Option<&'static Flow> {
    FLOWS.iter().copied().find(|f| f.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::work::Cancel;

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
