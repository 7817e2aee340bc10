//! What a backup of a database is made of: its parts, and the counts of what is in them.

use serde::{Deserialize, Serialize};

/// One object of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name in the target, without the endings for compression and encryption.
    pub file: String,
    /// The database it holds; `None` for what belongs to the whole server.
    pub database: Option<String>,
    /// What it is, for people.
    pub what: &'static str,
}

/// How many rows, documents or nodes there are of something, and a sum over their content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// Database.
    #[serde(default)]
    pub database: String,
    /// `table`, `sequence`, `collection`, `label` … or `object`, where `name` is a kind of things in the schema.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// How many; of a sequence its last value.
    pub rows: i64,
    /// A sum over the content that does not depend on the order; absent where it was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// When something is done with a server's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DumpMode {
    /// While the server runs.
    Running,
    /// While it is stopped, cleanly.
    Stopped,
}

/// The only database of Community.
pub(crate) const NEO4J_DATABASE: &str = "neo4j";
