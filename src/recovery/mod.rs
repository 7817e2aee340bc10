//! Protects the portal itself: backups of mydb_admin and its keys in the bucket, and their restore.

pub mod admin_backup;
mod admin_copy;
pub mod admin_restore;
pub mod client;
pub mod retention;
