//! How much of a directory is shared with copies of it, according to the file system's own map of each file.

use std::os::fd::OwnedFd;
use std::time::Instant;

use fiemap::{Fiemap, FiemapExtentFlags};
use rustix::fs::{Dir, FileType};

use super::no_follow;
use super::no_follow::DEEPEST;
use super::walk::{SizeError, is_dots};

/// Bytes below `top` in blocks that another file shares. Files that disappear or cannot be mapped count as nothing.
pub(super) fn shared(top: &OwnedFd, until: Instant) -> Result<i64, SizeError> {
    let mut bytes = 0_u64;
    let mut open = vec![Dir::read_from(top).map_err(SizeError::Io)?];
    while let Some(here) = open.last_mut() {
        let Some(Ok(entry)) = here.read() else {
            open.pop();
            continue;
        };
        let name = entry.file_name();
        if is_dots(name) {
            continue;
        }
        if Instant::now() > until {
            return Err(SizeError::Late);
        }
        let Ok(at) = here.fd() else { continue };
        // Some file systems do not list the types of entries.
        let kind = entry.file_type();
        if matches!(kind, FileType::RegularFile | FileType::Unknown)
            && let Ok((file, _)) = no_follow::file(at, name)
        {
            bytes = bytes.saturating_add(shared_of(&file));
        } else if matches!(kind, FileType::Directory | FileType::Unknown) {
            let below = no_follow::directory(at, name).and_then(Dir::new);
            if open.len() >= DEEPEST {
                return Err(SizeError::Deep);
            }
            open.extend(below);
        }
    }
    Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
}

fn shared_of(file: &OwnedFd) -> u64 {
    let shared = |flags: FiemapExtentFlags| flags.contains(FiemapExtentFlags::SHARED);
    let extents = Fiemap::new(file).map_while(Result::ok);
    extents.filter(|extent| shared(extent.fe_flags)).map(|extent| extent.fe_length).sum()
}
