//! What goes into an engine's description and what comes out of it: plans, recipes, commands, files.

use std::fmt;

use aws_lc_rs::hmac;
use secrecy::{ExposeSecret, SecretString};

use crate::catalog::CatalogImage;
use crate::domain::names::{DbName, DbUser};
use crate::domain::quantity::{ByteSize, MilliCpus};

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
    /// The published one, for servers that tell their clients where they are.
    Published,
}

impl EnginePort {
    /// The port inside, where `published` is the one outside.
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
    /// The names it has in one image or another; the first found is used.
    pub names: &'static [&'static str],
}

/// Which programs an image has, looked up once for its digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tools(pub Vec<String>);

impl Tools {
    /// The name of `tool` in this image; its usual one where nothing is known of the image.
    pub fn name(&self, tool: Tool) -> String {
        let found = tool.names.iter().find(|n| self.0.iter().any(|t| t == *n));
        found.or(tool.names.first()).map(|n| (*n).to_owned()).unwrap_or_default()
    }

    /// Those of `needed` of which the image has none, by their usual names.
    pub fn missing(&self, needed: &[Tool]) -> Vec<&'static str> {
        let absent = |t: &&Tool| !t.names.iter().any(|n| self.0.iter().any(|has| has == n));
        needed.iter().filter(absent).filter_map(|t| t.names.first().copied()).collect()
    }
}

/// Something an engine can add to a database when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub what: &'static str,
}

/// A file copied into a container before it starts.
#[derive(Clone)]
pub struct InjectedFile {
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

impl fmt::Debug for InjectedFile {
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
    pub stdin: Option<SecretString>,
    /// `uid:gid` to run as.
    pub user: Option<String>,
}

impl fmt::Debug for ExecSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("ExecSpec")
            .field("argv", &self.argv)
            .field("env", &names)
            .field("stdin", &self.stdin.is_some())
            .field("user", &self.user)
            .finish()
    }
}

/// The portal's own directory inside every container.
pub(super) const DIR: &str = "/etc/db4sci";

/// What an engine needs to know of a container.
#[derive(Debug, Clone)]
pub struct ServerSpec<'a> {
    /// Its image.
    pub image: &'a CatalogImage,
    /// Memory limit.
    pub memory: ByteSize,
    /// CPU limit.
    pub cpus: MilliCpus,
    /// The portal's own administrator role.
    pub admin_user: &'a str,
    /// That role's password, of its own.
    pub admin_password: &'a SecretString,
    /// The password that it still has: that of the data its directory was copied from.
    pub seed_password: Option<&'a SecretString>,
    /// The user's database.
    pub dbname: &'a DbName,
    /// The user's role.
    pub dbuser: &'a DbUser,
    /// Host name that people connect to.
    pub host: &'a str,
    /// Published ports by purpose.
    pub ports: &'a [(String, u16)],
    /// Extensions chosen on the form.
    pub extensions: &'a [String],
    /// What the image has.
    pub tools: &'a Tools,
    /// Whether its accounts may not be set up yet.
    pub fresh: bool,
}

impl ServerSpec<'_> {
    /// The published port of this purpose, or 0 where none is taken.
    pub fn port(&self, purpose: &str) -> u16 {
        port_of(self.ports, purpose)
    }

    /// The password that the administrator has now, as a value of an environment.
    pub fn admin_secret(&self) -> SecretString {
        self.seed_password.unwrap_or(self.admin_password).clone()
    }

    /// A password that nobody has to keep: made of the administrator's, for the account that `label` names.
    pub fn derived(&self, label: &str) -> SecretString {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.admin_secret().expose_secret().as_bytes());
        SecretString::from(hex::encode(hmac::sign(&key, label.as_bytes())))
    }

    /// `uid:gid` of the server's process.
    pub fn owner(&self) -> String {
        format!("{}:{}", self.image.uid, self.image.gid)
    }

    /// A file in the portal's own directory inside the container, owned by the server.
    pub fn file(&self, name: &str, mode: u32, content: impl Into<SecretString>) -> InjectedFile {
        self.file_at(&format!("{DIR}/{name}"), mode, content)
    }

    /// A file at any place inside the container, owned by the server.
    pub fn file_at(&self, path: &str, mode: u32, content: impl Into<SecretString>) -> InjectedFile {
        InjectedFile { path: path.to_owned(), mode, uid: self.image.uid, gid: self.image.gid, content: content.into() }
    }
}

/// The port of this purpose, or 0 where none is taken.
pub(super) fn port_of(ports: &[(String, u16)], purpose: &str) -> u16 {
    ports.iter().find(|(p, _)| p == purpose).map_or(0, |(_, port)| *port)
}

/// How an engine's container is made.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Environment. Passwords are in files, since the engine shows a container's environment to everybody who may inspect it.
    pub env: Vec<(String, String)>,
    /// Arguments after the image's entrypoint.
    pub cmd: Vec<String>,
    /// Files copied in before the start.
    pub files: Vec<InjectedFile>,
    /// Signal that makes the server stop cleanly.
    pub stop_signal: &'static str,
    /// Seconds it may take for that.
    pub stop_seconds: u32,
    /// Linux capabilities the image's entrypoint needs; all others are dropped.
    pub capabilities: &'static [&'static str],
    /// Size of `/dev/shm`.
    pub shm: ByteSize,
    /// Host names the container resolves by itself: (name, address).
    pub hosts: Vec<(String, String)>,
}

/// Begins what a probe says where the server answers but does not let the portal's administrator in.
pub const LOCKED_OUT: &str = "The portal's user cannot sign in to this server";

/// How the administrator gets into a server again in which somebody removed it, or gave it another password.
#[derive(Debug)]
pub struct AdminRecovery {
    /// What is in the environment besides, of a server that nobody but the portal reaches.
    pub env: Vec<(String, String)>,
    /// Commands in it, once it answers its probe.
    pub commands: Vec<ExecSpec>,
}

/// The version that wrote a data directory, in the server's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionFile {
    /// Where it may stand, relative to the volume; the first that is there counts.
    pub files: Vec<String>,
    /// How its first line begins: this, alone or followed by something that is no digit.
    pub version: String,
}

impl VersionFile {
    /// Whether the first line of such a file is of this version.
    pub fn agrees(&self, line: &str) -> bool {
        let rest = line.trim().strip_prefix(self.version.as_str());
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
    }
}

/// A server's certificate, and where to look it up: written into the container by the engine's recipe.
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
        Self::Failed(format!("A command in the container exited with code {code}. Output: {said}"))
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::spec::*;

    #[test]
    fn a_version_is_not_taken_for_a_longer_one() {
        let v = |version: &str| VersionFile { files: Vec::new(), version: version.to_owned() };
        assert!(v("17").agrees("17\n") && v("10.11").agrees("10.11.14-MariaDB") && v("11.8").agrees("11.8"));
        assert!(!v("1").agrees("17") && !v("10.1").agrees("10.11.14-MariaDB") && !v("17").agrees("15"));
    }

    #[test]
    fn a_tool_has_the_name_that_the_image_knows() {
        const CLIENT: Tool = Tool { names: &["mariadb", "mysql"] };
        let has = |names: &[&str]| Tools(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(has(&["mysql"]).name(CLIENT), "mysql");
        assert_eq!(has(&["mysql", "mariadb"]).name(CLIENT), "mariadb");
        assert_eq!(has(&[]).name(CLIENT), "mariadb");
        assert_eq!(has(&["sh"]).missing(&[CLIENT]), ["mariadb"]);
        assert!(has(&["mysql"]).missing(&[CLIENT]).is_empty());
    }
}
