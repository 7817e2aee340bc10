//! Measures and removes directory trees entry by entry. Memory use does not grow with the size of the tree.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, Dir, FileType, fstat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::no_follow::{DEEPEST, directory};
use super::subvolume;

/// Maximum attempts to empty a directory that does not stay empty.
const ROUNDS: u32 = 100;

/// Why a size could not be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SizeError {
    /// It takes too long.
    Late,
    /// Directories are nested too deeply.
    Deep,
    /// The system's error.
    Io(Errno),
}

/// Bytes that everything below `top` takes on disk. A file with several names counts once, if all of them are below
/// `top`. Files that disappear meanwhile, as those of a running server may, count as nothing.
pub(super) fn usage(top: &OwnedFd, until: Instant) -> Result<i64, SizeError> {
    let mut bytes = on_disk(fstat(top).map_err(SizeError::Io)?.st_blocks, 1);
    let mut open = vec![Dir::read_from(top).map_err(SizeError::Io)?];
    let mut seen = 0u64;
    while let Some(here) = open.last_mut() {
        let Some(Ok(entry)) = here.read() else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if is_dots(name) {
            continue;
        }
        seen += 1;
        if seen.is_multiple_of(1024) && Instant::now() > until {
            return Err(SizeError::Late);
        }
        let Ok(at) = here.fd() else { continue };
        let Ok(stat) = statat(at, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            bytes = bytes.saturating_add(on_disk(stat.st_blocks, i64::try_from(stat.st_nlink).unwrap_or(i64::MAX)));
            continue;
        }
        bytes = bytes.saturating_add(on_disk(stat.st_blocks, 1));
        let below = directory(at, name).and_then(Dir::new);
        if open.len() >= DEEPEST {
            return Err(SizeError::Deep);
        }
        open.extend(below);
    }
    Ok(bytes)
}

fn on_disk(blocks: i64, names: i64) -> i64 {
    blocks.saturating_mul(512) / names.max(1)
}

pub(super) fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// Whether a directory is empty.
pub(super) fn is_empty(dir: &OwnedFd) -> Result<bool, Errno> {
    for entry in Dir::read_from(dir)? {
        if !is_dots(entry?.file_name()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Removes the entry `name` of `top` with everything below it; a missing one is not an error.
///
/// # Errors
/// The system's error; [`Errno::XDEV`] if something is mounted there.
pub(super) fn remove(top: &OwnedFd, name: &CStr) -> Result<(), Errno> {
    match unlinkat(top, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        // A directory, or a file that cannot be removed.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(e) => return Err(e),
    }
    if subvolume::destroy(top, name).is_ok() {
        return Ok(());
    }
    let dir = match directory(top, name) {
        Ok(dir) => dir,
        Err(Errno::NOTDIR) => return Err(Errno::PERM),
        Err(e) => return Err(e),
    };
    for _ in 0..ROUNDS {
        clear(&dir)?;
        match unlinkat(top, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // A process that was told to stop has written one more file.
            Err(Errno::NOTEMPTY | Errno::EXIST) => std::thread::sleep(Duration::from_millis(20)),
            Err(e) => return Err(e),
        }
    }
    Err(Errno::NOTEMPTY)
}

/// Removes everything in a directory. Entries of its subdirectories are removed or, if they are directories themselves,
/// moved up. Thus only a few directories are open at a time, however deep the nesting, and entries are processed as they
/// are read, however many there are.
fn clear(top: &OwnedFd) -> Result<(), Errno> {
    clear_in(top, None, &mut 0)
}

/// The same in a subvolume inside `outer`, to which the subvolumes in it are moved. Directories cannot be moved from one
/// subvolume to another, but subvolumes can.
fn clear_in(top: &OwnedFd, outer: Option<&OwnedFd>, moved: &mut u64) -> Result<(), Errno> {
    let device = fstat(top)?.st_dev;
    // A pass may miss directories that were moved up behind its position.
    loop {
        let mut found = false;
        for entry in Dir::read_from(top)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_dots(name) {
                continue;
            }
            found = true;
            if gone(top, name)? || subvolume::destroy(top, name).is_ok() {
                continue;
            }
            let dir = directory(top, name)?;
            match (fstat(&dir)?.st_dev == device, outer) {
                (true, _) => raise(&dir, top, moved)?,
                // A subvolume that has subvolumes in it, or that the portal has no right to remove as a whole.
                (false, None) => clear_in(&dir, Some(top), moved)?,
                (false, Some(outer)) => {
                    move_up(top, name, outer, moved)?;
                    continue;
                }
            }
            match unlinkat(top, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY) => {}
                Err(e) => return Err(e),
            }
        }
        if !found {
            return Ok(());
        }
    }
}

/// Removes an entry unless it is a directory, and returns whether it is gone.
fn gone(at: &OwnedFd, name: &CStr) -> Result<bool, Errno> {
    match unlinkat(at, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(e @ Errno::PERM) => {
            let stat = statat(at, name, AtFlags::SYMLINK_NOFOLLOW)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory { Ok(false) } else { Err(e) }
        }
        Err(e) => Err(e),
    }
}

/// Empties `dir`, a subdirectory of `top`: its own subdirectories are moved to `top`.
fn raise(dir: &OwnedFd, top: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    loop {
        let mut found = false;
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if is_dots(name) || gone(dir, name)? {
                continue;
            }
            found = true;
            move_up(dir, name, top, moved)?;
        }
        if !found {
            return Ok(());
        }
    }
}

/// Moves a directory to `top`, under a name that is free.
fn move_up(dir: &OwnedFd, name: &CStr, top: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    loop {
        *moved += 1;
        let place = CString::new(format!(".removing-{moved}")).map_err(|_| Errno::INVAL)?;
        match renameat(dir, name, top, &place) {
            // The name is taken by leftovers of an earlier removal, or by a file that the server named like this.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(Errno::NOENT) | Ok(()) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}
