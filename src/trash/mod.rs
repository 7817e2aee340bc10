//! Deletion of databases: the final backup, the trash, the deletion record in the targets, and permanent deletion.

pub mod delete;
pub mod final_backup;
pub mod tombstone;
