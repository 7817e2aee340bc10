//! How backups are made, and who is told of what went wrong with them.

use std::time::Duration;

use crate::domain::policy::Window;
use crate::domain::retention::Keep;

/// How backups are made.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Level of compression, 1 to 19.
    pub level: i32,
    /// Most backups of this portal at once.
    pub at_once: usize,
    /// When the daily and weekly ones are made, and the zone of cron lines that name none.
    pub window: Window,
    /// Names of the targets that get a copy of every backup.
    pub copies: Vec<String>,
    /// How often mydb_admin is backed up.
    pub admin_every: Duration,
    /// How much is kept.
    pub keep: Keep,
}

/// The program that is told of what went wrong with backups.
#[derive(Debug, Clone)]
pub struct Notify {
    /// The program and its arguments; empty: none.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}
