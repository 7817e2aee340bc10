//! Detects whether a portal is using a data directory, by a file lock that ends with the process, however it ends.

use std::fs::{File, TryLockError};

use anyhow::{Context, bail};

use crate::config::Config;

/// The lock, held as long as the process uses the data directory.
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
    /// Takes the shared lock of a portal. Several portals may run at once.
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

    /// Takes the exclusive lock of a program that must run alone.
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
    fn portals_share_the_lock_and_a_rebuild_excludes_them() {
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
