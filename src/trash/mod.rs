//! Deleting a database: its final backup, the trash, the note in the targets, and the end.

pub mod delete;
pub mod final_backup;
pub mod tombstone;
