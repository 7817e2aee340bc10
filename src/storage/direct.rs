//! File operations of a portal that runs as root, and those in the portal's own directories under any user.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{Dir, Mode, fchmod, fstat, mkdirat, renameat};
use rustix::io::Errno;

use super::copy::DirectoryCopy;
use super::passes::{CopyAhead, FirstPass, Pass};
use super::{DataDir, no_follow, walk};
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

/// Copies to a temporary directory and renames it when the copy is complete.
pub(super) fn copy(from: &DataDir, to: &DataDir, how: &DirectoryCopy<'_>) -> Result<(), StorageError> {
    let (source, root, name) = begin_copy(from, to)?;
    fill(&source, &root, &name, how).and_then(|()| complete(to, &root, &name))
}

/// The first of two passes, in the temporary directory.
pub(super) fn copy_ahead(
    from: &DataDir,
    to: &DataDir,
    volume: &str,
    wanted: &AtomicBool,
) -> Result<CopyAhead, StorageError> {
    let pass = FirstPass::begin();
    let (source, root, name) = begin_copy(from, to)?;
    rustix::fs::syncfs(&source).map_err(|e| io("flush pending writes", &from.root())(e.into()))?;
    fill(&source, &root, &name, &DirectoryCopy { volume, wanted, pass: Pass::First(&pass) })?;
    Ok(CopyAhead { name, pass })
}

/// The second pass.
pub(super) fn copy_rest(
    from: &DataDir,
    to: &DataDir,
    ahead: &CopyAhead,
    volume: &str,
    wanted: &AtomicBool,
) -> Result<(), StorageError> {
    let source = source(from)?;
    let root = no_follow::own(&to.root()).map_err(|e| io("copy", &to.root())(e.into()))?;
    fill(&source, &root, &ahead.name, &DirectoryCopy { volume, wanted, pass: Pass::Second(&ahead.pass) })?;
    complete(to, &root, &ahead.name)
}

fn source(from: &DataDir) -> Result<OwnedFd, StorageError> {
    open(from)?.ok_or_else(|| StorageError::Refused(format!("There is no data to copy in {}.", from.data().display())))
}

/// Removes what earlier attempts left, and creates an empty temporary directory. Returns the source, the directory in
/// which both are, and the name.
fn begin_copy(from: &DataDir, to: &DataDir) -> Result<(OwnedFd, OwnedFd, CString), StorageError> {
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
    mkdirat(&root, &name, Mode::RWXU).map_err(fault)?;
    Ok((source, root, CString::new(name).map_err(|e| io("copy", &to.root())(e.into()))?))
}

/// Copies into the temporary directory, and removes it if that fails.
fn fill(source: &OwnedFd, root: &OwnedFd, name: &CStr, how: &DirectoryCopy<'_>) -> Result<(), StorageError> {
    let made = no_follow::directory(root, name).map_err(|e| StorageError::Io {
        operation: "copy",
        path: name.to_string_lossy().into_owned(),
        cause: std::io::Error::from(e).to_string(),
    });
    let copied = made.and_then(|made| how.tree(source, made));
    if copied.is_err() {
        let _ = walk::remove(root, name);
    }
    copied
}

fn complete(to: &DataDir, root: &OwnedFd, name: &CStr) -> Result<(), StorageError> {
    renameat(root, name, root, c"data").map_err(|e| io("copy", &to.root())(e.into()))
}
