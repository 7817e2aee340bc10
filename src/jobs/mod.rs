//! Background work: the workers of the job queue, and periodic work.

pub mod backup_alerts;
pub mod backups;
mod ending;
mod lease;
pub mod memory_kills;
pub mod portal_health;
pub mod reaper;
pub mod reconcile_servers;
pub mod registry;
pub mod schedule;
mod step_status;
pub mod survey;
mod template_alerts;
mod undo_steps;
pub mod usage;
mod withdraw;
pub mod workers;
