//! Copies in two passes. The first copies everything while the server runs; the second, while it is paused, only what has
//! changed since. So the server is paused only while its last changes are copied, not all of its data.
//!
//! A file counts as unchanged if inode, size, and times of modification and change are as they were before it was copied,
//! and the last change was before the first pass began. The second condition covers changes that the resolution of those
//! times does not show. Pending writes are flushed when the first pass begins, so that later writes through a memory map
//! set the times as well.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::CString;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::Stat;

/// Seconds by which the times of files may be behind the clock.
const SLACK: i64 = 2;
/// Maximum number of files to remember, to limit memory. Others are copied again.
const MOST: usize = 500_000;

/// What a file was like before the first pass copied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        Self {
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

/// What the first pass has copied: files by their path below the data directory. By path and inode: a directory may have
/// been moved or exchanged with another one.
#[derive(Debug)]
pub(super) struct FirstPass {
    since: i64,
    files: RefCell<HashMap<Vec<u8>, Stamp>>,
}

impl FirstPass {
    /// A first pass that begins now.
    pub fn begin() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { since: i64::try_from(now).unwrap_or(0), files: RefCell::default() }
    }

    fn note(&self, path: &[u8], stat: &Stat) {
        let mut files = self.files.borrow_mut();
        if files.len() < MOST {
            files.insert(path.to_vec(), Stamp::of(stat));
        }
    }

    fn unchanged(&self, path: &[u8], stat: &Stat) -> bool {
        let files = self.files.borrow();
        let before = files.get(path);
        before.is_some_and(|before| *before == Stamp::of(stat) && before.changed.0 < self.since - SLACK)
    }
}

/// Which pass a copy is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pass<'a> {
    /// The only one: nothing changes meanwhile.
    Only,
    /// The first of two: files may vanish meanwhile.
    First(&'a FirstPass),
    /// The second of two, over the copy that the first has made.
    Second(&'a FirstPass),
}

impl Pass<'_> {
    /// Whether files may vanish meanwhile.
    pub fn tolerates_changes(self) -> bool {
        matches!(self, Self::First(_))
    }

    /// Whether the copy may have entries already.
    pub fn is_second(self) -> bool {
        matches!(self, Self::Second(_))
    }

    /// Remembers a file before it is copied.
    pub fn note(self, path: &[u8], stat: &Stat) {
        if let Self::First(pass) = self {
            pass.note(path, stat);
        }
    }

    /// Whether the copy of a file is still right.
    pub fn unchanged(self, path: &[u8], stat: &Stat) -> bool {
        matches!(self, Self::Second(pass) if pass.unchanged(path, stat))
    }
}

/// The names in a directory, by which a second pass finds what is only in the copy.
#[derive(Debug, Default)]
pub(super) struct Present(HashSet<Vec<u8>>);

impl Present {
    pub fn add(&mut self, name: &[u8]) {
        self.0.insert(name.to_vec());
    }

    pub fn lacks(&self, name: &[u8]) -> bool {
        !self.0.contains(name)
    }
}

/// A copy whose first pass is done.
#[derive(Debug)]
pub struct CopyAhead {
    /// The name of its directory.
    pub(super) name: CString,
    /// What the first pass has copied; `None` if the copy will be a snapshot, for which nothing can be done in advance.
    pub(super) pass: Option<FirstPass>,
}

/// A copy that contains everything but is not in its place yet. What remains to be done does not concern its source; if it
/// isn't done, the next copy to the same directory removes this one. Nothing remains to be done without a [`CopyAhead`].
#[derive(Debug)]
#[must_use]
pub struct UnfinishedCopy(pub(super) Option<CopyAhead>);

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(changed: i64, size: i64) -> Stat {
        let file = std::env::current_exe().expect("a file");
        let mut stat = rustix::fs::stat(&file).expect("its metadata");
        (stat.st_ino, stat.st_size, stat.st_ctime, stat.st_mtime) = (7, size, changed, changed);
        stat
    }

    #[test]
    fn only_older_files_with_equal_metadata_count_as_unchanged() {
        let pass = FirstPass::begin();
        let (old, new) = (pass.since - 60, pass.since - SLACK);
        pass.note(b"x/a", &stat(old, 10));
        pass.note(b"x/b", &stat(new, 10));
        let second = Pass::Second(&pass);
        assert!(second.unchanged(b"x/a", &stat(old, 10)));
        assert!(!second.unchanged(b"x/a", &stat(old, 11)), "another size");
        assert!(!second.unchanged(b"x/a", &stat(old + 1, 10)), "another time");
        assert!(!second.unchanged(b"y/a", &stat(old, 10)), "another directory");
        assert!(!second.unchanged(b"x/b", &stat(new, 10)), "changed while the pass began");
        assert!(!second.unchanged(b"x/c", &stat(old, 10)), "unknown");
        assert!(!Pass::Only.unchanged(b"x/a", &stat(old, 10)));
    }
}
