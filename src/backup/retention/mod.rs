//! Removes data from targets: backups that the policy no longer keeps or that their owners delete, and the remains of
//! failed ones.

pub mod cleanup;
pub mod owner_removal;
pub mod prune;
