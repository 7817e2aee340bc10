//! What a setting means. [`Config`] is read once at the start and never changes.

mod backups;
pub mod build;
pub mod dev;
pub mod effective;
mod load;
pub mod problem;
pub mod prod;
mod read_backups;
mod reader;
pub mod reference;
pub mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::names::InstanceId;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::work::Pool;

pub use crate::config::problem::Problem;
pub use backups::{Backups, Notify, Target};

/// Which class of configuration is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For real data: nothing is made up, every secret must be there.
    Prod,
    /// For trying and developing: makes its own certificate and keys.
    Dev,
}

impl Mode {
    /// Reads `DB4SCI_MODE`.
    pub fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let rule = match text {
            Some("prod") => return Ok(Self::Prod),
            Some("dev") => return Ok(Self::Dev),
            Some(other) => format!("“{other}” is not a mode; set it to prod or dev"),
            None => "is not set; set it to prod or dev".to_owned(),
        };
        Err(Problem { source: "environment".to_owned(), key: "DB4SCI_MODE".to_owned(), rule })
    }

    /// The mode's word, and the name of its directory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prod => "prod",
            Self::Dev => "dev",
        }
    }

    /// The defaults of this mode's class.
    pub fn class_defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Prod => prod::DEFAULTS,
            Self::Dev => dev::DEFAULTS,
        }
    }

    /// Whether a missing certificate or sealing key is made rather than refused.
    pub fn makes_own_secrets(self) -> bool {
        match self {
            Self::Prod => prod::MAKES_OWN_SECRETS,
            Self::Dev => dev::MAKES_OWN_SECRETS,
        }
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The portal's listeners and sessions.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where the portal answers.
    pub listen: SocketAddr,
    /// Where plain HTTP is redirected, if anywhere.
    pub redirect_listen: Option<SocketAddr>,
    /// Whether it serves HTTPS itself.
    pub tls: bool,
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// The portal's address as people type it.
    pub public_url: Option<String>,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Idle time after which a session ends.
    pub session: Duration,
    /// Most open connections.
    pub connections: usize,
    /// Most open connections of one address.
    pub connections_per_address: usize,
    /// Time for a connection's first request to come whole.
    pub header_time: Duration,
    /// Time for a further request to come.
    pub idle: Duration,
    /// Least bytes a second of a request's body.
    pub least_rate: u64,
    /// Most answers of one person that go on.
    pub streams_per_person: usize,
    /// Most calls of one person that wait for a job.
    pub waits_per_person: usize,
}

/// How database containers are reached and how long they may take.
#[derive(Debug, Clone)]
pub struct Databases {
    /// Host name people connect to.
    pub host: String,
    /// Whether each database has a host name of its own below that one.
    pub own_names: bool,
    /// Address on which their ports are published.
    pub bind: IpAddr,
    /// Ports for them.
    pub ports: RangeInclusive<u16>,
    /// Longest wait for a started server to answer.
    pub start_timeout: Duration,
    /// Longest wait for a server that does something, such as to recover.
    pub start_longest: Duration,
    /// Longest wait for a new server to initialise.
    pub create_timeout: Duration,
    /// Whether initialised data directories are kept.
    pub prepare: bool,
    /// Whether the portal keeps rules in the host's firewall.
    pub firewall: bool,
}

impl Databases {
    /// The host name under which people reach the database of this name.
    pub fn host_of(&self, name: &str) -> String {
        if self.own_names { format!("{name}.{}", self.host) } else { self.host.clone() }
    }
}

/// Limits of database containers.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory unless the form says otherwise.
    pub memory_default: ByteSize,
    /// Most memory.
    pub memory_max: ByteSize,
    /// CPUs unless the form says otherwise.
    pub cpus_default: MilliCpus,
    /// Most CPUs.
    pub cpus_max: MilliCpus,
    /// Most processes and threads.
    pub pids: i64,
    /// Most living databases of one person.
    pub containers_per_user: i64,
    /// Loads of one person at once.
    pub loads_per_person: i64,
    /// Most memory of all databases of one person, unless an administrator set another limit for them.
    pub memory_per_person: ByteSize,
    /// The same for CPUs.
    pub cpus_per_person: MilliCpus,
}

/// Where mydb_admin is.
#[derive(Debug, Clone)]
pub struct AdminDb {
    /// An existing server, or `None` for the portal's own container.
    pub url: Option<SecretString>,
    /// Image of the own container, as in the catalog.
    pub image: String,
    /// Memory of the own container.
    pub memory: ByteSize,
    /// Most connections.
    pub connections: u32,
}

/// A directory that holds data directories, with those who may use it.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Name, as in forms and in the database.
    pub name: String,
    /// The directory.
    pub path: PathBuf,
    /// What people read on the form.
    #[serde(default)]
    pub label: String,
    /// Accounts that may use it; empty: everybody. `admins` stands for all admins.
    #[serde(default)]
    pub users: Vec<String>,
    /// Engines that may use it; empty: all.
    #[serde(default)]
    pub engines: Vec<String>,
    /// Most bytes all its databases may take together, such as `200g`.
    #[serde(default)]
    pub limit: Option<String>,
    /// The portal's own note of where this tier was used, in its data directory.
    #[serde(skip)]
    pub seen: Option<PathBuf>,
}

impl Tier {
    /// The limit in bytes. Checked when the configuration was read.
    pub fn limit_bytes(&self) -> Option<i64> {
        self.limit.as_deref().and_then(|l| ByteSize::parse(l).ok()).map(|b| b.0)
    }

    /// Whether this person may put a database of this engine on it.
    pub fn allows(&self, username: &str, is_admin: bool, engine: &str) -> bool {
        let engine_ok = self.engines.is_empty() || self.engines.iter().any(|e| e == engine);
        let user_ok = self.users.is_empty() || is_admin || self.users.iter().any(|u| u == username);
        engine_ok && user_ok
    }
}

/// How the catalog's images are turned into references for the engine.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// Prefix put before every reference.
    pub registry_mirror: Option<String>,
    /// References to use instead.
    pub replace: BTreeMap<String, String>,
}

/// A link in the footer.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its text.
    pub label: String,
    /// Its address.
    pub url: String,
}

/// How the portal presents itself.
#[derive(Debug, Clone)]
pub struct Branding {
    /// Name on every page.
    pub name: String,
    /// Logo file.
    pub logo: Option<PathBuf>,
    /// Accent colour, `#rrggbb`.
    pub accent: Option<String>,
    /// Whom people ask.
    pub contact: Option<String>,
    /// A sentence on top of every page.
    pub notice: Option<String>,
    /// Links in the footer.
    pub links: Vec<Link>,
}

/// Job queue and periodic work.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// Jobs at once.
    pub workers: usize,
    /// Those of them that long jobs leave free.
    pub short_workers: usize,
    /// Longest that a short job may take.
    pub short: Duration,
    /// Longest that a long job may take.
    pub long: Duration,
    /// Longest that the load of a dump may take.
    pub load: Duration,
    /// Time after which a dead portal's job is taken over.
    pub lease: Duration,
    /// First wait before a retry; doubles each time.
    pub retry: Duration,
    /// Time between reconciliations.
    pub reconcile: Duration,
    /// Time between size measurements.
    pub usage: Duration,
    /// Time between looks into the running servers.
    pub survey: Duration,
    /// Time between looks whether seeds are missing.
    pub prepare: Duration,
}

impl Jobs {
    /// How many long jobs may run at once.
    pub fn long_workers(&self) -> usize {
        self.workers.saturating_sub(self.short_workers).max(1)
    }
}

/// What and how the portal logs about itself.
#[derive(Debug, Clone)]
pub struct Log {
    /// JSON lines instead of text.
    pub json: bool,
    /// Filter.
    pub level: String,
}

/// Everything that can be configured, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The mode.
    pub mode: Mode,
    /// Directory that holds `prod/`, `dev/` and `dbconfig/`.
    pub home: PathBuf,
    /// The mode's directory.
    pub mode_dir: PathBuf,
    /// Id of this portal.
    pub instance: InstanceId,
    /// The portal's own files.
    pub data_dir: PathBuf,
    /// The catalog's file.
    pub catalog: PathBuf,
    /// Listeners and sessions.
    pub server: Server,
    /// Reaching databases.
    pub databases: Databases,
    /// Limits of databases.
    pub limits: Limits,
    /// mydb_admin.
    pub admin_db: AdminDb,
    /// Storage tiers; the first is the default.
    pub storage: Vec<Tier>,
    /// Buckets for backups; the first is the default.
    pub targets: Vec<Target>,
    /// How backups are made.
    pub backups: Backups,
    /// Who is told of what went wrong with them.
    pub notify: Notify,
    /// Image references.
    pub images: Images,
    /// The key that seals secrets.
    pub seal_key: PathBuf,
    /// Days in the trash.
    pub trash_days: i64,
    /// Job queue.
    pub jobs: Jobs,
    /// Logging.
    pub log: Log,
    /// Presentation.
    pub branding: Branding,
}

impl Config {
    /// How long a job of this pool may take since it first began.
    pub fn deadline(&self, pool: Pool) -> Duration {
        match pool {
            Pool::Short => self.jobs.short,
            Pool::Long | Pool::Backup => self.jobs.long,
            Pool::Load => self.jobs.load,
        }
    }

    /// The tier with this name.
    pub fn tier(&self, name: &str) -> Option<&Tier> {
        self.storage.iter().find(|t| t.name == name)
    }

    /// The reference the engine is asked for when the catalog says `image`.
    pub fn image_reference(&self, image: &str) -> String {
        if let Some(replacement) = self.images.replace.get(image) {
            return replacement.clone();
        }
        match &self.images.registry_mirror {
            Some(mirror) => format!("{}/{}", mirror.trim_end_matches('/'), image.trim_start_matches("docker.io/")),
            None => image.to_owned(),
        }
    }
}
