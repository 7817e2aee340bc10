//! How data is copied on a tier, found by trying: only the file system itself knows.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::{Mode, OFlags, fstat, ioctl_ficlone, openat};
use rustix::io::Errno;

use super::{no_follow, subvolume, walk};
use crate::domain::copy_method::CopyMethod;

/// Bytes of a file to try with, which is at least one block of every file system.
const BLOCKS: usize = 65536;
/// What was found, by directory and file system. Another disk may be mounted there later.
static TRIED: Mutex<BTreeMap<(PathBuf, u64), CopyMethod>> = Mutex::new(BTreeMap::new());

/// The fastest way to copy data in a directory.
pub(super) fn of(path: &Path) -> CopyMethod {
    let Ok(dir) = no_follow::own(path) else { return CopyMethod::Plain };
    let Ok(device) = fstat(&dir).map(|stat| stat.st_dev) else { return CopyMethod::Plain };
    // One attempt at a time: they use the same names.
    let Ok(mut tried) = TRIED.lock() else { return CopyMethod::Plain };
    let key = (path.to_owned(), device);
    if let Some(found) = tried.get(&key) {
        return *found;
    }
    let (found, certain) = attempt(&dir);
    if certain {
        tried.insert(key, found);
    }
    found
}

/// Tries all methods, the fastest first. `false`: a method may have failed for a reason that passes, such as a full disk.
fn attempt(dir: &OwnedFd) -> (CopyMethod, bool) {
    let mut certain = true;
    let methods =
        [(CopyMethod::Subvolume, snapshot as fn(&OwnedFd) -> Result<(), Errno>), (CopyMethod::Reflink, reflink)];
    for (method, attempt) in methods {
        match attempt(dir) {
            Ok(()) => return (method, certain),
            Err(e) => certain &= is_refusal(e),
        }
    }
    (CopyMethod::Plain, certain)
}

/// Whether the file system answers so because it can't do it, or because the portal may not.
fn is_refusal(e: Errno) -> bool {
    matches!(e, Errno::NOTTY | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::PERM | Errno::XDEV)
}

fn names() -> Result<[CString; 2], Errno> {
    let name = |which: &str| CString::new(format!(".copy-probe-{}-{which}", std::process::id()));
    Ok([name("a").map_err(|_| Errno::INVAL)?, name("b").map_err(|_| Errno::INVAL)?])
}

/// Makes a subvolume and a snapshot of it.
fn snapshot(dir: &OwnedFd) -> Result<(), Errno> {
    if !rustix::process::geteuid().is_root() {
        // Data belongs to servers, and a snapshot of somebody else's subvolume requires rights.
        return Err(Errno::PERM);
    }
    let [a, b] = names()?;
    let tried = subvolume::create(dir, &a)
        .and_then(|()| no_follow::directory(dir, &a))
        .and_then(|source| subvolume::snapshot(&source, dir, &b));
    let removed = [&b, &a].map(|name| walk::remove(dir, name));
    tried.and(removed.into_iter().collect())
}

/// Makes a file and one that shares its blocks.
fn reflink(dir: &OwnedFd) -> Result<(), Errno> {
    let [a, b] = names()?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = |name: &CString| openat(dir, name, flags, Mode::RUSR | Mode::WUSR);
    let tried = (|| {
        let (source, target) = (open(&a)?, open(&b)?);
        if rustix::io::write(&source, &vec![1_u8; BLOCKS])? < BLOCKS {
            return Err(Errno::NOSPC);
        }
        ioctl_ficlone(&target, &source)
    })();
    let removed = [&b, &a].map(|name| walk::remove(dir, name));
    tried.and(removed.into_iter().collect())
}
