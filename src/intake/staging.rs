//! The file in which a dump waits: on a storage tier, beside the data directories, for as long as it takes to load it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use crate::config::{Config, Tier};
use crate::domain::quantity::{Bytes, MIB};
use crate::storage::{capacity, unavailable_reason};

/// Kept free on a tier beside what is being sent.
const RESERVE: i64 = 512 * MIB;
/// How often the space is looked at.
const LOOK: u64 = 32 * 1024 * 1024;
/// What the files' names begin with. With a dot: the reconciler leaves those alone.
const BEGINNING: &str = ".upload-";
/// After so long without a byte nobody sends any more.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Where the dump of this id lies.
pub fn file(config: &Config, tier: &Tier, id: Uuid) -> PathBuf {
    tier.path.join(config.instance.as_str()).join(format!("{BEGINNING}{id}"))
}

/// A file that goes unless it is kept.
struct Gone(Option<PathBuf>);

impl Drop for Gone {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A dump being received. Dropped, it leaves nothing.
pub struct Staging {
    /// Its id.
    pub id: Uuid,
    /// Name of the tier it lies on.
    pub tier: String,
    /// Bytes so far.
    pub bytes: u64,
    path: PathBuf,
    out: tokio::fs::File,
    most: i64,
    looked: u64,
    gone: Gone,
}

impl Staging {
    /// Begins a file on this tier, or the first that is there.
    ///
    /// # Errors
    /// A sentence.
    pub async fn begin(config: &Config, wanted: &str, id: Uuid) -> Result<Self, String> {
        let usable = |t: &&Tier| unavailable_reason(t).is_none();
        let named = config.storage.iter().filter(|t| t.name == wanted).find(usable);
        let tier = named.or_else(|| config.storage.iter().find(usable));
        let tier = tier.ok_or_else(|| "No storage is available for the dump. Ask an administrator.".to_owned())?;
        let path = file(config, tier, id);
        let failed = |e: std::io::Error| format!("The dump can't be kept on the storage tier “{}”: {e}.", tier.label);
        if let Some(dir) = path.parent() {
            tokio::fs::create_dir_all(dir).await.map_err(failed)?;
        }
        let out = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await;
        let out = out.map_err(failed)?;
        let gone = Gone(Some(path.clone()));
        let most = config.backups.upload_max.0;
        Ok(Self { id, tier: tier.name.clone(), bytes: 0, path, out, most, looked: 0, gone })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a piece.
    ///
    /// # Errors
    /// A sentence, if it is too large or there is no room.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), String> {
        self.bytes += piece.len() as u64;
        if i64::try_from(self.bytes).unwrap_or(i64::MAX) > self.most {
            return Err(format!("The file is larger than {}, the most that is taken here.", Bytes(self.most)));
        }
        if self.bytes >= self.looked {
            self.looked = self.bytes + LOOK;
            let free = capacity(self.path.parent().unwrap_or(&self.path)).map_err(|e| e.to_string())?.free;
            if free < RESERVE {
                return Err(format!("There is no room for the dump: {} are free on the storage tier.", Bytes(free)));
            }
        }
        self.out.write_all(piece).await.map_err(|e| format!("The dump can't be kept: {e}."))
    }

    /// Ends it.
    ///
    /// # Errors
    /// A sentence.
    pub async fn finish(&mut self) -> Result<(), String> {
        self.out.flush().await.map_err(|e| format!("The dump can't be kept: {e}."))
    }

    /// From here on it is a job's to remove.
    pub fn keep(mut self) {
        self.gone.0 = None;
    }
}

/// Removes files that no job knows and nobody sends any more: of portals that were killed while they received them.
pub fn sweep(config: &Config, known: &[Uuid]) {
    for tier in &config.storage {
        let Ok(entries) = std::fs::read_dir(tier.path.join(config.instance.as_str())) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_prefix(BEGINNING).and_then(|id| id.parse::<Uuid>().ok());
            let age = entry.metadata().ok().and_then(|m| m.modified().ok()).and_then(|at| at.elapsed().ok());
            if id.is_some_and(|id| !known.contains(&id)) && age.is_some_and(|age| age > ABANDONED) {
                tracing::info!(file = %entry.path().display(), "Removed an upload that was cut short");
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
