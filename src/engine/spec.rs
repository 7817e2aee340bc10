//! Inputs and outputs of an engine's description: server specifications, recipes, commands, files.

use std::fmt;

use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::catalog::CatalogImage;
use crate::domain::names::{DbName, DbUser};
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::engine::conversation::Conversation;

/// A port an engine listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnginePort {
    /// Its purpose, as in the `port` table and in JSON.
    pub purpose: &'static str,
    /// Port inside the container.
    pub inside: InnerPort,
}

/// Which port a server listens on in its container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InnerPort {
    /// Always this one.
    Fixed(u16),
    /// The published port, for servers that advertise their own address to clients.
    Published,
}

impl EnginePort {
    /// The port inside the container, if `published` is the port outside.
    pub fn inside(self, published: u16) -> u16 {
        match self.inside {
            InnerPort::Fixed(port) => port,
            InnerPort::Published => published,
        }
    }
}

/// A program that the portal runs in an engine's containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its names in different images; the first one found is used.
    pub names: &'static [&'static str],
}

/// The programs in an image, looked up once per digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools(pub Vec<String>);

impl Tools {
    /// The name of `tool` in this image, or its usual name if the image has not been examined.
    pub fn name(&self, tool: Tool) -> String {
        let found = tool.names.iter().find(|n| self.0.iter().any(|t| t == *n));
        found.or(tool.names.first()).map(|n| (*n).to_owned()).unwrap_or_default()
    }

    /// The tools in `needed` that the image lacks, by their usual names.
    pub fn missing(&self, needed: &[Tool]) -> Vec<&'static str> {
        let absent = |t: &&Tool| !t.names.iter().any(|n| self.0.iter().any(|has| has == n));
        needed.iter().filter(absent).filter_map(|t| t.names.first().copied()).collect()
    }
}

/// An extension that an engine can add to a database when it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: &'static str,
    /// Its purpose, in a few words.
    pub what: &'static str,
    /// Whether every image of the engine contains it.
    pub usual: bool,
}

impl Extension {
    /// An extension that every image of the engine contains.
    pub(crate) const fn usual(name: &'static str, what: &'static str) -> Self {
        Self { name, what, usual: true }
    }

    /// An extension that only some images contain.
    pub(crate) const fn special(name: &'static str, what: &'static str) -> Self {
        Self { name, what, usual: false }
    }

    /// The file that an image with this extension contains.
    pub fn file(&self) -> String {
        format!("{}.control", self.name)
    }
}

/// A file copied into a container before it starts.
#[derive(Clone)]
pub struct InjectedFile {
    /// Absolute path inside the container.
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

impl fmt::Debug for InjectedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:o} {}:{}", self.path, self.mode, self.uid, self.gid)
    }
}

/// Standard input of a command.
#[derive(Debug, Clone)]
pub enum Stdin {
    /// None.
    Closed,
    /// This text.
    Text(SecretString),
    /// The portal's side of a conversation. Its result replaces the command's output and exit code.
    Conversation(Conversation),
}

/// A command run inside a container, as a list of arguments and never as a shell line. Secrets are passed in the
/// environment or on standard input, never as arguments, where `ps` would show them.
#[derive(Clone)]
pub struct ExecSpec {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment.
    pub env: Vec<(String, SecretString)>,
    /// Standard input.
    pub stdin: Stdin,
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

/// The portal's own directory inside every container.
pub(super) const DIR: &str = "/etc/db4sci";

/// What an engine needs to know about a container.
#[derive(Debug, Clone)]
pub struct ServerSpec<'a> {
    /// Id of its container, or of its data if it has no container of its own. For what must differ between servers whose
    /// data are copies of the same directory.
    pub id: Uuid,
    /// Its image.
    pub image: &'a CatalogImage,
    /// Memory limit.
    pub memory: ByteSize,
    /// CPU limit.
    pub cpus: MilliCpus,
    /// The portal's own administrator role.
    pub admin_user: &'a str,
    /// That role's own password.
    pub admin_password: &'a SecretString,
    /// The password that the role still has if the data directory was copied from a seed.
    pub seed_password: Option<&'a SecretString>,
    /// The user's database.
    pub dbname: &'a DbName,
    /// The user's role.
    pub dbuser: &'a DbUser,
    /// Host name for clients.
    pub host: &'a str,
    /// Published ports by purpose.
    pub ports: &'a [(String, u16)],
    /// Extensions selected in the form.
    pub extensions: &'a [String],
    /// The programs in the image.
    pub tools: &'a Tools,
    /// Whether its accounts may not have been set up yet.
    pub fresh: bool,
}

impl ServerSpec<'_> {
    /// The published port for this purpose, or 0 if none is assigned.
    pub fn port(&self, purpose: &str) -> u16 {
        port_of(self.ports, purpose)
    }

    /// The administrator's current password, as the value of an environment variable.
    pub fn admin_secret(&self) -> SecretString {
        self.seed_password.unwrap_or(self.admin_password).clone()
    }

    /// A password that is not stored anywhere, derived from the administrator's for the account named by `label`.
    pub fn derived(&self, label: &str) -> SecretString {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.admin_secret().expose_secret().as_bytes());
        SecretString::from(hex::encode(hmac::sign(&key, label.as_bytes())))
    }

    /// A password that nobody uses, for accounts in a copy that nobody may sign in with.
    pub fn locked_password(&self) -> SecretString {
        self.derived("db4sci locked")
    }

    /// `uid:gid` of the server's process.
    pub fn owner(&self) -> String {
        format!("{}:{}", self.image.uid, self.image.gid)
    }

    /// A file in the portal's directory inside the container, owned by the server.
    pub fn file(&self, name: &str, mode: u32, content: impl Into<SecretString>) -> InjectedFile {
        self.file_at(&format!("{DIR}/{name}"), mode, content)
    }

    /// A file at any path inside the container, owned by the server.
    pub fn file_at(&self, path: &str, mode: u32, content: impl Into<SecretString>) -> InjectedFile {
        InjectedFile { path: path.to_owned(), mode, uid: self.image.uid, gid: self.image.gid, content: content.into() }
    }
}

/// The port for this purpose, or 0 if none is assigned.
pub(super) fn port_of(ports: &[(String, u16)], purpose: &str) -> u16 {
    ports.iter().find(|(p, _)| p == purpose).map_or(0, |(_, port)| *port)
}

/// How an engine's container is created.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Environment. Passwords are in files, because the container engine shows the environment to everybody who may
    /// inspect the container.
    pub env: Vec<(String, String)>,
    /// Arguments after the image's entry point.
    pub cmd: Vec<String>,
    /// Files copied in before the container starts.
    pub files: Vec<InjectedFile>,
    /// Signal that makes the server stop cleanly.
    pub stop_signal: &'static str,
    /// Seconds the server may take to stop.
    pub stop_seconds: u32,
    /// Linux capabilities required by the image's entry point; all others are dropped.
    pub capabilities: &'static [&'static str],
    /// Size of `/dev/shm`.
    pub shm: ByteSize,
    /// Host names that the container resolves itself: (name, address).
    pub hosts: Vec<(String, String)>,
}

/// Prefix of a probe's message if the server responds but rejects the portal's administrator.
pub const LOCKED_OUT: &str = "The portal's user cannot sign in to this server";

/// How the administrator regains access to a server in which somebody removed it or changed its password.
#[derive(Debug)]
pub struct AdminRecovery {
    /// Additional environment of a server that only the portal can reach.
    pub env: Vec<(String, String)>,
    /// Commands to run in it once its probe succeeds.
    pub commands: Vec<ExecSpec>,
}

/// The version that wrote a data directory, as the server records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFile {
    /// Possible paths, relative to the volume; the first existing one counts.
    pub files: Vec<String>,
    /// How its first line begins: with this text, followed by nothing or by something other than a digit.
    pub version: String,
}

impl VersionFile {
    /// Whether the first line of such a file states this version.
    pub fn agrees(&self, line: &str) -> bool {
        let rest = line.trim().strip_prefix(self.version.as_str());
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    }
}

/// A server's certificate, which the engine's recipe writes into the container.
#[derive(Debug, Clone)]
pub struct ServerCert {
    /// Certificate chain, PEM.
    pub cert: String,
    /// Private key, PEM.
    pub key: SecretString,
    /// The authority that signed it, PEM.
    pub authority: String,
}

/// The content of a file, exposed for copying into a container.
pub fn file_bytes(file: &InjectedFile) -> &[u8] {
    file.content.expose_secret().as_bytes()
}

/// Result of a command run inside a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutcome {
    /// The exit code was 0.
    Done,
    /// Any other exit code; a sentence with the command's output.
    Failed(String),
}

impl ExecOutcome {
    /// Builds the result from an exit code and standard error.
    pub fn of(code: i64, stderr: &str) -> Self {
        if code == 0 {
            return Self::Done;
        }
        let said = stderr.trim();
        let said = if said.is_empty() { "nothing" } else { said };
        Self::Failed(format!("A command in the container exited with code {code}. Output: {said}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::spec::*;

    #[test]
    fn a_version_does_not_match_a_longer_one() {
        let v = |version: &str| VersionFile { files: Vec::new(), version: version.to_owned() };
        assert!(v("17").agrees("17\n") && v("10.11").agrees("10.11.14-MariaDB") && v("11.8").agrees("11.8"));
        assert!(!v("1").agrees("17") && !v("10.1").agrees("10.11.14-MariaDB") && !v("17").agrees("15"));
    }

    #[test]
    fn a_tool_has_the_name_used_in_the_image() {
        const CLIENT: Tool = Tool { names: &["mariadb", "mysql"] };
        let has = |names: &[&str]| Tools(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(has(&["mysql"]).name(CLIENT), "mysql");
        assert_eq!(has(&["mysql", "mariadb"]).name(CLIENT), "mariadb");
        assert_eq!(has(&[]).name(CLIENT), "mariadb");
        assert_eq!(has(&["sh"]).missing(&[CLIENT]), ["mariadb"]);
        assert!(has(&["mysql"]).missing(&[CLIENT]).is_empty());
    }
}
