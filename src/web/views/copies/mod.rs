//! What is copied to new databases: snapshots, clones and templates.

pub mod snapshots;
pub mod templates;
