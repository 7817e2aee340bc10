//! What an engine is. An engine describes and never acts: it returns data that
//! [`crate::provision`] hands to the [`crate::runtime`]. It names no container engine and opens no connection.

pub mod backup;
mod connect;
pub mod definition;
mod loose;
pub(crate) mod mariadb;
mod mongodb;
mod neo4j;
pub mod partial;
mod postgres;
pub(crate) mod spec;
mod survey;
#[cfg(test)]
mod testing;

use std::fmt;

use secrecy::SecretString;

use crate::catalog::CatalogImage;
use crate::domain::names::NameRules;

pub use crate::engine::spec::{
    EnginePort, ExecOutcome, ExecSpec, Extension, FileIn, Inside, LOCKED_OUT, Plan, Recipe, Regain, ServerCert, Tool,
    Tools, VersionFile, file_bytes,
};
pub use backup::Backup;
pub use connect::{Endpoint, Snippet};
pub use survey::{Database, Object, Role, Survey};

/// The engines. How to add a fifth: docs/ARCHITECTURE.md.
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

/// Names that an engine gives by itself, so the form does not ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedNames {
    /// The database.
    pub dbname: &'static str,
    /// The user.
    pub dbuser: &'static str,
}

/// An engine's description.
pub trait Engine: Sync {
    /// Its name for people.
    fn label(&self) -> &'static str;
    /// What it is good for, in a few words.
    fn tagline(&self) -> &'static str;
    /// Ports it listens on; the first is the one in its URL.
    fn ports(&self) -> &'static [EnginePort];
    /// What it allows as names of databases.
    fn database_rules(&self) -> NameRules;
    /// What it allows as names of users.
    fn user_rules(&self) -> NameRules;
    /// The names it gives by itself, if it does.
    fn fixed_names(&self) -> Option<FixedNames> {
        None
    }
    /// Why it does not take this password, which keeps the portal's own rules.
    fn password_fault(&self, _password: &str) -> Option<&'static str> {
        None
    }
    /// What can be added to the user's database when it is made.
    fn extensions(&self) -> &'static [Extension] {
        &[]
    }
    /// Name of the portal's own administrator role.
    fn admin_user(&self) -> &'static str;
    /// Programs the portal runs in its containers. An image without one of them can't be used.
    fn tools(&self) -> &'static [Tool];
    /// How its container is made. `config` holds the files of `dbconfig/<engine>/` by name.
    fn recipe(&self, plan: &Plan<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe;
    /// A command that succeeds once the server serves its users over its real protocol; prints the server's version.
    /// It also tells the server what can only be told while it runs, such as the name its clients know it by.
    fn probe(&self, plan: &Plan<'_>) -> ExecSpec;
    /// A command that succeeds once the server has made its data, and prints its version. It tells the server nothing.
    fn initialised(&self, plan: &Plan<'_>) -> ExecSpec {
        self.probe(plan)
    }
    /// How the administrator gets in again, for engines whose owner can shut it out: then their probe says
    /// [`LOCKED_OUT`].
    fn regain(&self, _plan: &Plan<'_>) -> Option<Regain> {
        None
    }
    /// Commands that make the user's database and role, or find them made and set the password. Where the administrator
    /// still has the password of a seed, it gets its own.
    fn accounts(&self, plan: &Plan<'_>, password: &SecretString) -> Vec<ExecSpec>;
    /// A command that prints how many sessions the user's role has open.
    fn sessions(&self, plan: &Plan<'_>) -> ExecSpec;
    /// A light, read-only command whose output [`Engine::read_survey`] understands.
    fn survey(&self, plan: &Plan<'_>) -> ExecSpec;
    /// Reads what the survey command printed.
    ///
    /// # Errors
    /// A sentence, if that is not what it should print.
    fn read_survey(&self, printed: &str) -> Result<Survey, String> {
        Survey::from_lines(printed)
    }
    /// Where the data directory names the version that wrote it, if it does.
    fn version_file(&self, image: &CatalogImage) -> Option<VersionFile>;
    /// How it is backed up; `None` where that is not to be had yet.
    fn backup(&self) -> Option<&'static dyn Backup> {
        None
    }
    /// Ways to connect.
    fn snippets(&self, endpoint: &Endpoint<'_>) -> Vec<Snippet>;
    /// The variable from which programs take the password, as the ways to connect name it.
    fn password_variable(&self) -> &'static str;
    /// The URL to connect with; percent-encoded, with the password where one is given.
    fn url(&self, endpoint: &Endpoint<'_>, password: Option<&str>) -> String;
    /// A sentence on encryption, for below the ways to connect.
    fn encryption_note(&self) -> &'static str;
}

/// Reads what belongs to a whole server of PostgreSQL, of the present form or that of older portals, and answers what a
/// restore takes.
///
/// # Errors
/// A sentence, if something in it is not of a form that a portal writes.
pub fn records(older: bool, text: &[u8]) -> Result<Vec<u8>, String> {
    postgres::records(older, text)
}
