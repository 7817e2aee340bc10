//! Deletion of databases, by their owners or when they expire: the final backup, the trash, the deletion record in the
//! targets, and permanent deletion.

pub mod expire;
pub mod final_backup;
pub mod move_to_trash;
pub mod purge;
pub mod renew;
pub mod tombstone;
