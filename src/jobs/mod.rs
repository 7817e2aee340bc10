//! Work in the background: the queue's workers, and what is due again and again.

pub mod backup_alerts;
pub mod backups;
mod ending;
pub mod reconcile_servers;
pub mod registry;
pub mod schedule;
pub mod survey;
pub mod usage;
pub mod watchdog;
mod withdraw;
pub mod workers;
