//! Dumps: what a backup contains, from which sources, and what must not count as one.

pub mod cycle;
mod encodings;
pub mod encryption;
mod ended;
pub mod failed_dumps;
pub mod final_backup;
pub mod frozen_copy;
pub mod mariadb;
mod mariadb_altered;
pub mod mariadb_disturbed;
pub mod mariadb_outside;
pub mod retention;
mod rewritten;
pub mod schedules;
pub mod unusual;
mod yields;
