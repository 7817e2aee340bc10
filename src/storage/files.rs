//! File operations in data directories: directly if the portal is root, otherwise in a helper container that runs as
//! root. Contents of a data directory come from a server and are never trusted.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Gid, Mode, Uid, fchmod, fchown, mkdirat, statat};
use rustix::io::Errno;

use super::copy::DirectoryCopy;
use super::direct::{
    absent, check_source, copy, copy_ahead, copy_rest, finish_copy, make_scratch, open, own_root, remove_doomed,
};
use super::no_follow::SmallFile;
use super::passes::{CopyAhead, Pass, UnfinishedCopy};
use super::via_helper::FileHelper;
use super::walk::SizeError;
use super::{DataDir, extents, method, no_follow, subvolume, walk};
use crate::domain::names::InstanceId;
use crate::runtime::Runtime;
use crate::storage::error::{StorageError, io};
use crate::tasks;

/// Timeout for measuring a directory.
const MEASURE: Duration = Duration::from_secs(120);

/// How file operations are performed.
#[derive(Clone)]
pub enum Files {
    /// The portal is root.
    Direct,
    /// The portal is not root and servers own their files, so a short-lived container of the same image does the work.
    Helper {
        /// The container engine.
        runtime: Arc<dyn Runtime>,
        /// The instance that the helper belongs to.
        instance: InstanceId,
    },
}

impl Files {
    /// Chooses according to the user that the portal runs as.
    pub fn choose(runtime: Arc<dyn Runtime>, instance: InstanceId) -> Self {
        if rustix::process::geteuid().is_root() { Self::Direct } else { Self::Helper { runtime, instance } }
    }

    /// The helper for a directory, unless the portal is root.
    fn helper<'a>(&'a self, dir: &'a DataDir, image: &'a str) -> Option<FileHelper<'a>> {
        match self {
            Self::Direct => None,
            Self::Helper { runtime, instance } => Some(FileHelper { runtime: runtime.as_ref(), instance, dir, image }),
        }
    }

    /// Creates the data directory unless it exists, and makes it accessible to `uid:gid` only: the server must be able
    /// to use it even if no entrypoint running as root changes its owner. `image` is used by a helper container.
    pub async fn prepare(&self, dir: &DataDir, image: &str, uid: u32, gid: u32) -> Result<(), StorageError> {
        let direct = matches!(self, Self::Direct);
        let at = dir.clone();
        let done = blocking(move || {
            let root = own_root(&at)?;
            make_scratch(&root).map_err(|e| io("make a directory", &at.scratch())(e.into()))?;
            let fault = |e: Errno| io("prepare the data directory", &at.data())(e.into());
            // A portal that is not root could not take snapshots of a subvolume that belongs to a server.
            let made = if direct { subvolume::make(&root, c"data") } else { mkdirat(&root, c"data", Mode::RWXU) };
            match made {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(fault(e)),
            }
            let stat = statat(&root, c"data", AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
            if (stat.st_uid, stat.st_gid, stat.st_mode) == (uid, gid, 0o040_700) {
                return Ok(true);
            }
            if direct {
                let data = no_follow::data(&root).map_err(fault)?;
                fchown(&data, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).map_err(fault)?;
                fchmod(&data, Mode::RWXU).map_err(fault)?;
            }
            Ok(direct)
        });
        match (done.await?, self.helper(dir, image)) {
            (false, Some(helper)) => helper.own(uid, gid).await,
            _ => Ok(()),
        }
    }

    /// Removes a container's directory with its contents; a missing one is not an error. `image` is used by a helper
    /// container.
    pub async fn remove(&self, dir: &DataDir, image: &str) -> Result<(), StorageError> {
        // Rename it first, so that an interrupted removal is never mistaken for data. If a directory of that name
        // already exists, remove it first.
        for _ in 0..2 {
            let at = dir.clone();
            if blocking(move || at.doomed().symlink_metadata().map(|_| true).or_else(|e| absent(&e, &at))).await? {
                if let Some(helper) = self.helper(dir, image) {
                    helper.clear().await?;
                }
                let at = dir.clone();
                blocking(move || remove_doomed(&at)).await?;
            }
            let at = dir.clone();
            let moved = move || std::fs::rename(at.root(), at.doomed()).map(|()| true).or_else(|e| absent(&e, &at));
            if !blocking(moved).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether copies between the two directories share blocks, so that they take neither time nor space.
    pub async fn shares_blocks(&self, from: &DataDir, to: &DataDir, image: &str) -> Result<bool, StorageError> {
        let at = to.clone();
        blocking(move || own_root(&at).map(|_| ())).await?;
        match self.helper(to, image) {
            Some(helper) => helper.shares_blocks(from).await,
            None => {
                let base = to.base.clone();
                blocking(move || Ok(method::of(&base).shares_blocks())).await
            }
        }
    }

    /// Copies the data of one directory to another on the same tier, sharing blocks if possible. Leftovers of an
    /// earlier attempt are removed. `volume` is the path at which the server sees its data.
    ///
    /// # Errors
    /// If copying fails, or if the data contains something that no server creates, which is named. Files that change
    /// meanwhile are not an error: the caller has stopped or paused the server.
    pub async fn copy(&self, from: &DataDir, to: &DataDir, image: &str, volume: &str) -> Result<(), StorageError> {
        let disk = size_of_disk(to).await?;
        if let Some(helper) = self.helper(to, image) {
            return helper.copy(from, volume, disk).await;
        }
        let wanted = Arc::new(AtomicBool::new(true));
        let (from, to, volume, still) = (from.clone(), to.clone(), volume.to_owned(), wanted.clone());
        let _ends_with_me = AbandonedFlag(wanted);
        let work = move || {
            let how = DirectoryCopy { volume: &volume, wanted: &still, pass: Pass::Only };
            copy(&from, &to, &how)
        };
        blocking(work).await
    }

    /// Checks the data of a running server before its own tool copies it, which would leave out what it does not know.
    ///
    /// # Errors
    /// If the data contains something that no server creates, which is named.
    pub async fn check(&self, dir: &DataDir, image: &str, volume: &str) -> Result<(), StorageError> {
        if let Some(helper) = self.helper(dir, image) {
            return helper.check(volume, size_of_disk(dir).await?).await;
        }
        let wanted = Arc::new(AtomicBool::new(true));
        let (dir, volume, still) = (dir.clone(), volume.to_owned(), wanted.clone());
        let _ends_with_me = AbandonedFlag(wanted);
        blocking(move || check_source(&dir, &volume, &still)).await
    }

    /// Whether [`Files::copy_ahead`] is possible.
    pub fn copies_ahead(&self) -> bool {
        matches!(self, Self::Direct)
    }

    /// The first of two passes of a copy: copies the data of a running server, which may change meanwhile. `None` if only
    /// [`Files::copy`] is possible, because a helper container does the work.
    ///
    /// # Errors
    /// As for [`Files::copy`].
    pub async fn copy_ahead(
        &self,
        from: &DataDir,
        to: &DataDir,
        volume: &str,
    ) -> Result<Option<CopyAhead>, StorageError> {
        if !self.copies_ahead() {
            return Ok(None);
        }
        let wanted = Arc::new(AtomicBool::new(true));
        let (from, to, volume, still) = (from.clone(), to.clone(), volume.to_owned(), wanted.clone());
        let _ends_with_me = AbandonedFlag(wanted);
        blocking(move || copy_ahead(&from, &to, &volume, &still).map(Some)).await
    }

    /// The second pass: copies what has changed since, while the server is paused. Without a first pass, copies
    /// everything. [`Files::finish_copy`] must follow after the server has been resumed.
    ///
    /// # Errors
    /// As for [`Files::copy`].
    pub async fn copy_rest(
        &self,
        from: &DataDir,
        to: &DataDir,
        image: &str,
        volume: &str,
        ahead: Option<CopyAhead>,
    ) -> Result<UnfinishedCopy, StorageError> {
        let Some(ahead) = ahead else {
            return self.copy(from, to, image, volume).await.map(|()| UnfinishedCopy(None));
        };
        let wanted = Arc::new(AtomicBool::new(true));
        let (from, to, volume, still) = (from.clone(), to.clone(), volume.to_owned(), wanted.clone());
        let _ends_with_me = AbandonedFlag(wanted);
        let work = move || copy_rest(&from, &to, &ahead, &volume, &still).map(|()| UnfinishedCopy(Some(ahead)));
        blocking(work).await
    }

    /// Checks a copy as far as that can be done without its source, and makes it the data of `to`.
    ///
    /// # Errors
    /// As for [`Files::copy`].
    pub async fn finish_copy(&self, to: &DataDir, volume: &str, copy: UnfinishedCopy) -> Result<(), StorageError> {
        let UnfinishedCopy(Some(ahead)) = copy else { return Ok(()) };
        let wanted = Arc::new(AtomicBool::new(true));
        let (to, volume, still) = (to.clone(), volume.to_owned(), wanted.clone());
        let _ends_with_me = AbandonedFlag(wanted);
        blocking(move || finish_copy(&to, ahead, &volume, &still)).await
    }

    /// Moves the directory `from`, with everything in it, to `to` on the same tier. What was in `to` is removed.
    /// `false` if there is no `from`, because it was moved before; `image` is used by a helper container.
    pub async fn move_directory(&self, from: &DataDir, to: &DataDir, image: &str) -> Result<bool, StorageError> {
        let at = from.clone();
        if !blocking(move || at.root().try_exists().map_err(io("move the directory", &at.root()))).await? {
            return Ok(false);
        }
        self.remove(to, image).await?;
        let (from, to) = (from.root(), to.root());
        blocking(move || std::fs::rename(&from, &to).map(|()| true).map_err(io("move the directory", &from))).await
    }

    /// Waits until a data directory is completely on disk, which a server started on it relies on.
    pub async fn sync(&self, dir: &DataDir) -> Result<(), StorageError> {
        let root = dir.root();
        let work = move || {
            no_follow::own(&root).and_then(rustix::fs::syncfs).map_err(|e| io("flush pending writes", &root)(e.into()))
        };
        blocking(work).await
    }

    /// Bytes that a container's data takes on disk.
    pub async fn usage(&self, dir: &DataDir, image: &str) -> Result<i64, StorageError> {
        if !there(dir).await? {
            return Ok(0);
        }
        if let Some(helper) = self.helper(dir, image) {
            return helper.usage().await;
        }
        let at = dir.clone();
        blocking(move || {
            let Some(data) = open(&at)? else { return Ok(0) };
            walk::usage(&data, Instant::now() + MEASURE).map_err(|why| not_measured(why, &at))
        })
        .await
    }

    /// Bytes of a container's data in blocks that are shared with copies. `None` if that cannot be measured, because a
    /// helper container does the work.
    pub async fn shared(&self, dir: &DataDir) -> Result<Option<i64>, StorageError> {
        if !matches!(self, Self::Direct) || !there(dir).await? {
            return Ok(None);
        }
        let at = dir.clone();
        blocking(move || {
            let Some(data) = open(&at)? else { return Ok(None) };
            let found = extents::shared(&data, Instant::now() + MEASURE);
            found.map(Some).map_err(|why| not_measured(why, &at))
        })
        .await
    }

    /// The first line of the first of these small files that exists in the data directory.
    pub async fn first_line(&self, dir: &DataDir, files: &[String], image: &str) -> Result<SmallFile, StorageError> {
        if !there(dir).await? {
            return Ok(SmallFile::Missing);
        }
        if let Some(helper) = self.helper(dir, image) {
            return helper.head(files).await;
        }
        let (at, files) = (dir.clone(), files.to_vec());
        let work = move || {
            let Some(data) = open(&at)? else { return Ok(SmallFile::Missing) };
            for file in files {
                let path = CString::new(file).map_err(|e| io("read a file", &at.data())(e.into()))?;
                match no_follow::head(&data, &path).map_err(|e| io("read a file", &at.data())(e.into()))? {
                    SmallFile::Missing => {}
                    found => return Ok(found),
                }
            }
            Ok(SmallFile::Missing)
        };
        blocking(work).await
    }

    /// Whether the data directory is empty.
    pub async fn is_empty(&self, dir: &DataDir, image: &str) -> Result<bool, StorageError> {
        if !there(dir).await? {
            return Ok(true);
        }
        if let Some(helper) = self.helper(dir, image) {
            return helper.is_empty().await;
        }
        let at = dir.clone();
        let work = move || match open(&at)? {
            Some(data) => walk::is_empty(&data).map_err(|e| io("look", &at.data())(e.into())),
            None => Ok(true),
        };
        blocking(work).await
    }
}

fn not_measured(why: SizeError, dir: &DataDir) -> StorageError {
    match why {
        SizeError::Late => StorageError::Refused("Scanning the data directory takes too long.".to_owned()),
        SizeError::Deep => StorageError::Refused("Directories in the data directory are nested too deep.".to_owned()),
        SizeError::Io(e) => io("measure the data", &dir.data())(e.into()),
    }
}

/// Signals a copy that nobody waits for it any more.
struct AbandonedFlag(Arc<AtomicBool>);

impl Drop for AbandonedFlag {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Whether the data directory exists. This needs no permissions inside it.
async fn there(dir: &DataDir) -> Result<bool, StorageError> {
    let data = dir.data();
    blocking(move || match data.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(io("look", &data)(e)),
    })
    .await
}

/// Performs file operations on a blocking thread, so that waiting for a disk delays nothing else.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StorageError> + Send + 'static,
) -> Result<T, StorageError> {
    tasks::blocking(work)
        .await
        .map_err(|e| StorageError::Refused(format!("The file operation was interrupted: {e}")))?
}
/// Bytes of the whole file system of a directory, which is created if it is missing.
async fn size_of_disk(dir: &DataDir) -> Result<u64, StorageError> {
    let at = dir.clone();
    blocking(move || {
        let root = own_root(&at)?;
        let disk = rustix::fs::fstatvfs(&root).map_err(|e| io("measure the space", &at.root())(e.into()))?;
        Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
    })
    .await
}
