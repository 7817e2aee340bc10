//! Work in the background: the queue's workers, and what is due again and again.

pub mod backups;
mod ending;
pub mod keeper;
pub mod notify;
pub mod reconcile;
pub mod runner;
pub mod schedule;
pub mod survey;
pub mod trouble;
pub mod usage;
mod withdraw;
