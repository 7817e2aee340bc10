//! Storage tiers and the data directories on them.
//!
//! A container's directory is `<tier>/<instance>/<container id>/`, with the server's files in `data/` below it. It is
//! named by id, never by name, and is removed only by that exact path.
//!
//! There are three ways to copy a data directory, tried in this order. On Btrfs, `data/` is a subvolume, and a copy is a
//! snapshot of it (`subvolume.rs`), which is checked after it was made (`snapshot_check.rs`). Elsewhere, and for a portal
//! that is not root, files are copied one by one (`copy.rs`) and share their blocks if the file system can do that;
//! otherwise all their blocks are copied.

mod copy;
mod direct;
pub mod error;
mod extents;
mod files;
mod method;
mod mounts;
mod no_follow;
mod passes;
mod rejected_files;
mod snapshot_check;
mod subvolume;
mod tier;
mod via_helper;
mod walk;
mod xattrs;

use std::ffi::CStr;
use std::path::PathBuf;

use rustix::io::Errno;
use uuid::Uuid;

use crate::config::Tier;
use crate::domain::names::InstanceId;
use crate::storage::error::{StorageError, io};

pub use files::Files;
pub use no_follow::SmallFile;
pub use passes::{CopyAhead, UnfinishedCopy};
pub(crate) use tier::measured;
pub use tier::{Capacity, begin, capacity, fault, unavailable_reason};

/// The location of a container's data.
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

    /// The directory that is mounted into the container.
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The directory that is mounted into the container for files as large as its data, which do not belong to it.
    pub fn scratch(&self) -> PathBuf {
        self.root().join("scratch").join("tmp")
    }

    /// The directory's name while it is being removed, so that an interrupted removal is never mistaken for a data
    /// directory.
    pub(crate) fn doomed(&self) -> PathBuf {
        self.base.join(format!(".removing-{}", self.id))
    }
}

/// File next to the data in a container's directory that records the engine and version of the data.
const MAKER: &CStr = c"made-by";

impl DataDir {
    /// The content of the file `made-by` next to the data; `None` if it does not exist.
    pub async fn made_by(&self) -> Result<Option<String>, StorageError> {
        let root = self.root();
        files::blocking(move || match no_follow::own(&root).and_then(|root| no_follow::head(&root, MAKER)) {
            Ok(SmallFile::Line(line)) => Ok(Some(line.trim().to_owned()).filter(|line| !line.is_empty())),
            Ok(SmallFile::Missing) | Err(Errno::NOENT) => Ok(None),
            Ok(SmallFile::Odd) => Err(StorageError::Refused(format!(
                "The file made-by in {} was not written by the portal.",
                root.display()
            ))),
            Err(e) => Err(io("read a marker file", &root)(e.into())),
        })
        .await
    }

    /// Writes the file `made-by` unless it exists.
    pub async fn note_maker(&self, maker: &str) -> Result<(), StorageError> {
        if self.made_by().await?.is_some() {
            return Ok(());
        }
        let (file, text) = (self.root().join("made-by"), format!("{maker}\n"));
        files::blocking(move || {
            crate::secrets::write_whole(&file, text.as_bytes()).map_err(|e| StorageError::Refused(format!("{e:#}")))
        })
        .await
    }
}
