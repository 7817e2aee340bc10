//! Settings for backups: targets, how backups are made, and how long they are kept.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::backup_schedule::Window;
use crate::domain::quantity::ByteSize;
use crate::domain::retention::KeepCounts;
use crate::encryption::{Identities, Recipients};

/// How backups are made.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Compression level, 1 to 19.
    pub level: i32,
    /// Number of threads that compress one backup.
    pub threads: u32,
    /// Whether compression looks for repeated data over long distances.
    pub long_distance: bool,
    /// The recipients that backups are encrypted for; if empty, they are not encrypted.
    pub recipients: Vec<String>,
    /// The file with the portal's own identities.
    pub identity_file: Option<PathBuf>,
    /// The identities read from that file.
    pub identities: Vec<SecretString>,
    /// Maximum size of an uploaded dump.
    pub upload_max: ByteSize,
    /// Maximum total size of one user's dumps that are not loaded yet.
    pub upload_person_max: ByteSize,
    /// Maximum total size of all users' dumps that are not loaded yet.
    pub upload_total_max: ByteSize,
    /// How long to keep a dump that could not be loaded.
    pub upload_keep: Duration,
    /// Maximum number of simultaneous backups of this portal.
    pub at_once: usize,
    /// How long a backup waits for locks held by other sessions in the database.
    pub lock_wait: Duration,
    /// When daily and weekly backups are made, and the time zone of cron expressions without one.
    pub window: Window,
    /// Names of the targets that get a copy of every backup.
    pub copies: Vec<String>,
    /// Interval between backups of mydb_admin.
    pub admin_every: Duration,
    /// The retention rules.
    pub keep: KeepCounts,
}

/// The program that receives notices about failed backups.
#[derive(Debug, Clone)]
pub struct Notify {
    /// The program and its arguments; empty if there is none.
    pub command: Vec<String>,
    /// Timeout of one call.
    pub timeout: Duration,
}

/// A bucket for backups in an S3-compatible store.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name in pages and in the database.
    pub name: String,
    /// A directory that the portal itself serves as an S3 store on loopback. For dev mode, because it is not on another
    /// machine.
    #[serde(default)]
    pub embedded: Option<PathBuf>,
    /// URL of the store, such as `https://s3.example.org`; if absent, Amazon's endpoint of the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(default = "default_region")]
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// Prefix of all keys.
    #[serde(default)]
    pub prefix: String,
    /// Access key; if absent, it comes from the environment, a profile or the machine's role, as with Amazon's tools.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The secret of the access key.
    #[serde(default)]
    pub secret_access_key: Option<SecretString>,
    /// A file that contains the secret instead.
    #[serde(default)]
    pub secret_access_key_file: Option<PathBuf>,
    /// Put the bucket into the path instead of the host name; most stores other than Amazon's need it.
    #[serde(default)]
    pub path_style: bool,
    /// Send the newer checksums with every request. Many other stores don't support them.
    #[serde(default)]
    pub checksums: bool,
    /// Server-side encryption: `AES256` or `aws:kms`.
    #[serde(default)]
    pub encryption: Option<String>,
    /// Key id for `aws:kms`.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Storage class, such as `STANDARD_IA`.
    #[serde(default)]
    pub storage_class: Option<String>,
    /// Maximum number of parts in one upload.
    #[serde(default = "default_part_limit")]
    pub part_limit: u32,
    /// Timeout for one response, in seconds.
    #[serde(default = "default_answer_seconds")]
    pub answer_seconds: u32,
    /// Certificate authority of the store, in PEM format.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

fn default_answer_seconds() -> u32 {
    60
}

fn default_region() -> String {
    "us-east-1".to_owned()
}

fn default_part_limit() -> u32 {
    10_000
}

impl Identities {
    /// The portal's own identities.
    pub fn of(config: &Backups) -> Self {
        // Invalid identities were rejected when the configuration was read.
        Self::from_texts(&config.identities)
    }
}

impl Recipients {
    /// The recipients in this configuration; `None` if backups are not encrypted.
    pub fn of(config: &Backups) -> Option<Self> {
        Self::to(&config.recipients, &Identities::of(config))
    }
}
