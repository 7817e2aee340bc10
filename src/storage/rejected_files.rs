//! Files that no server creates in its data directory. Every kind of copy rejects them, by name.

use std::os::fd::OwnedFd;

use rustix::fs::fstatvfs;
use rustix::io::Errno;

use super::no_follow::shown;
use crate::storage::error::StorageError;

/// The message that says why a data directory is not copied.
pub(super) fn uncopied(what: &str) -> String {
    format!("The data directory cannot be copied: {what}. No server in the catalog creates such files.")
}

fn refused(what: &str) -> StorageError {
    StorageError::Refused(uncopied(what))
}

/// A device.
pub(super) fn device(path: &str) -> StorageError {
    refused(&format!("“{path}” is a device"))
}

/// Directories that are nested deeper than any server does.
pub(super) fn deep(path: &str) -> StorageError {
    refused(&format!("“{path}” is nested too deep"))
}

/// Another file system, or a part of one that a snapshot does not contain.
pub(super) fn other_volume(path: &str) -> StorageError {
    refused(&format!("“{path}” is a mounted file system or a subvolume"))
}

/// Refuses a symbolic link that can lead out of the directory that the server sees as `volume`.
pub(super) fn refuse_link_out(path: &str, link: &[u8], volume: &str) -> Result<(), StorageError> {
    if !leads_out(link, volume) {
        return Ok(());
    }
    Err(link_out(path, link))
}

/// A symbolic link that leads out of the directory.
pub(super) fn link_out(path: &str, link: &[u8]) -> StorageError {
    refused(&format!("“{path}” is a symbolic link pointing outside, to “{}”", shown(link)))
}

/// Refuses a file in which InnoDB notes that the rows of a table lie elsewhere.
pub(super) fn refuse_table_elsewhere(path: &str) -> Result<(), StorageError> {
    // Dots in the names of tables are escaped, so no table has such a file.
    if std::path::Path::new(path).extension().is_none_or(|ending| ending != "isl") {
        return Ok(());
    }
    Err(table_elsewhere(path))
}

/// A file in which InnoDB notes that the rows of a table lie elsewhere.
pub(super) fn table_elsewhere(path: &str) -> StorageError {
    refused(&format!("“{path}” refers to a table whose rows are outside, by its option DATA DIRECTORY"))
}

/// Bytes of the whole file system of a directory.
pub(super) fn disk(dir: &OwnedFd) -> Result<u64, Errno> {
    fstatvfs(dir).map(|disk| disk.f_blocks.saturating_mul(disk.f_frsize))
}

/// Refuses a file that claims to be larger than the whole disk.
pub(super) fn refuse_larger_than(disk: u64, path: &str, size: i64) -> Result<(), StorageError> {
    if u64::try_from(size).unwrap_or(0) <= disk {
        return Ok(());
    }
    Err(larger_than_disk(path))
}

/// A file that claims to be larger than the whole disk.
pub(super) fn larger_than_disk(path: &str) -> StorageError {
    refused(&format!("“{path}” claims to be larger than the whole disk"))
}

/// Whether a link can lead out of the directory that the server sees as `volume`.
fn leads_out(link: &[u8], volume: &str) -> bool {
    let climbs = link.split(|b| *b == b'/').any(|name| name == b"..");
    let absolute = link.first() == Some(&b'/');
    let inside = link.strip_prefix(volume.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'/'));
    climbs || (absolute && !inside)
}

#[cfg(test)]
mod tests {
    use super::leads_out;

    #[test]
    fn link_targets_are_resolved_without_following_links() {
        let out = |link: &str| leads_out(link.as_bytes(), "/var/lib/mysql");
        for inside in ["ibdata1", "sub/file", "/var/lib/mysql/sub", "..data"] {
            assert!(!out(inside), "{inside}");
        }
        for leads in [
            "/",
            "/etc/shadow",
            "../x",
            "sub/../../x",
            "/var/lib/mysql",
            "/var/lib/mysql2/x",
            "/var/lib/mysql/../x",
            "..",
        ] {
            assert!(out(leads), "{leads}");
        }
    }
}
