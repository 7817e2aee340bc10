//! The parts of a backup, and the counts of their content.

use serde::{Deserialize, Serialize};

/// One object of a backup in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the target, without the suffixes for compression and encryption.
    pub file: String,
    /// The database it contains; `None` for what belongs to the whole server.
    pub database: Option<String>,
    /// Description for people.
    pub what: &'static str,
}

/// Number of rows, documents or nodes of an object, and optionally a fingerprint of its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// Database.
    #[serde(default)]
    pub database: String,
    /// `table`, `sequence`, `collection`, `label` … or `object`, in which case `name` is a kind of schema object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Number of rows, documents or nodes, or the last value of a sequence.
    pub rows: i64,
    /// A sum over the content that does not depend on its order; absent if not requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// Whether an operation on a server's data needs the server running or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpMode {
    /// While the server runs.
    Running,
    /// After the server was stopped cleanly.
    Stopped,
}

/// The only database of Neo4j Community.
pub(crate) const NEO4J_DATABASE: &str = "neo4j";
