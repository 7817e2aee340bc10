//! Snapshots and clones of a database.

pub mod clone;
mod confirm;
pub mod origin;
pub mod snapshots;
