//! The database engines by name. `crate::engine` describes what each of them does.

use std::fmt;

/// The supported engines. docs/ARCHITECTURE.md explains how to add another one.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, serde::Serialize, serde::Deserialize,
)]
#[sqlx(type_name = "engine", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
    /// MongoDB.
    Mongodb,
    /// Neo4j.
    Neo4j,
}

impl EngineKind {
    /// Every engine.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mariadb, Self::Mongodb, Self::Neo4j];

    /// The engine's word in forms, the catalog and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb => "mariadb",
            Self::Mongodb => "mongodb",
            Self::Neo4j => "neo4j",
        }
    }

    /// The engine with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == word)
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
