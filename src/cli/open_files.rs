//! How many files this process may have open: each connection takes one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;

/// Files for everything but connections: mydb_admin, the engine, uploads, dumps.
const OTHERS: u64 = 500;

/// How many the configured connections need.
pub(super) fn needed(config: &Config) -> u64 {
    u64::try_from(config.server.connections).unwrap_or(u64::MAX).saturating_add(OTHERS)
}

/// How many this process could have at most.
pub(super) fn most() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Allows this process as many as it could have. A failure leaves what it had.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

/// What to say where that is too few.
pub(super) fn too_few(config: &Config) -> Option<String> {
    let (most, needed) = (most(), needed(config));
    (most < needed).then(|| format!("the limit is {most} open files, but up to {needed} may be needed"))
}
