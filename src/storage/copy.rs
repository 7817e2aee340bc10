//! Copies a data directory file by file, sharing blocks if the file system can. The source belongs to a server, so it
//! is read through handles, and files that no server creates are rejected by name instead of being copied or followed.

use std::ffi::CStr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, chownat, fchmod, fchown,
    fstat, fstatvfs, ftruncate, futimens, ioctl_ficlone, mkdirat, openat, readlinkat, seek, statat, symlinkat,
};
use rustix::io::Errno;

use super::no_follow::{DEEPEST, shown};
use super::passes::{Pass, Present};
use super::walk::is_dots;
use super::{no_follow, rejected_files, walk, xattrs};
use crate::storage::error::StorageError;

/// Bytes to copy in one call, before checking again whether the copy is still needed and whether there is space.
const CHUNK: u64 = 64 << 20;
/// Bytes a copy always leaves free, whatever size its source claims to have.
const LEFT: u64 = 64 << 20;

/// A copy in progress.
pub(super) struct DirectoryCopy<'a> {
    /// The path at which the server sees its data: links to paths below it are the server's own.
    pub volume: &'a str,
    /// Becomes false when nobody waits for the copy any more.
    pub wanted: &'a AtomicBool,
    /// Which pass this is.
    pub pass: Pass<'a>,
}

/// A directory of the copy that is being filled.
struct CopyLevel {
    from: Dir,
    to: OwnedFd,
    stat: Stat,
    name: String,
    /// Its path below the data directory.
    path: Vec<u8>,
    present: Present,
}

impl CopyLevel {
    /// Gives the complete directory what else its source has.
    fn finish(&self) -> Result<(), Errno> {
        xattrs::copy(self.from.fd()?, &self.to)?;
        attributes(&self.to, &self.stat)
    }
}

/// Why an entry could not be copied.
enum EntryError {
    /// It no longer exists as it was listed.
    Vanished,
    Storage(StorageError),
}

impl From<StorageError> for EntryError {
    fn from(e: StorageError) -> Self {
        Self::Storage(e)
    }
}

impl From<EntryError> for StorageError {
    fn from(e: EntryError) -> Self {
        match e {
            EntryError::Vanished => Self::Refused("A file disappeared while it was copied.".to_owned()),
            EntryError::Storage(e) => e,
        }
    }
}

impl DirectoryCopy<'_> {
    /// Copies everything in `from` to `to`, and gives `to` the same owner, mode and times.
    pub fn tree(&self, from: &OwnedFd, to: OwnedFd) -> Result<(), StorageError> {
        let top = |e: Errno| io("data", e);
        let mut levels = vec![CopyLevel {
            from: Dir::read_from(from).map_err(top)?,
            to,
            stat: fstat(from).map_err(top)?,
            name: "data".to_owned(),
            path: Vec::new(),
            present: Present::default(),
        }];
        while let Some(level) = levels.last_mut() {
            let Some(entry) = level.from.read() else {
                if self.pass.is_second() {
                    remove_others(&level.to, &level.present).map_err(|e| io(&level.name, e))?;
                }
                level.finish().map_err(|e| io(&level.name, e))?;
                levels.pop();
                continue;
            };
            let entry = entry.map_err(|e| io(&level.name, e))?;
            if is_dots(entry.file_name()) {
                continue;
            }
            self.still_wanted()?;
            let below = self.entry(level, entry.file_name());
            let below = match below {
                Err(EntryError::Vanished) if self.pass.tolerates_changes() => None,
                below => below?,
            };
            if let Some(below) = below {
                if levels.len() >= DEEPEST {
                    return Err(rejected_files::deep(&below.name));
                }
                levels.push(below);
            }
        }
        self.still_wanted()
    }

    fn still_wanted(&self) -> Result<(), StorageError> {
        if self.wanted.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StorageError::Refused("The copy was abandoned.".to_owned()))
    }

    /// Copies one entry. A directory is created and returned, to be filled.
    fn entry(&self, level: &mut CopyLevel, name: &CStr) -> Result<Option<CopyLevel>, EntryError> {
        let path = format!("{}/{}", level.name, shown(name.to_bytes()));
        let fault = |e: Errno| io(&path, e);
        let read = |e: Errno| match e {
            // It was removed, or replaced by something else.
            Errno::NOENT | Errno::INVAL | Errno::NOTDIR | Errno::LOOP if self.pass.tolerates_changes() => {
                EntryError::Vanished
            }
            e => io(&path, e).into(),
        };
        let from = level.from.fd().map_err(fault)?;
        let stat = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(read)?;
        let below = [&level.path, &b"/"[..], name.to_bytes()].concat();
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                if stat.st_dev != level.stat.st_dev {
                    return Err(rejected_files::other_volume(&path).into());
                }
                let source = match no_follow::directory(from, name) {
                    Err(Errno::XDEV) => return Err(rejected_files::other_volume(&path).into()),
                    opened => opened.map_err(read)?,
                };
                level.present.add(name.to_bytes());
                let to = self.make_directory(&level.to, name).map_err(fault)?;
                let (from, present) = (Dir::new(source).map_err(fault)?, Present::default());
                return Ok(Some(CopyLevel { from, to, stat, name: path, path: below, present }));
            }
            FileType::RegularFile => {
                level.present.add(name.to_bytes());
                if self.pass.unchanged(&below, &stat) {
                    return Ok(None);
                }
                let (source, stat) = no_follow::file(from, name).map_err(read)?;
                self.pass.note(&below, &stat);
                self.make_room(&level.to, name).map_err(fault)?;
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let to = openat(&level.to, name, flags, Mode::RUSR | Mode::WUSR).map_err(fault)?;
                self.file(&source, &to, &stat, &path)?;
                xattrs::copy(&source, &to).and_then(|()| attributes(&to, &stat)).map_err(fault)?;
            }
            FileType::Symlink => {
                level.present.add(name.to_bytes());
                let leads = readlinkat(from, name, Vec::new()).map_err(read)?;
                rejected_files::refuse_link_out(&path, leads.to_bytes(), self.volume)?;
                self.make_room(&level.to, name).map_err(fault)?;
                symlinkat(&leads, &level.to, name).map_err(fault)?;
                let (uid, gid) = owner(&stat);
                chownat(&level.to, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW).map_err(fault)?;
            }
            // Servers create these again.
            FileType::Fifo | FileType::Socket => {}
            _ => return Err(rejected_files::device(&path).into()),
        }
        Ok(None)
    }

    /// Creates a directory of the copy, or finds the one of the first pass.
    fn make_directory(&self, to: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
        match mkdirat(to, name, Mode::RWXU) {
            Err(Errno::EXIST) if self.pass.is_second() => match no_follow::directory(to, name) {
                Err(Errno::NOTDIR | Errno::LOOP) => {
                    walk::remove(to, name)?;
                    mkdirat(to, name, Mode::RWXU)?;
                }
                found => return found,
            },
            made => made?,
        }
        no_follow::directory(to, name)
    }

    /// Removes what the first pass has copied under this name.
    fn make_room(&self, to: &OwnedFd, name: &CStr) -> Result<(), Errno> {
        if self.pass.is_second() { walk::remove(to, name) } else { Ok(()) }
    }

    fn file(&self, from: &OwnedFd, to: &OwnedFd, stat: &Stat, path: &str) -> Result<(), StorageError> {
        let fault = |e: Errno| io(path, e);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        rejected_files::refuse_larger_than(rejected_files::disk(to).map_err(fault)?, path, stat.st_size)?;
        rejected_files::refuse_table_elsewhere(path)?;
        if ioctl_ficlone(to, from).is_ok() {
            return Ok(());
        }
        ftruncate(to, size).map_err(fault)?;
        let mut at = 0;
        while at < size {
            let begin = match seek(from, SeekFrom::Data(at)) {
                Ok(begin) => begin,
                // The rest of the file is a hole.
                Err(Errno::NXIO) => break,
                // The file system does not support holes.
                Err(_) => at,
            };
            let end = seek(from, SeekFrom::Hole(begin)).ok().filter(|end| *end > begin).unwrap_or(size);
            at = self.range(from, to, begin, end.min(size), path)?;
        }
        Ok(())
    }

    /// Copies a range of a file. Returns the position reached, which is lower if the file was truncated.
    fn range(&self, from: &OwnedFd, to: &OwnedFd, begin: u64, end: u64, path: &str) -> Result<u64, StorageError> {
        let fault = |e: Errno| io(path, e);
        let (mut read, mut written) = (begin, begin);
        while read < end {
            self.still_wanted()?;
            let length = (end - read).min(CHUNK);
            let disk = fstatvfs(to).map_err(fault)?;
            if disk.f_bavail.saturating_mul(disk.f_frsize) < length.saturating_add(LEFT) {
                return Err(StorageError::Refused("There is not enough disk space for the copy.".to_owned()));
            }
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), length) {
                Ok(0) => return Ok(u64::MAX),
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                    read = through_memory(from, to, read, length).map_err(fault)?;
                    written = read;
                }
                Err(e) => return Err(fault(e)),
            }
        }
        Ok(end)
    }
}

/// Removes the entries of a copy that are no longer in the source.
fn remove_others(to: &OwnedFd, present: &Present) -> Result<(), Errno> {
    for entry in Dir::read_from(to)? {
        let entry = entry?;
        let name = entry.file_name();
        if !is_dots(name) && present.lacks(name.to_bytes()) {
            walk::remove(to, name)?;
        }
    }
    Ok(())
}

/// Copies by reading and writing, if the kernel cannot copy directly.
fn through_memory(from: &OwnedFd, to: &OwnedFd, begin: u64, length: usize) -> Result<u64, Errno> {
    let mut buffer = vec![0; length.min(1 << 20)];
    let read = rustix::io::retry_on_intr(|| rustix::io::pread(from, &mut *buffer, begin))?;
    let mut at = begin;
    let mut rest = buffer.get(..read).unwrap_or_default();
    while !rest.is_empty() {
        let n = rustix::io::retry_on_intr(|| rustix::io::pwrite(to, rest, at))?;
        rest = rest.get(n..).unwrap_or_default();
        at += n as u64;
    }
    // The file was truncated and ends here.
    Ok(if read == 0 { u64::MAX } else { at })
}

/// Copies owner, permissions and times, without the bits that let a program run as another user.
fn attributes(to: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
    let (uid, gid) = owner(stat);
    fchown(to, uid, gid)?;
    fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o1777))?;
    #[expect(clippy::cast_possible_wrap, reason = "less than a thousand million")]
    let time = |seconds: i64, nanoseconds: u64| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as i64 };
    let last_access = time(stat.st_atime, stat.st_atime_nsec);
    futimens(to, &Timestamps { last_access, last_modification: time(stat.st_mtime, stat.st_mtime_nsec) })
}

fn owner(stat: &Stat) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
}

pub(super) fn io(path: &str, e: Errno) -> StorageError {
    StorageError::Io { operation: "copy", path: path.to_owned(), cause: std::io::Error::from(e).to_string() }
}
