//! File work of a portal that is root, and what it does in its own directories whoever it is.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{Dir, Mode, fchmod, fstat, mkdirat, renameat};
use rustix::io::Errno;

use super::copy::DirectoryCopy;
use super::{DataDir, beneath, walk};
use crate::storage::error::{StorageError, io};

/// Makes the container's directory, or finds it made. It is the portal's own, whoever works below it: what a helper makes
/// would belong to root.
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

/// The data directory, if there is one.
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

/// `false` where what was to be moved is not there; any other error stays one.
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

/// Removes what waits for its removal.
pub(super) fn remove_doomed(dir: &DataDir) -> Result<(), StorageError> {
    let path = dir.doomed();
    let base = beneath::own(&dir.base).map_err(|e| io("remove the directory", &path)(e.into()))?;
    let name = format!(".removing-{}", dir.id);
    let name = CString::new(name).map_err(|e| io("remove the directory", &path)(e.into()))?;
    walk::remove(&base, &name).map_err(|e| io("remove the directory", &path)(e.into()))
}

/// Copies beside, and puts the copy in place at the end.
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
    // A name of its own: one that was given up may still be at its last file.
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
