//! What an engine is. An engine describes and never acts: it returns data that
//! [`crate::provision`] hands to the [`crate::runtime`]. It names no container engine and opens no connection.

mod postgres;

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::catalog::CatalogImage;
use crate::domain::names::{DbName, DbUser, NameRules};
use crate::domain::quantity::{Bytes, MilliCpus};

/// The engines. A fifth is one file here, one catalog entry, one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "engine", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// PostgreSQL.
    Postgres,
}

impl EngineKind {
    /// Every engine.
    pub const ALL: [Self; 1] = [Self::Postgres];

    /// The engine's word in forms, the catalog and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
        }
    }

    /// The engine's name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
        }
    }

    /// What it is good for, in a few words.
    pub fn tagline(self) -> &'static str {
        match self {
            Self::Postgres => "Tables, SQL, JSON, geodata. The usual choice.",
        }
    }

    /// The engine with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.as_str() == word)
    }

    /// Its description.
    pub fn engine(self) -> &'static dyn Engine {
        match self {
            Self::Postgres => &postgres::Postgres,
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A port an engine listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnginePort {
    /// Its purpose, as in the `port` table and in JSON.
    pub purpose: &'static str,
    /// Port inside the container.
    pub inside: u16,
}

/// A file copied into a container before it starts.
#[derive(Clone)]
pub struct FileIn {
    /// Absolute path inside.
    pub path: String,
    /// Permissions, such as `0o600`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Content; treated as a secret.
    pub content: SecretString,
}

impl fmt::Debug for FileIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:o} {}:{}", self.path, self.mode, self.uid, self.gid)
    }
}

/// A command run inside a container: arguments, never a shell line. Secrets go by environment or
/// standard input, never by argument, where `ps` would show them.
#[derive(Clone)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment.
    pub env: Vec<(String, SecretString)>,
    /// Standard input.
    pub stdin: Option<String>,
    /// `uid:gid` to run as.
    pub user: Option<String>,
}

impl fmt::Debug for ExecSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ExecSpec")
            .field("argv", &self.argv)
            .field("env", &names)
            .field("stdin", &self.stdin)
            .field("user", &self.user)
            .finish()
    }
}

/// What an engine needs to know of a container.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Its image.
    pub image: &'a CatalogImage,
    /// Memory limit.
    pub memory: Bytes,
    /// CPU limit.
    pub cpus: MilliCpus,
    /// The portal's own administrator role.
    pub admin_user: &'a str,
    /// That role's password.
    pub admin_password: &'a SecretString,
    /// The user's database.
    pub dbname: &'a DbName,
    /// The user's role.
    pub dbuser: &'a DbUser,
}

/// How an engine's container is made.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Environment. Passwords are in files, since the engine shows a container's environment to everybody who may inspect it.
    pub env: Vec<(String, String)>,
    /// Arguments after the image's entrypoint.
    pub cmd: Vec<String>,
    /// Files copied in before the start.
    pub files: Vec<FileIn>,
    /// Signal that makes the server stop cleanly.
    pub stop_signal: &'static str,
    /// Seconds it may take for that.
    pub stop_seconds: u32,
    /// Linux capabilities the image's entrypoint needs; all others are dropped.
    pub capabilities: &'static [&'static str],
    /// Size of `/dev/shm`.
    pub shm: Bytes,
}

/// A server's certificate, and where to look it up: written into the container by the engine's recipe.
#[derive(Debug, Clone)]
pub struct ServerCert {
    /// Certificate chain, PEM.
    pub cert: String,
    /// Private key, PEM.
    pub key: SecretString,
}

/// Where and as whom a user connects.
#[derive(Debug, Clone)]
pub struct Endpoint<'a> {
    /// Host name.
    pub host: &'a str,
    /// Published ports by purpose.
    pub ports: &'a [(String, u16)],
    /// Database.
    pub dbname: &'a str,
    /// Role.
    pub dbuser: &'a str,
}

impl Endpoint<'_> {
    /// The published port of this purpose, or 0 where none is taken yet.
    pub fn port(&self, purpose: &str) -> u16 {
        self.ports.iter().find(|(p, _)| p == purpose).map_or(0, |(_, port)| *port)
    }
}

/// A way to connect, as shown on a container's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Id for tabs and tests.
    pub id: &'static str,
    /// Label of its tab.
    pub label: &'static str,
    /// What it is written in: `sh`, `url`, `python`, `r`, `java`.
    pub language: &'static str,
    /// What to do with it, in a sentence.
    pub note: &'static str,
    /// The text to copy.
    pub text: String,
}

/// An engine's description.
pub trait Engine: Sync {
    /// Which engine this is.
    fn kind(&self) -> EngineKind;
    /// Ports it listens on; the first is the one in its URL.
    fn ports(&self) -> &'static [EnginePort];
    /// What it allows as names of databases.
    fn database_rules(&self) -> NameRules;
    /// What it allows as names of users.
    fn user_rules(&self) -> NameRules;
    /// Name of the portal's own administrator role.
    fn admin_user(&self) -> &'static str;
    /// How its container is made. `config` holds the files of `dbconfig/<engine>/` by name.
    fn recipe(&self, plan: &Plan<'_>, config: &[(String, String)], cert: &ServerCert) -> Recipe;
    /// A command that succeeds once the server answers its real protocol; prints the server's version.
    fn probe(&self, plan: &Plan<'_>) -> ExecSpec;
    /// Commands that make the user's database and role, or find them made.
    fn accounts(&self, plan: &Plan<'_>, password: &SecretString) -> Vec<ExecSpec>;
    /// A file in the data directory that names the version which wrote it, relative to the volume, and the text expected there.
    fn version_file(&self, image: &CatalogImage) -> (String, String);
    /// Ways to connect.
    fn snippets(&self, endpoint: &Endpoint<'_>) -> Vec<Snippet>;
    /// The URL to connect with; percent-encoded, with the password where one is given.
    fn url(&self, endpoint: &Endpoint<'_>, password: Option<&str>) -> String;
}

/// Percent-encodes what is not unreserved in a URL (RFC 3986, 2.3).
fn url_encode(text: &str) -> String {
    const SET: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, SET).to_string()
}

/// The content of a file, exposed for copying into a container.
pub fn file_bytes(file: &FileIn) -> &[u8] {
    file.content.expose_secret().as_bytes()
}

/// How a command inside a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutcome {
    /// With exit code 0.
    Done,
    /// Otherwise; a sentence with what it said.
    Failed(String),
}

impl ExecOutcome {
    /// Reads an exit code and standard error.
    pub fn of(code: i64, stderr: &str) -> Self {
        if code == 0 {
            return Self::Done;
        }
        let said = stderr.trim();
        let said = if said.is_empty() { "nothing" } else { said };
        Self::Failed(format!("A command in the container ended with code {code} and said: {said}"))
    }
}
