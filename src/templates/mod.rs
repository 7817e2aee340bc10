//! Templates: databases at rest, imported from dumps, that new databases are copied from.
//!
//! A template has versions. A version is imported from a file in the directory of dumps (`directory.rs`) or from a snapshot
//! of a database (`from_snapshot.rs`) by a server without network access ([`import`]), and then never changes. New databases are copied from the current version
//! ([`instance`]); an import that fails leaves it in use.

pub mod directory;
mod fill;
pub mod from_database;
mod from_snapshot;
pub mod import;
pub mod instance;
pub mod refresh;
pub mod request;
pub mod retire;
mod script;
mod source;
pub mod upload;
