//! Who asks, and what they may see: decided before a handler runs.

pub mod backup_access;
pub mod identity;
pub mod job_access;
