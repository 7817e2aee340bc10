//! What is removed from a target: backups that the policy no longer keeps, and what failed ones left.

pub mod cleanup;
pub mod prune;
