//! Background work: the workers of the job queue, and periodic work.

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
