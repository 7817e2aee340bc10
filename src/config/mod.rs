//! The configuration. [`Config`] is read once at startup and never changes.

mod backup_settings;
mod backups;
pub mod build;
mod databases;
pub mod dev;
pub mod effective;
mod load;
mod myaas_env;
pub mod problem;
pub mod prod;
mod read_backups;
mod reader;
pub mod setting;
pub mod settings;
pub mod settings_reference;
mod spares;
mod templates;
#[cfg(test)]
mod tests;
mod ttl;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::expiry::ReaperFilter;
use crate::domain::job_rules::Pool;
use crate::domain::names::InstanceId;
use crate::domain::quantity::{ByteSize, MilliCpus};

pub use crate::config::problem::Problem;
pub use backups::{Backups, Notify, Target};
pub use databases::Databases;
pub use spares::{SpareCount, SpareRule};
pub use templates::{Myaas, Templates};
pub use ttl::{TtlRule, TtlRules, TtlSettings};

/// The mode of the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For real data: nothing is generated, and every secret must exist.
    Prod,
    /// For evaluation and development: creates its own certificate and keys.
    Dev,
}

impl Mode {
    /// Parses the value of `DB4SCI_MODE`.
    pub fn parse(text: Option<&str>) -> Result<Self, Problem> {
        let rule = match text {
            Some("prod") => return Ok(Self::Prod),
            Some("dev") => return Ok(Self::Dev),
            Some(other) => format!("“{other}” is not a mode; set it to prod or dev"),
            None => "is not set; set it to prod or dev".to_owned(),
        };
        Err(Problem { source: "environment".to_owned(), key: "DB4SCI_MODE".to_owned(), rule })
    }

    /// The mode's word, which is also the name of its directory.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prod => "prod",
            Self::Dev => "dev",
        }
    }

    /// The defaults of this mode.
    pub fn class_defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Prod => prod::DEFAULTS,
            Self::Dev => dev::DEFAULTS,
        }
    }

    /// Whether a missing certificate or sealing key is created rather than reported.
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

/// Listeners, connections and sessions of the portal.
#[derive(Debug, Clone)]
pub struct Server {
    /// The address the portal listens on.
    pub listen: SocketAddr,
    /// The address whose plain HTTP requests are redirected, if any.
    pub redirect_listen: Option<SocketAddr>,
    /// Whether the portal serves HTTPS itself.
    pub tls: bool,
    /// Certificate chain in PEM format.
    pub cert: PathBuf,
    /// Private key in PEM format.
    pub key: PathBuf,
    /// The portal's URL as users enter it.
    pub public_url: Option<String>,
    /// Proxies whose X-Forwarded-For header is trusted.
    pub trusted_proxies: Vec<IpAddr>,
    /// Idle time after which a session expires.
    pub session: Duration,
    /// Maximum number of open connections.
    pub connections: usize,
    /// Maximum number of open connections from one address.
    pub connections_per_address: usize,
    /// Timeout for the complete header of a connection's first request.
    pub header_time: Duration,
    /// Timeout for another request on the same connection.
    pub idle: Duration,
    /// Minimum rate of a request body in bytes per second.
    pub least_rate: u64,
    /// Maximum number of streamed responses to one user.
    pub streams_per_person: usize,
    /// Maximum number of calls by one user that wait for a job.
    pub waits_per_person: usize,
}

/// Limits of database containers and users.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Default memory.
    pub memory_default: ByteSize,
    /// Maximum memory.
    pub memory_max: ByteSize,
    /// Default number of CPUs.
    pub cpus_default: MilliCpus,
    /// Maximum number of CPUs.
    pub cpus_max: MilliCpus,
    /// Maximum number of processes and threads.
    pub pids: i64,
    /// Maximum number of existing databases for each user.
    pub containers_per_user: i64,
    /// Maximum number of simultaneous loads for each user.
    pub loads_per_person: i64,
    /// Maximum total memory of one user's databases, unless an administrator sets a different limit for the user.
    pub memory_per_person: ByteSize,
    /// The same for CPUs.
    pub cpus_per_person: MilliCpus,
    /// Longest and default times to live.
    pub ttl: TtlSettings,
}

/// Connection and container of mydb_admin.
#[derive(Debug, Clone)]
pub struct AdminDb {
    /// URL of an existing server, or `None` for the portal's own container.
    pub url: Option<SecretString>,
    /// Image of the own container, as in the catalog.
    pub image: String,
    /// Memory of the own container.
    pub memory: ByteSize,
    /// Maximum number of connections.
    pub connections: u32,
    /// How long to wait for a connection.
    pub patience: Duration,
}

/// A storage tier: a directory that contains data directories, and who may use it.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Name in forms and in the database.
    pub name: String,
    /// The directory.
    pub path: PathBuf,
    /// The label in forms.
    #[serde(default)]
    pub label: String,
    /// Accounts that may use it; if empty, everybody. `admins` means all admins.
    #[serde(default)]
    pub users: Vec<String>,
    /// Engines that may use it; if empty, all.
    #[serde(default)]
    pub engines: Vec<String>,
    /// Maximum total size of all databases on it, such as `200g`.
    #[serde(default)]
    pub limit: Option<String>,
    /// The file in the portal's data directory that records where this tier was used.
    #[serde(skip)]
    pub seen: Option<PathBuf>,
}

impl Tier {
    /// The limit in bytes. It was validated when the configuration was read.
    pub fn limit_bytes(&self) -> Option<i64> {
        self.limit.as_deref().and_then(|l| ByteSize::parse(l).ok()).map(|b| b.0)
    }

    /// Whether this user may create a database of this engine on it.
    pub fn allows(&self, username: &str, is_admin: bool, engine: &str) -> bool {
        let engine_ok = self.engines.is_empty() || self.engines.iter().any(|e| e == engine);
        let user_ok = self.users.is_empty() || is_admin || self.users.iter().any(|u| u == username);
        engine_ok && user_ok
    }
}

/// How image names in the catalog are converted to references for the container engine.
#[derive(Debug, Clone, Default)]
pub struct Images {
    /// Prefix for every reference.
    pub registry_mirror: Option<String>,
    /// Replacement references by catalog image.
    pub replace: BTreeMap<String, String>,
}

/// A link in the footer.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Text of the link.
    pub label: String,
    /// URL of the link.
    pub url: String,
}

/// Name, logo and texts of the portal's pages.
#[derive(Debug, Clone)]
pub struct Branding {
    /// Name on every page.
    pub name: String,
    /// Logo file.
    pub logo: Option<PathBuf>,
    /// File of the icon that browsers show.
    pub favicon: Option<PathBuf>,
    /// Accent colour, `#rrggbb`.
    pub accent: Option<String>,
    /// Contact for questions.
    pub contact: Option<String>,
    /// A sentence at the top of every page.
    pub notice: Option<String>,
    /// Links in the footer.
    pub links: Vec<Link>,
}

/// Job queue and periodic work.
#[derive(Debug, Clone)]
pub struct Jobs {
    /// Number of workers.
    pub workers: usize,
    /// Number of workers reserved for short jobs.
    pub short_workers: usize,
    /// Time limit of short jobs.
    pub short: Duration,
    /// Time limit of long jobs.
    pub long: Duration,
    /// Time limit for loading a dump.
    pub load: Duration,
    /// Time after which another portal takes over the jobs of a dead one.
    pub lease: Duration,
    /// Delay before the first retry; doubles each time.
    pub retry: Duration,
    /// Interval between reconciliations.
    pub reconcile: Duration,
    /// Interval between size measurements.
    pub usage: Duration,
    /// Interval between scans of the running servers.
    pub survey: Duration,
    /// Interval between checks for missing seeds.
    pub prepare: Duration,
    /// Interval between checks for missing servers started in advance.
    pub spares: Duration,
    /// Interval between runs of the reaper.
    pub reaper_every: Duration,
    /// The databases that the reaper removes.
    pub reaper: Vec<ReaperFilter>,
}

impl Jobs {
    /// How many long jobs may run at once.
    pub fn long_workers(&self) -> usize {
        self.workers.saturating_sub(self.short_workers).max(1)
    }
}

/// Format and level of the portal's log.
#[derive(Debug, Clone)]
pub struct Log {
    /// JSON lines instead of text.
    pub json: bool,
    /// Filter for log messages.
    pub level: String,
}

/// The complete, validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The mode, `prod` or `dev`.
    pub mode: Mode,
    /// Directory that contains `prod/`, `dev/` and `dbconfig/`.
    pub home: PathBuf,
    /// The mode's directory.
    pub mode_dir: PathBuf,
    /// Id of this portal.
    pub instance: InstanceId,
    /// Directory of the portal's own files.
    pub data_dir: PathBuf,
    /// Path of the catalog.
    pub catalog: PathBuf,
    /// Listeners and sessions.
    pub server: Server,
    /// Network addresses and timeouts of databases.
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
    /// The program that receives notices about failed backups.
    pub notify: Notify,
    /// How image names are converted to references.
    pub images: Images,
    /// The key file that encrypts secrets.
    pub seal_key: PathBuf,
    /// Days in the trash before permanent deletion.
    pub trash_days: i64,
    /// Job queue.
    pub jobs: Jobs,
    /// Logging.
    pub log: Log,
    /// Presentation.
    pub branding: Branding,
    /// Templates.
    pub templates: Templates,
    /// The interface for databases from templates.
    pub myaas: Myaas,
}

impl Config {
    /// Time limit of a job of this pool, counted from its first start.
    pub fn deadline(&self, pool: Pool) -> Duration {
        match pool {
            Pool::Short => self.jobs.short,
            Pool::Long | Pool::Backup => self.jobs.long,
            Pool::Load => self.jobs.load,
        }
    }

    /// The tier of this name.
    pub fn tier(&self, name: &str) -> Option<&Tier> {
        self.storage.iter().find(|t| t.name == name)
    }

    /// The reference to request from the container engine for catalog image `image`.
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
