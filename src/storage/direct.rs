//! File operations of a portal that runs as root, and those in the portal's own directories under any user.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Dir, Mode, fchmod, fstat, mkdirat, renameat};
use rustix::io::Errno;

use super::copy::DirectoryCopy;
use super::{DataDir, beneath, walk};
use crate::storage::error::{StorageError, io};

/// Creates the container's directory unless it exists. It always belongs to the portal: created by a helper, it would
/// belong to root.
pub(super) fn own_root(dir: &DataDir) -> Result<OwnedFd, StorageError> {
    let path = dir.root();
    std::fs::create_dir_all(&path).map_err(io("make a directory", &path))?;
    let fault = |e: Errno| io("prepare the directory", &path)(e.into());
    let root = beneath::own(&path).map_err(fault)?;
    if fstat(&root).map_err(fault)?.st_mode & 0o7777 != 0o755 {
        fchmod(&root, Mode::from_raw_mode(0o755)).map_err(fault)?;
    }
    Ok(root)
}

/// Opens the data directory, if it exists.
pub(super) fn open(dir: &DataDir) -> Result<Option<OwnedFd>, StorageError> {
    match beneath::own(&dir.root()).and_then(|root| beneath::data(&root)) {
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
    let base = beneath::own(&dir.base).map_err(|e| io("remove the directory", &path)(e.into()))?;
    let name = format!(".removing-{}", dir.id);
    let name = CString::new(name).map_err(|e| io("remove the directory", &path)(e.into()))?;
    walk::remove(&base, &name).map_err(|e| io("remove the directory", &path)(e.into()))
}

/// Copies to a temporary directory and renames it when the copy is complete.
pub(super) fn copy(from: &DataDir, to: &DataDir, how: &DirectoryCopy<'_>) -> Result<(), StorageError> {
    static ATTEMPT: AtomicU64 = AtomicU64::new(0);
    let fault = |e: Errno| io("copy", &to.root())(e.into());
    let source = open(from)?
        .ok_or_else(|| StorageError::Refused(format!("There is no data to copy in {}.", from.data().display())))?;
    let root = beneath::own(&to.root()).map_err(fault)?;
    for entry in Dir::read_from(&root).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name();
        if name == c"data" || [&b"copy"[..], b"gone"].iter().any(|old| name.to_bytes().starts_with(old)) {
            walk::remove(&root, name).map_err(fault)?;
        }
    }
    // Use a unique name, because an abandoned attempt may still be copying its last file.
    let name = format!("copy.{}.{}", std::process::id(), ATTEMPT.fetch_add(1, Ordering::Relaxed));
    mkdirat(&root, &name, Mode::RWXU).map_err(fault)?;
    let name = CString::new(name).map_err(|e| io("copy", &to.root())(e.into()))?;
    let made = beneath::directory(&root, &name).map_err(fault)?;
    let copied = how.tree(&source, made).and_then(|()| renameat(&root, &name, &root, c"data").map_err(fault));
    if copied.is_err() {
        let _ = walk::remove(&root, &name);
    }
    copied
}
