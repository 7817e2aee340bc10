//! Templates: stopped databases, imported from dumps, that new databases are copied from.
//!
//! A template has versions. A version is imported from a file in the directory of dumps (`directory.rs`), from an object in
//! a backup target (`from_object.rs`), from a snapshot of a database (`from_snapshot.rs`) or from a backup (`from_backup.rs`)
//! by a server without network access ([`import`]), and then never changes. New databases are copied from the current
//! version ([`instance`]); an import that fails leaves it in use.

pub mod copy_names;
pub mod directory;
mod fill;
mod from_backup;
pub mod from_database;
mod from_object;
mod from_snapshot;
mod hook;
pub mod import;
pub mod instance;
mod new_template;
pub mod object_request;
pub mod origin;
pub mod refresh;
pub mod request;
pub mod retire;
mod script;
mod source;
pub mod update;
pub mod upload;
