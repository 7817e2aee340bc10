//! The database engines. An engine only describes: it returns data that [`crate::provision`] passes to the
//! [`crate::runtime`]. It refers to no container engine and opens no connection.

pub mod backup;
mod connect;
pub mod conversation;
pub mod cut_off;
pub mod definition;
pub mod description;
pub mod documents;
pub(crate) mod mariadb;
mod mongodb;
mod neo4j;
mod normalized_sql;
mod online_copy;
pub mod part;
pub mod partial;
mod postgres;
pub(crate) mod spec;
mod survey;
#[cfg(test)]
mod testing;

use crate::domain::engine::EngineKind;
use crate::engine::description::Engine;

pub use crate::engine::spec::{
    AdminRecovery, EnginePort, ExecOutcome, ExecSpec, Extension, InjectedFile, InnerPort, LOCKED_OUT, Recipe,
    ServerCert, ServerSpec, Stdin, Tool, Tools, VersionFile, file_bytes,
};
pub use backup::EngineBackup;
pub use connect::{Authority, Endpoint, Snippet, Tls};
pub use online_copy::COPY_DIR;
pub use survey::{Survey, SurveyedDatabase, SurveyedObject, SurveyedRole};

impl EngineKind {
    /// The engine's description.
    pub fn engine(self) -> &'static dyn Engine {
        match self {
            Self::Postgres => &postgres::Postgres,
            Self::Mariadb => &mariadb::Mariadb,
            Self::Mongodb => &mongodb::Mongodb,
            Self::Neo4j => &neo4j::Neo4j,
        }
    }

    /// Display name of the engine.
    pub fn label(self) -> &'static str {
        self.engine().label()
    }

    /// Its purpose, in a few words.
    pub fn tagline(self) -> &'static str {
        self.engine().tagline()
    }
}

/// Parses the server-wide records of a PostgreSQL backup, in the current format or in that of older portals, and
/// returns the form that a restore reads.
///
/// # Errors
/// A sentence if a record is not in a format that a portal writes.
pub fn records(older: bool, text: &[u8]) -> Result<Vec<u8>, String> {
    postgres::records(older, text)
}
