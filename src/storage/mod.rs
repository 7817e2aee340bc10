//! Storage tiers and the data directories on them.
//!
//! A container's directory is `<tier>/<instance>/<container id>/`, with the server's files in `data/`
//! below it. It is named by id, never by name, and removed only by that exact path.

mod files;
mod tier;

use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::config::Tier;
use crate::domain::names::InstanceId;
use crate::runtime::RuntimeError;

pub use files::Files;
pub use tier::{Capacity, capacity, unavailable_reason};

/// Why work on a data directory failed, as a sentence.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The operating system refused.
    #[error("Could not {operation} in {path}: {cause}")]
    Io {
        /// What was to be done.
        operation: &'static str,
        /// Where.
        path: String,
        /// The system's words.
        cause: String,
    },
    /// Something is wrong with what lies there.
    #[error("{0}")]
    Refused(String),
    /// The container engine's, where a helper container does the work.
    #[error(transparent)]
    Engine(#[from] RuntimeError),
}

/// Where one container's data lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    /// Directory of the instance on the tier.
    pub base: PathBuf,
    /// The container's id.
    pub id: Uuid,
}

impl DataDir {
    /// The directory of container `id` on `tier`.
    pub fn new(tier: &Tier, instance: &InstanceId, id: Uuid) -> Self {
        Self { base: tier.path.join(instance.as_str()), id }
    }

    /// The container's directory.
    pub fn root(&self) -> PathBuf {
        self.base.join(self.id.to_string())
    }

    /// What is mounted into the container.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// Where a directory waits while it is being removed, so that a removal cut short is never
    /// mistaken for a data directory.
    pub(crate) fn doomed(&self) -> PathBuf {
        self.base.join(format!(".removing-{}", self.id))
    }
}

/// File beside the data in a container's directory: what engine and version it is for.
const MAKER: &str = "made-by";

impl DataDir {
    /// What the note beside the data says; `None` where there is none.
    ///
    /// # Errors
    /// If it is there but can't be read.
    pub async fn made_by(&self) -> Result<Option<String>, StorageError> {
        let file = self.root().join(MAKER);
        match tokio::fs::read_to_string(&file).await {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(io("read a file", &file)(e)),
        }
    }

    /// Notes it, unless a note is there.
    ///
    /// # Errors
    /// If it can't be written.
    pub async fn note_maker(&self, maker: &str) -> Result<(), StorageError> {
        if self.made_by().await?.is_some() {
            return Ok(());
        }
        let file = self.root().join(MAKER);
        tokio::fs::write(&file, format!("{maker}\n")).await.map_err(io("write a file", &file))
    }
}

pub(crate) fn io(operation: &'static str, path: &Path) -> impl Fn(std::io::Error) -> StorageError {
    let path = path.display().to_string();
    move |e| StorageError::Io { operation, path: path.clone(), cause: e.to_string() }
}
