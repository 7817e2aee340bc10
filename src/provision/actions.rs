//! The kinds of jobs.

use super::flow::Flow;
use super::{create, delete, power, rotate};
use crate::backup::{audit, drill, dump, prune, restore};

/// Every flow.
pub static FLOWS: &[&Flow] = &[
    &create::CREATE,
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
    &prune::PRUNE,
    &audit::AUDIT,
];

/// The flow of this kind.
pub fn flow(kind: &str) -> Option<&'static Flow> {
    FLOWS.iter().copied().find(|f| f.kind == kind)
}
