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
