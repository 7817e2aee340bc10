//! The limit on open files of this process: each connection needs one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Files for everything except connections: mydb_admin, the container engine, uploads, dumps.
const OTHERS: u64 = 500;

/// Number of files required for the configured connections.
pub(super) fn needed(config: &Config) -> u64 {
    u64::try_from(config.server.connections).unwrap_or(u64::MAX).saturating_add(OTHERS)
}

/// The hard limit of this process.
pub(super) fn most() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Raises the limit to the hard limit. If that fails, the current limit stays.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// The warning if the hard limit is too low.
pub(super) fn too_few(config: &Config) -> Option<String> {
    let (most, needed) = (most(), needed(config));
    (most < needed).then(|| format!("the limit is {most} open files, but up to {needed} may be needed"))
}
