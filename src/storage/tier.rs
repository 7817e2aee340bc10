//! What a tier's file system can do and how full it is.

use std::path::Path;

use super::{StorageError, io};
use crate::config::Tier;

/// A tier's file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Its type: ext4, xfs, btrfs …
    pub file_system: String,
    /// Whether files can share blocks, so that copies are instant.
    pub reflink: bool,
    /// Bytes free for the portal.
    pub free: i64,
    /// Bytes in all.
    pub total: i64,
}

/// Why a tier can't be used now, or `None`. A directory that should be a mount may say so itself:
/// the bootstrap leaves `<path>.unavailable` with the reason where it could not make one.
pub fn unavailable_reason(tier: &Tier) -> Option<String> {
    let note = tier.path.with_extension("unavailable");
    if let Ok(reason) = std::fs::read_to_string(&note) {
        return Some(reason.trim().to_owned());
    }
    match std::fs::metadata(&tier.path) {
        Ok(meta) if meta.is_dir() => None,
        Ok(_) => Some(format!("{} is no directory", tier.path.display())),
        Err(e) => Some(format!("{}: {e}", tier.path.display())),
    }
}

/// Measures a tier.
///
/// # Errors
/// If its directory can't be asked.
pub fn capacity(path: &Path) -> Result<Capacity, StorageError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| io("measure the space", path)(e.into()))?;
    let kind = rustix::fs::statfs(path).map_err(|e| io("measure the space", path)(e.into()))?;
    #[expect(clippy::useless_conversion, reason = "the field is narrower on some architectures")]
    let magic = i64::from(kind.f_type);
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
    Ok(Capacity {
        file_system: name(magic),
        reflink: reflink(path),
        free: bytes(stat.f_bavail),
        total: bytes(stat.f_blocks),
    })
}

/// Names of file systems by their magic numbers (statfs(2), linux/magic.h).
fn name(magic: i64) -> String {
    match magic & 0xffff_ffff {
        0xef53 => "ext4".to_owned(),
        0x5846_5342 => "xfs".to_owned(),
        0x9123_683e => "btrfs".to_owned(),
        0x2fc1_2fc1 => "zfs".to_owned(),
        0x0102_1994 => "tmpfs".to_owned(),
        0x794c_7630 => "overlay".to_owned(),
        0x6969 => "nfs".to_owned(),
        other => format!("0x{other:x}"),
    }
}

/// Tries it: the only answer that counts is the file system's own.
fn reflink(path: &Path) -> bool {
    let (a, b) = (path.join(".reflink-probe-a"), path.join(".reflink-probe-b"));
    let tried = (|| -> std::io::Result<()> {
        std::fs::write(&a, vec![1u8; 65536])?;
        let source = std::fs::File::open(&a)?;
        let target = std::fs::File::create(&b)?;
        rustix::fs::ioctl_ficlone(&target, &source)?;
        Ok(())
    })();
    for probe in [&a, &b] {
        let _ = std::fs::remove_file(probe);
    }
    tried.is_ok()
}
