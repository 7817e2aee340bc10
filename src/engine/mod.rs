//! What an engine is. An engine describes and never acts: it returns data that
//! [`crate::provision`] hands to the [`crate::runtime`]. It names no container engine and opens no connection.

pub mod backup;
mod connect;
pub mod definition;
pub mod description;
mod loose;
pub(crate) mod mariadb;
mod mongodb;
mod neo4j;
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
    ServerCert, ServerSpec, Tool, Tools, VersionFile, file_bytes,
};
pub use backup::EngineBackup;
pub use connect::{Endpoint, Snippet};
pub use survey::{Survey, SurveyedDatabase, SurveyedObject, SurveyedRole};

impl EngineKind {
    /// Its description.
    pub fn engine(self) -> &'static dyn Engine {
        match self {
            Self::Postgres => &postgres::Postgres,
            Self::Mariadb => &mariadb::Mariadb,
            Self::Mongodb => &mongodb::Mongodb,
            Self::Neo4j => &neo4j::Neo4j,
        }
    }

    /// The engine's name for people.
    pub fn label(self) -> &'static str {
        self.engine().label()
    }

    /// What it is good for, in a few words.
    pub fn tagline(self) -> &'static str {
        self.engine().tagline()
    }
}

/// Reads what belongs to a whole server of PostgreSQL, of the present form or that of older portals, and answers what a
/// restore takes.
///
/// # Errors
/// A sentence, if something in it is not of a form that a portal writes.
pub fn records(older: bool, text: &[u8]) -> Result<Vec<u8>, String> {
    postgres::records(older, text)
}
