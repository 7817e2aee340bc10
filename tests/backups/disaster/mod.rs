//! What remains after a loss: the backups of mydb_admin, unregistered backups, the audit, a rebuild from the bucket.

pub mod admin_db;
pub mod audit;
pub mod rebuild;
pub mod runbook;
pub mod unregistered;
