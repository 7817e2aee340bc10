//! Commands that enqueue work. The running portal does it.

pub(super) mod backup;
pub(super) mod reaper;
mod session;
pub(super) mod template;
