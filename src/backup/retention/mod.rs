//! Removes data from targets: backups that the policy no longer keeps, and the remains of failed ones.

pub mod cleanup;
pub mod prune;
