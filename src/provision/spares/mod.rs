//! Spares: servers that were started in advance, so that a new database only needs its accounts.
//!
//! A spare is a server on a copy of a seed that is paused: it uses memory, but no processor time. Its id becomes that of the
//! container that takes it, so its directory, its name in the engine and its ports are already the container's own. Like
//! every copy of a seed, it has the administrator's password of the seed until the accounts are set up. If a spare turns
//! out not to work, the new database starts with another copy of the seed.

pub mod keeper;
pub(super) mod take;

use sha2::{Digest, Sha256};

use super::seed;
use crate::catalog::CatalogImage;
use crate::config::Config;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::queue::step_error::StepError;

/// Everything a spare of `image` with this digest depends on besides its limits: its data, and what is fixed when its
/// container is created.
fn fingerprint(config: &Config, image: &CatalogImage, digest: &str) -> Result<String, StepError> {
    let seed = seed::fingerprint(config, image, digest)?;
    let databases = &config.databases;
    let all = format!(
        "{seed} {} {} {} {} {}",
        databases.host, databases.bind, config.limits.pids, image.egress, databases.memory_reservation
    );
    Ok(hex::encode(Sha256::digest(all)))
}

/// The default limits of a database, and of the spares for it.
fn limits(config: &Config, image: &CatalogImage) -> (ByteSize, MilliCpus) {
    (config.limits.memory_default.max(image.min_memory), config.limits.cpus_default)
}
