//! Access to files below a server's data directory through handles. All contents are treated as hostile: links are not
//! followed, mounts are not crossed, nothing is opened that might block or have an effect, and reads are limited.

use std::ffi::CStr;
use std::fmt::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fstat, openat, openat2};
use rustix::io::Errno;

/// Deeper nesting of directories does not come from a server.
pub(super) const DEEPEST: usize = 64;

/// Maximum bytes to read of a file's first line.
pub(super) const LINE: usize = 256;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);
/// Flags for a handle that only identifies a file: opening one for a device or a pipe has no effect on it.
const NAMED: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The content of a small file written by a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmallFile {
    /// The file does not exist.
    Missing,
    /// Something that no server writes: a link, a pipe, or a line that is too long or not plain text. Its type and
    /// content are not revealed.
    Odd,
    /// The first line: printable ASCII, at most 256 bytes.
    Line(String),
}

impl SmallFile {
    /// Parses the beginning of a file.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let plain = line.len() <= LINE && line.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
        if plain { Self::Line(String::from_utf8_lossy(line).into_owned()) } else { Self::Odd }
    }
}

/// Opens one of the portal's own directories. Links in its path were created by the administrator.
pub(super) fn own(path: &Path) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// Opens the directory `data` in a container's directory; it may be a mount but not a link.
pub(super) fn data(root: &OwnedFd) -> Result<OwnedFd, Errno> {
    openat(root, c"data", DIRECTORY, Mode::empty())
}

/// Opens a directory below another.
pub(super) fn directory(at: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    open_beneath(at.as_fd(), name, DIRECTORY)
}

/// Opens a regular file below a directory for reading and returns its metadata.
///
/// # Errors
/// [`Errno::INVAL`] if it is not a regular file.
pub(super) fn file(at: impl AsFd, name: &CStr) -> Result<(OwnedFd, Stat), Errno> {
    let at = at.as_fd();
    let named = fstat(open_beneath(at, name, NAMED)?)?;
    if FileType::from_raw_mode(named.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let opened = open_beneath(at, name, READ)?;
    let stat = fstat(&opened)?;
    // Another file may have replaced it in between.
    if (stat.st_dev, stat.st_ino) == (named.st_dev, named.st_ino) { Ok((opened, stat)) } else { Err(Errno::INVAL) }
}

/// The first line of the file `path` below a directory.
pub(super) fn head(at: impl AsFd, path: &CStr) -> Result<SmallFile, Errno> {
    let file = match file(at, path) {
        Ok((file, _)) => file,
        Err(Errno::NOENT) => return Ok(SmallFile::Missing),
        Err(Errno::INVAL | Errno::LOOP | Errno::NOTDIR | Errno::XDEV | Errno::NXIO) => return Ok(SmallFile::Odd),
        Err(e) => return Err(e),
    };
    let (mut text, mut filled) = ([0; LINE + 1], 0);
    while let Some(room) = text.get_mut(filled..).filter(|room| !room.is_empty()) {
        match rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut *room))? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(SmallFile::of(text.get(..filled).unwrap_or_default()))
}

fn open_beneath(at: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    match openat2(at, path, flags, Mode::empty(), how) {
        // The kernel, or a system call filter, is older than this call.
        Err(Errno::NOSYS | Errno::PERM) => step_by_step(at, path, flags),
        // Concurrent renames make the kernel return this error.
        Err(Errno::AGAIN) => openat2(at, path, flags, Mode::empty(), how),
        opened => opened,
    }
}

/// The same with one call for each component of the path.
fn step_by_step(at: BorrowedFd<'_>, path: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names = path.to_bytes().split(|b| *b == b'/').peekable();
    let mut here: Option<OwnedFd> = None;
    while let Some(name) = names.next() {
        if matches!(name, b"" | b"." | b"..") {
            return Err(Errno::XDEV);
        }
        let flags = if names.peek().is_some() { DIRECTORY } else { flags };
        here = Some(match &here {
            None => openat(at, name, flags, Mode::empty())?,
            Some(dir) => openat(dir, name, flags, Mode::empty())?,
        });
    }
    here.ok_or(Errno::NOENT)
}

/// Formats a name chosen by a server for display: one line of limited length.
pub(crate) fn shown(name: &[u8]) -> String {
    const MOST: usize = 120;
    let mut text = String::new();
    for c in String::from_utf8_lossy(name).chars().take(MOST) {
        if c.is_control() || c == char::REPLACEMENT_CHARACTER || ('\u{200b}'..='\u{206f}').contains(&c) {
            let _ = write!(text, "\\{{{:x}}}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    if text.len() < name.len() && name.len() > MOST { text + "…" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_first_lines_are_accepted() {
        assert_eq!(SmallFile::of(b"17\n"), SmallFile::Line("17".to_owned()));
        assert_eq!(SmallFile::of(b"11.8.3-MariaDB\r\nmore"), SmallFile::Line("11.8.3-MariaDB".to_owned()));
        assert_eq!(SmallFile::of(b""), SmallFile::Line(String::new()));
        assert_eq!(SmallFile::of(&[b'1'; LINE]), SmallFile::Line("1".repeat(LINE)));
        for odd in [&[b'1'; LINE + 1][..], b"17\x1b[31m", b"17\0", &[0xff], "é".as_bytes()] {
            assert_eq!(SmallFile::of(odd), SmallFile::Odd);
        }
    }

    #[test]
    fn no_name_leads_out_of_the_directory() {
        let dir = std::env::temp_dir().join(format!("db4sci-beneath-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("in/sub")).unwrap();
        std::fs::write(dir.join("secret"), "17\n").unwrap();
        std::fs::write(dir.join("in/sub/file"), "17\n").unwrap();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.join("in").join(name)).unwrap();
        link("../secret", "relative");
        link("/proc/self/root", "magic");
        link("sub", "inner");
        let top = own(&dir.join("in")).unwrap();
        for open in [open_beneath, step_by_step] {
            open(top.as_fd(), c"sub/file", READ).unwrap();
            for way in
                [c"../secret", c"relative", c"magic/etc/passwd", c"inner/file", c"/etc/passwd", c"sub/../../secret"]
            {
                assert!(open(top.as_fd(), way, READ).is_err(), "{way:?}");
            }
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn names_are_shown_on_one_line() {
        assert_eq!(shown("täble".as_bytes()), "täble");
        assert_eq!(shown(b"a\nb\xff\x1b[31m"), "a\\{a}b\\{fffd}\\{1b}[31m");
        assert!(shown(&[b'x'; 5000]).chars().count() < 130);
    }
}
