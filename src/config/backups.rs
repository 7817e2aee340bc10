//! Where backups go, and how they are made and kept.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::policy::Window;
use crate::domain::quantity::ByteSize;
use crate::domain::retention::KeepCounts;
use crate::encryption::{Identities, Recipients};

/// How backups are made.
#[derive(Debug, Clone)]
pub struct Backups {
    /// Level of compression, 1 to 19.
    pub level: i32,
    /// Threads that compress one backup.
    pub threads: u32,
    /// Whether what repeats is found over long distances.
    pub long_distance: bool,
    /// To whom backups are encrypted; empty: they are not.
    pub recipients: Vec<String>,
    /// Where the portal's own identities lie.
    pub identity_file: Option<PathBuf>,
    /// What that file holds.
    pub identities: Vec<SecretString>,
    /// Largest dump that may be sent.
    pub upload_max: ByteSize,
    /// Most that one person's dumps may take while they are not loaded.
    pub upload_person_max: ByteSize,
    /// Most that everybody's may.
    pub upload_total_max: ByteSize,
    /// How long a dump is kept that could not be loaded.
    pub upload_keep: Duration,
    /// Most backups of this portal at once.
    pub at_once: usize,
    /// How long a backup waits for what others have locked in the database.
    pub lock_wait: Duration,
    /// When the daily and weekly ones are made, and the zone of cron lines that name none.
    pub window: Window,
    /// Names of the targets that get a copy of every backup.
    pub copies: Vec<String>,
    /// How often mydb_admin is backed up.
    pub admin_every: Duration,
    /// How much is kept.
    pub keep: KeepCounts,
}

/// The program that is told of what went wrong with backups.
#[derive(Debug, Clone)]
pub struct Notify {
    /// The program and its arguments; empty: none.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// A bucket for backups, in any store that speaks S3.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name, as in pages and in the database.
    pub name: String,
    /// A directory that the portal itself serves as an S3 store, on loopback. For dev mode: it is no other machine.
    #[serde(default)]
    pub embedded: Option<PathBuf>,
    /// Address of the store, such as `https://s3.example.org`; absent: Amazon's of the region.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Region.
    #[serde(default = "default_region")]
    pub region: String,
    /// Bucket.
    pub bucket: String,
    /// What every key begins with.
    #[serde(default)]
    pub prefix: String,
    /// Access key; absent: from the environment, a profile or the machine's role, as usual with Amazon's tools.
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// Its secret.
    #[serde(default)]
    pub secret_access_key: Option<SecretString>,
    /// A file with the secret instead.
    #[serde(default)]
    pub secret_access_key_file: Option<PathBuf>,
    /// Put the bucket into the path, not into the host name; most stores but Amazon's need it.
    #[serde(default)]
    pub path_style: bool,
    /// Send the newer checksums with every request. Many other stores don't know them.
    #[serde(default)]
    pub checksums: bool,
    /// Encryption by the store: `AES256` or `aws:kms`.
    #[serde(default)]
    pub encryption: Option<String>,
    /// Key for `aws:kms`.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Storage class, such as `STANDARD_IA`.
    #[serde(default)]
    pub storage_class: Option<String>,
    /// Most parts of one upload.
    #[serde(default = "default_part_limit")]
    pub part_limit: u32,
    /// Longest wait for one answer, in seconds.
    #[serde(default = "default_answer_seconds")]
    pub answer_seconds: u32,
    /// Certificate authority of the store, PEM.
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
    /// Those that the portal was given.
    pub fn of(config: &Backups) -> Self {
        // The configuration was checked when it was read.
        Self::from_texts(&config.identities)
    }
}

impl Recipients {
    /// To whom this configuration has backups encrypted; `None`: they are not.
    pub fn of(config: &Backups) -> Option<Self> {
        Self::to(&config.recipients, &Identities::of(config))
    }
}
