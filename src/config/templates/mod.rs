//! Settings of templates and of the interface on port 5001.

pub(super) mod read;
pub(super) mod settings;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::domain::quantity::ByteSize;

/// Templates, and the databases made from them.
#[derive(Debug, Clone)]
pub struct Templates {
    /// The directory that dumps are imported from.
    pub dumps: PathBuf,
    /// The tier of new templates; the first one that allows the engine if empty.
    pub storage: String,
    /// The hour, in the time zone of backups, at which changed dumps are imported.
    pub hour: Option<u32>,
    /// How many complete versions are kept besides the current one.
    pub keep: i64,
    /// For how long a file must be unchanged before it is imported.
    pub settle: Duration,
    /// Timeout for the script that is run before a version is complete.
    pub hook: Duration,
    /// Timeout for an import with its script.
    pub longest: Duration,
    /// Memory limit of new templates' databases.
    pub memory: Option<ByteSize>,
    /// Names of the database and the role in new templates; derived from the template's name if empty.
    pub names: (String, String),
}

/// The interface on port 5001.
#[derive(Debug, Clone)]
pub struct Myaas {
    /// The address; `None` if it is off.
    pub listen: Option<SocketAddr>,
    /// Whether it uses TLS.
    pub tls: bool,
    /// Time to live of databases that are requested without one; `None`: they are kept.
    pub ttl: Option<Duration>,
    /// Prefix of the databases' names on the pages.
    pub prefix: String,
    /// The password of every database made there; `None`: one is generated for each.
    pub password: Option<SecretString>,
    /// How long a request waits for a database.
    pub patience: Duration,
}

impl Myaas {
    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        self.listen.is_some_and(|address| address.ip().is_loopback())
    }
}
