//! What is mounted below a directory, according to the kernel's table.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The path, relative to `dir`, of something mounted below it.
pub(super) fn below(dir: &Path) -> std::io::Result<Option<PathBuf>> {
    Ok(first_below(&std::fs::read("/proc/self/mountinfo")?, &dir.canonicalize()?))
}

fn first_below(table: &[u8], dir: &Path) -> Option<PathBuf> {
    let mut points = table.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b' ').nth(4)).map(unescaped);
    points.find_map(|point| {
        let rest = Path::new(&point).strip_prefix(dir).ok()?;
        (!rest.as_os_str().as_bytes().is_empty()).then(|| rest.to_owned())
    })
}

/// A path of the table, in which spaces and line breaks are backslashes with three octal digits.
fn unescaped(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.filter(|_| *first == b'\\').and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mounts_below_the_directory_are_found() {
        let table = b"22 1 8:1 / / rw - ext4 /dev/a rw\n30 22 0:5 / /srv/a rw - btrfs /dev/b rw\n\
                      31 30 0:6 / /srv/a/one\\040two/in\\134x rw - tmpfs t rw\n";
        let found = |dir: &str| first_below(table, Path::new(dir));
        assert_eq!(found("/srv/a"), Some(PathBuf::from("one two/in\\x")));
        assert_eq!(found("/srv/a/one two"), Some(PathBuf::from("in\\x")));
        assert_eq!((found("/srv/a/one two/in\\x"), found("/srv/a/one"), found("/srv/b")), (None, None, None));
    }
}
