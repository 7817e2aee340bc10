//! The portal's own survival: mydb_admin and the keys in the bucket, and the way back from nothing but that.

pub mod admin_backup;
mod admin_copy;
pub mod admin_restore;
pub mod client;
pub mod retention;
