//! That a portal is at work on a data directory, known by a lock that ends with its process, however that ends.

use std::fs::{File, TryLockError};

use anyhow::{Context, bail};

use crate::config::Config;

/// Held while somebody is at work.
#[derive(Debug)]
pub struct Presence {
    _lock: File,
}

fn open(config: &Config) -> anyhow::Result<File> {
    std::fs::create_dir_all(&config.data_dir)
        .with_context(|| format!("can't create the data directory {}", config.data_dir.display()))?;
    let file = config.data_dir.join("portal.lock");
    let opened = File::options().create(true).truncate(false).write(true).open(&file);
    opened.with_context(|| format!("can't open {}", file.display()))
}

impl Presence {
    /// A portal's. Several may serve at once.
    pub fn serving(config: &Config) -> anyhow::Result<Self> {
        let lock = open(config)?;
        match lock.try_lock_shared() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("a rebuild or a restore of mydb_admin is running here; start the portal when it has finished")
            }
            Err(TryLockError::Error(e)) => Err(e).context("the data directory can't be locked"),
        }
    }

    /// That of a program which must be alone.
    pub fn alone(config: &Config) -> anyhow::Result<Self> {
        let lock = open(config)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "a portal is using {}. Stop it first (systemctl stop db4sci, docker compose stop portal or \
                     Ctrl-C); nothing was changed",
                    config.data_dir.display()
                )
            }
            Err(TryLockError::Error(e)) => Err(e).context("the data directory can't be locked"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Mode;

    #[test]
    fn portals_share_and_a_rebuild_is_alone() {
        let mut config = Config::load_mode(Mode::Dev, Path::new(env!("CARGO_MANIFEST_DIR")), &[]).unwrap();
        config.data_dir = std::env::temp_dir().join(format!("db4sci-presence-{}", std::process::id()));
        let (one, two) = (Presence::serving(&config).unwrap(), Presence::serving(&config).unwrap());
        drop(one);
        let refused = Presence::alone(&config).unwrap_err().to_string();
        assert!(refused.contains("Stop it first"), "{refused}");
        drop(two);
        let alone = Presence::alone(&config).unwrap();
        assert!(Presence::serving(&config).is_err() && Presence::alone(&config).is_err());
        drop(alone);
        Presence::serving(&config).unwrap();
        std::fs::remove_dir_all(&config.data_dir).unwrap();
    }
}
