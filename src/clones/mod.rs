//! Copies of databases: snapshots, and the databases made from them.
//!
//! A snapshot is a copy of a data directory at one moment ([`snapshot`]); its job belongs to the database that is copied. A
//! clone is a new database on a copy of a snapshot ([`clone`]), its origin; the origin is kept so that the clone can be
//! reset to it ([`restore_snapshot`]). Before anybody can connect to a clone, a server without network access recovers the
//! copy and gives it its own passwords (`take_over.rs`).

pub mod clone;
pub(crate) mod fetch;
pub mod remove;
pub mod request;
pub mod restore_snapshot;
pub mod retry_clone;
pub mod snapshot;
pub(crate) mod take_over;
