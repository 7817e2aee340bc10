//! Checks a data directory like a copy made file by file: a snapshot after it was made, when the server of its source has
//! been resumed, or the directory of a running server before its own tool copies it.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, Stat, fchmod, readlinkat, statat, unlinkat};
use rustix::io::Errno;

use super::copy::io;
use super::no_follow::{DEEPEST, shown};
use super::walk::is_dots;
use super::{no_follow, rejected_files, subvolume};
use crate::storage::error::StorageError;

/// The check of one directory.
pub(super) struct SnapshotCheck<'a> {
    /// The path at which the server sees its data.
    pub volume: &'a str,
    /// Whether it is in use: then nothing is changed, and files may disappear meanwhile.
    pub in_use: bool,
    /// Becomes false when nobody waits for the copy any more.
    pub wanted: &'a AtomicBool,
}

impl SnapshotCheck<'_> {
    /// Refuses everything below `top` that no server creates. Removes what servers create again, and the bits that let a
    /// program run as another user.
    pub fn tree(&self, top: &OwnedFd) -> Result<(), StorageError> {
        let disk = rejected_files::disk(top).map_err(|e| io("data", e))?;
        let mut levels = vec![(Dir::read_from(top).map_err(|e| io("data", e))?, "data".to_owned())];
        while let Some((dir, path)) = levels.last_mut() {
            let Some(entry) = dir.read() else {
                levels.pop();
                continue;
            };
            let entry = entry.map_err(|e| io(path, e))?;
            if is_dots(entry.file_name()) {
                continue;
            }
            if !self.wanted.load(Ordering::Relaxed) {
                return Err(StorageError::Refused("The copy was abandoned.".to_owned()));
            }
            let below = format!("{path}/{}", shown(entry.file_name().to_bytes()));
            let at = dir.fd().map_err(|e| io(&below, e))?;
            let found = match self.entry(at, entry.file_name(), &below, disk) {
                Err(EntryFault::Io(Errno::NOENT)) if self.in_use => None,
                Err(EntryFault::Io(e)) => return Err(io(&below, e)),
                Err(EntryFault::Refused(e)) => return Err(e),
                Ok(found) => found,
            };
            if let Some(found) = found {
                if levels.len() >= DEEPEST {
                    return Err(rejected_files::deep(&below));
                }
                levels.push((found, below));
            }
        }
        Ok(())
    }

    /// Checks one entry. A directory is returned, to be checked.
    fn entry(&self, at: impl AsFd, name: &CStr, path: &str, disk: u64) -> Result<Option<Dir>, EntryFault> {
        let stat = statat(&at, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if subvolume::is_placeholder(&stat) => {
                return Err(rejected_files::other_volume(path).into());
            }
            FileType::Directory => {
                let dir = no_follow::directory(&at, name)?;
                if !self.in_use {
                    without_rights(&dir, &stat)?;
                }
                return Ok(Some(Dir::new(dir)?));
            }
            FileType::RegularFile => {
                rejected_files::refuse_larger_than(disk, path, stat.st_size)?;
                rejected_files::refuse_table_elsewhere(path)?;
                if has_rights(&stat) && !self.in_use {
                    let (file, stat) = no_follow::file(&at, name)?;
                    without_rights(&file, &stat)?;
                }
            }
            FileType::Symlink => {
                let leads = readlinkat(&at, name, Vec::new())?;
                rejected_files::refuse_link_out(path, leads.to_bytes(), self.volume)?;
            }
            FileType::Fifo | FileType::Socket if self.in_use => {}
            FileType::Fifo | FileType::Socket => unlinkat(&at, name, AtFlags::empty())?,
            _ => return Err(rejected_files::device(path).into()),
        }
        Ok(None)
    }
}

/// Why an entry is not accepted.
#[derive(Debug, thiserror::Error)]
enum EntryFault {
    #[error(transparent)]
    Io(#[from] Errno),
    #[error(transparent)]
    Refused(#[from] StorageError),
}

/// Whether a file lets a program run as another user.
fn has_rights(stat: &Stat) -> bool {
    stat.st_mode & 0o6000 != 0
}

fn without_rights(file: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
    if has_rights(stat) { fchmod(file, Mode::from_raw_mode(stat.st_mode & 0o1777)) } else { Ok(()) }
}
