//! File operations of a portal that runs as root, and those in the portal's own directories under any user.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{Dir, Mode, fchmod, fstat, mkdirat, renameat};
use rustix::io::Errno;

use super::copy::DirectoryCopy;
use super::passes::{CopyAhead, FirstPass, Pass};
use super::snapshot_check::SnapshotCheck;
use super::{DataDir, mounts, no_follow, rejected_files, subvolume, walk};
use crate::storage::error::{StorageError, io};

/// Creates the container's directory unless it exists. It always belongs to the portal: created by a helper, it would
/// belong to root.
pub(super) fn own_root(dir: &DataDir) -> Result<OwnedFd, StorageError> {
    let path = dir.root();
    std::fs::create_dir_all(&path).map_err(io("make a directory", &path))?;
    let fault = |e: Errno| io("prepare the directory", &path)(e.into());
    let root = no_follow::own(&path).map_err(fault)?;
    if fstat(&root).map_err(fault)?.st_mode & 0o7777 != 0o755 {
        fchmod(&root, Mode::from_raw_mode(0o755)).map_err(fault)?;
    }
    Ok(root)
}

/// Creates the directory for files of commands in the container, unless it exists. Any user of the container may write
/// there, but no user of this machine reaches it.
pub(super) fn make_scratch(root: &OwnedFd) -> Result<(), Errno> {
    let inner = |name: &CStr, at: &OwnedFd| match mkdirat(at, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => no_follow::directory(at, name),
        Err(e) => Err(e),
    };
    let made = inner(c"scratch", root).and_then(|outer| inner(c"tmp", &outer));
    match made.and_then(|tmp| fchmod(&tmp, Mode::from_raw_mode(0o1777))) {
        // The container engine made it, when it started a container that was older than this directory.
        Err(Errno::PERM | Errno::ACCESS) => Ok(()),
        done => done,
    }
}

/// Opens the data directory, if it exists.
pub(super) fn open(dir: &DataDir) -> Result<Option<OwnedFd>, StorageError> {
    match no_follow::own(&dir.root()).and_then(|root| no_follow::data(&root)) {
        Ok(data) => Ok(Some(data)),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::LOOP | Errno::NOTDIR) => {
            Err(StorageError::Refused(format!("{} is not a directory. Nothing was changed.", dir.data().display())))
        }
        Err(e) => Err(io("look", &dir.data())(e.into())),
    }
}

/// Returns `false` if the directory to be moved does not exist, and passes on any other error.
pub(super) fn absent(e: &std::io::Error, dir: &DataDir) -> Result<bool, StorageError> {
    if e.kind() == std::io::ErrorKind::NotFound {
        return Ok(false);
    }
    Err(StorageError::Io {
        operation: "remove the directory",
        path: dir.root().display().to_string(),
        cause: e.to_string(),
    })
}

/// Removes the directory that was renamed for removal.
pub(super) fn remove_doomed(dir: &DataDir) -> Result<(), StorageError> {
    let path = dir.doomed();
    let base = no_follow::own(&dir.base).map_err(|e| io("remove the directory", &path)(e.into()))?;
    let name = format!(".removing-{}", dir.id);
    let name = CString::new(name).map_err(|e| io("remove the directory", &path)(e.into()))?;
    walk::remove(&base, &name).map_err(|e| io("remove the directory", &path)(e.into()))
}

/// A copy that is being made: the directory in which it is, and its temporary name there.
struct CopyPlace {
    root: OwnedFd,
    name: CString,
}

/// Copies to a temporary directory and renames it when the copy is complete.
pub(super) fn copy(from: &DataDir, to: &DataDir, how: &DirectoryCopy<'_>) -> Result<(), StorageError> {
    let (source, at) = begin_copy(from, to)?;
    if at.snapshot(from, &source)? {
        at.check(how.volume, how.wanted)?;
    } else {
        at.make(to)?;
        at.fill(&source, how)?;
    }
    at.complete(to)
}

/// The first of two passes, in the temporary directory. If the copy can be a snapshot, that is only tried, because a
/// snapshot takes no longer for much data than for little.
pub(super) fn copy_ahead(
    from: &DataDir,
    to: &DataDir,
    volume: &str,
    wanted: &AtomicBool,
) -> Result<CopyAhead, StorageError> {
    let pass = FirstPass::begin();
    let (source, at) = begin_copy(from, to)?;
    if at.snapshot(from, &source)? {
        walk::remove(&at.root, &at.name).map_err(|e| io("copy", &to.root())(e.into()))?;
        return Ok(CopyAhead { name: at.name, pass: None });
    }
    rustix::fs::syncfs(&source).map_err(|e| io("flush pending writes", &from.root())(e.into()))?;
    at.make(to)?;
    at.fill(&source, &DirectoryCopy { volume, wanted, pass: Pass::First(&pass) })?;
    Ok(CopyAhead { name: at.name, pass: Some(pass) })
}

/// The second pass.
pub(super) fn copy_rest(
    from: &DataDir,
    to: &DataDir,
    ahead: &CopyAhead,
    volume: &str,
    wanted: &AtomicBool,
) -> Result<(), StorageError> {
    let (source, at) = (source(from)?, CopyPlace { root: root(to)?, name: ahead.name.clone() });
    match &ahead.pass {
        Some(pass) => at.fill(&source, &DirectoryCopy { volume, wanted, pass: Pass::Second(pass) }),
        None if at.snapshot(from, &source)? => Ok(()),
        None => Err(StorageError::Refused(format!("{} is no longer a subvolume.", from.data().display()))),
    }
}

/// What remains to be done after the second pass, which does not concern the source.
pub(super) fn finish_copy(
    to: &DataDir,
    ahead: CopyAhead,
    volume: &str,
    wanted: &AtomicBool,
) -> Result<(), StorageError> {
    let at = CopyPlace { root: root(to)?, name: ahead.name };
    if ahead.pass.is_none() {
        at.check(volume, wanted)?;
    }
    at.complete(to)
}

/// Checks the data of a running server.
pub(super) fn check_source(from: &DataDir, volume: &str, wanted: &AtomicBool) -> Result<(), StorageError> {
    SnapshotCheck { volume, in_use: true, wanted }.tree(&source(from)?)
}

fn source(from: &DataDir) -> Result<OwnedFd, StorageError> {
    open(from)?.ok_or_else(|| StorageError::Refused(format!("There is no data to copy in {}.", from.data().display())))
}

fn root(to: &DataDir) -> Result<OwnedFd, StorageError> {
    no_follow::own(&to.root()).map_err(|e| io("copy", &to.root())(e.into()))
}

/// Removes what earlier attempts left, and chooses a temporary name. Returns the source as well.
fn begin_copy(from: &DataDir, to: &DataDir) -> Result<(OwnedFd, CopyPlace), StorageError> {
    static ATTEMPT: AtomicU64 = AtomicU64::new(0);
    let fault = |e: Errno| io("copy", &to.root())(e.into());
    let source = source(from)?;
    let root = own_root(to)?;
    for entry in Dir::read_from(&root).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name();
        if name == c"data" || [&b"copy"[..], b"gone"].iter().any(|old| name.to_bytes().starts_with(old)) {
            walk::remove(&root, name).map_err(fault)?;
        }
    }
    // Use a unique name, because an abandoned attempt may still be copying its last file.
    let name = format!("copy.{}.{}", std::process::id(), ATTEMPT.fetch_add(1, Ordering::Relaxed));
    let name = CString::new(name).map_err(|e| io("copy", &to.root())(e.into()))?;
    Ok((source, CopyPlace { root, name }))
}

impl CopyPlace {
    /// Makes the copy as a snapshot. `false` if its source is not a subvolume, or there is another reason to copy file by
    /// file.
    fn snapshot(&self, from: &DataDir, source: &OwnedFd) -> Result<bool, StorageError> {
        let fault = |e: Errno| io("take a snapshot of the data", &from.root())(e.into());
        if !subvolume::is_top(&fstat(source).map_err(fault)?) {
            return Ok(false);
        }
        match subvolume::snapshot(source, &self.root, &self.name) {
            Ok(()) => {}
            Err(e @ (Errno::NOSPC | Errno::DQUOT | Errno::IO | Errno::ROFS | Errno::NOMEM)) => return Err(fault(e)),
            Err(_) => return Ok(false),
        }
        // A snapshot has an empty directory where something was mounted.
        let mounted = mounts::below(&from.data()).map_err(io("look for mounts", &from.data()));
        match mounted {
            Ok(None) => Ok(true),
            found => {
                let _ = walk::remove(&self.root, &self.name);
                let path = found?.unwrap_or_default();
                Err(rejected_files::other_volume(&format!(
                    "data/{}",
                    no_follow::shown(path.as_os_str().as_encoded_bytes())
                )))
            }
        }
    }

    /// Makes the directory of a copy file by file. It is a subvolume if possible, so that it can be copied as one.
    fn make(&self, to: &DataDir) -> Result<(), StorageError> {
        subvolume::make(&self.root, &self.name).map_err(|e| io("copy", &to.root())(e.into()))
    }

    fn open(&self) -> Result<OwnedFd, StorageError> {
        no_follow::directory(&self.root, &self.name).map_err(|e| StorageError::Io {
            operation: "copy",
            path: self.name.to_string_lossy().into_owned(),
            cause: std::io::Error::from(e).to_string(),
        })
    }

    /// Copies file by file, and removes the copy if that fails.
    fn fill(&self, source: &OwnedFd, how: &DirectoryCopy<'_>) -> Result<(), StorageError> {
        self.or_remove(self.open().and_then(|made| how.tree(source, made)))
    }

    /// Checks a snapshot, and removes it if it is refused.
    fn check(&self, volume: &str, wanted: &AtomicBool) -> Result<(), StorageError> {
        self.or_remove(self.open().and_then(|made| SnapshotCheck { volume, in_use: false, wanted }.tree(&made)))
    }

    fn or_remove(&self, done: Result<(), StorageError>) -> Result<(), StorageError> {
        if done.is_err() {
            let _ = walk::remove(&self.root, &self.name);
        }
        done
    }

    fn complete(&self, to: &DataDir) -> Result<(), StorageError> {
        renameat(&self.root, &self.name, &self.root, c"data").map_err(|e| io("copy", &to.root())(e.into()))
    }
}
