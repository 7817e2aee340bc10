//! The capabilities, free space and availability of a tier. An empty directory where a disk should be mounted must not
//! be mistaken for the tier.

use std::path::{Path, PathBuf};

use super::method;
use crate::config::Tier;
use crate::domain::copy_method::CopyMethod;
use crate::domain::names::InstanceId;
use crate::secrets::write_whole;
use crate::storage::error::{StorageError, io};
use crate::tasks;

/// File in a tier's directory that distinguishes it from an empty mount point.
const MARK: &str = ".db4sci-tier";

/// Type, capabilities and space of a tier's file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// Type of the file system: ext4, xfs, btrfs …
    pub file_system: String,
    /// How data is copied.
    pub copies: CopyMethod,
    /// Bytes available to the portal.
    pub free: i64,
    /// Total size in bytes.
    pub total: i64,
}

/// Why a tier is currently unavailable, or `None`. If the bootstrap could not mount a directory, it leaves the reason
/// in `<path>.unavailable`.
pub fn unavailable_reason(tier: &Tier) -> Option<String> {
    if let Some(reason) = noted(tier) {
        return Some(reason);
    }
    match std::fs::metadata(&tier.path) {
        Ok(meta) if meta.is_dir() => unmounted(tier),
        Ok(_) => Some(format!("{} is not a directory", tier.path.display())),
        Err(_) if used_before(tier) => Some(format!("{} is missing: mount its disk", tier.path.display())),
        Err(e) => Some(format!("{}: {e}", tier.path.display())),
    }
}

/// Why a tier is unavailable and will still be at the next start, with what to do; or `None`. A tier with a recorded
/// reason is not reported.
pub fn fault(tier: &Tier) -> Option<String> {
    if noted(tier).is_some() {
        return None;
    }
    let reason = unavailable_reason(tier)?;
    if !tier.path.exists() && !used_before(tier) {
        if place_to_make(tier).is_some() {
            return None;
        }
        return Some(format!(
            "{} is missing, and so is its parent directory: mount its disk or create it",
            tier.path.display()
        ));
    }
    Some(reason)
}

/// Creates the directory of a tier that has never been used, and marks the tier as used from now on. `in_use` means
/// that there are databases on it.
pub fn begin(tier: &Tier, instance: &InstanceId, in_use: bool) -> Result<(), String> {
    let Some(seen) = &tier.seen else { return Ok(()) };
    if let Some(reason) = noted(tier) {
        return if in_use { Err(reason) } else { Ok(()) };
    }
    let path = tier.path.display();
    let cant = |e: std::io::Error| format!("{path} cannot be created or written: {e}");
    if !tier.path.exists() {
        if in_use || used_before(tier) {
            return Err(format!("{path} is missing: mount its disk"));
        }
        let make = place_to_make(tier).ok_or_else(|| fault(tier).unwrap_or_default())?;
        make(&tier.path).map_err(cant)?;
    }
    if tier.path.join(MARK).exists() {
        // The disk was marked by another portal, or by this one before its own data directory was lost.
    } else if tier.path.join(instance.as_str()).exists() || !(in_use || used_before(tier)) {
        std::fs::write(tier.path.join(MARK), format!("{instance} {}\n", tier.name)).map_err(cant)?;
    } else {
        remember(seen, tier)?;
        return Err(unmounted(tier).unwrap_or_default());
    }
    if !used_before(tier) {
        remember(seen, tier)?;
    }
    let found = method::of(&tier.path);
    tracing::info!(tier = tier.name, method = found.as_str(), "Found how data is copied on a storage tier");
    Ok(())
}

fn remember(seen: &Path, tier: &Tier) -> Result<(), String> {
    let write = || {
        std::fs::create_dir_all(seen.parent().unwrap_or(seen))?;
        write_whole(seen, format!("{}\n", tier.path.display()).as_bytes())
    };
    write().map_err(|e: anyhow::Error| format!("cannot write {}: {e:#}", seen.display()))
}

/// The reason recorded next to the directory.
fn noted(tier: &Tier) -> Option<String> {
    let note = tier.path.with_extension("unavailable");
    std::fs::read_to_string(&note).ok().map(|reason| reason.trim().to_owned())
}

/// Whether this tier was used before at this path.
fn used_before(tier: &Tier) -> bool {
    let said = tier.seen.as_deref().and_then(|seen| std::fs::read_to_string(seen).ok());
    said.is_some_and(|said| Path::new(said.trim_end_matches('\n')) == tier.path)
}

/// Why an existing directory is not the tier's.
fn unmounted(tier: &Tier) -> Option<String> {
    let seen = tier.seen.as_deref().filter(|_| used_before(tier))?;
    if tier.path.join(MARK).exists() {
        return None;
    }
    let path = tier.path.display();
    Some(format!(
        "{path} is not the directory that the portal used before, which contains a file {MARK}: mount its disk, or, \
         to start over with an empty directory, remove {}",
        seen.display()
    ))
}

type Make = fn(&Path) -> std::io::Result<()>;

/// How to create a tier's directory: only if its parent exists, or anywhere below the portal's own directory.
fn place_to_make(tier: &Tier) -> Option<Make> {
    let own: Option<PathBuf> = tier.seen.as_deref().and_then(|s| Some(s.parent()?.parent()?.to_owned()));
    if own.is_some_and(|own| own.is_dir() && tier.path.starts_with(&own)) {
        return Some(|path| std::fs::create_dir_all(path));
    }
    tier.path.parent().filter(|above| above.is_dir())?;
    Some(|path| std::fs::create_dir(path))
}

/// Measures the file system of a tier.
pub fn capacity(path: &Path) -> Result<Capacity, StorageError> {
    let stat = rustix::fs::statvfs(path).map_err(|e| io("measure the space", path)(e.into()))?;
    let kind = rustix::fs::statfs(path).map_err(|e| io("measure the space", path)(e.into()))?;
    #[expect(clippy::useless_conversion, reason = "the field is narrower on some architectures")]
    let magic = i64::from(kind.f_type);
    let bytes = |blocks: u64| i64::try_from(blocks.saturating_mul(stat.f_frsize)).unwrap_or(i64::MAX);
    Ok(Capacity {
        file_system: name(magic),
        copies: method::of(path),
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

/// Measures a tier's file system on a blocking thread, so that waiting for a disk delays nothing else.
pub(crate) async fn measured(path: PathBuf) -> Result<Capacity, StorageError> {
    let place = path.clone();
    let asked = tasks::blocking(move || capacity(&path)).await;
    asked.map_err(|e| io("measure the space", &place)(std::io::Error::other(e)))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("db4sci-tier-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("data")).unwrap();
        dir
    }

    fn tier(dir: &Path, path: &str) -> Tier {
        Tier {
            name: "fast".to_owned(),
            path: dir.join(path),
            label: String::new(),
            users: Vec::new(),
            engines: Vec::new(),
            limit: None,
            seen: Some(dir.join("data/tiers/fast")),
        }
    }

    #[test]
    fn a_new_tier_is_created_only_where_that_is_safe() {
        let (dir, instance) = (ground("new"), InstanceId::parse("lab").unwrap());
        for path in ["data/tiers-of-it/fast", "beside"] {
            let tier = tier(&dir, path);
            assert!(fault(&tier).is_none() && unavailable_reason(&tier).is_some());
            begin(&tier, &instance, false).unwrap();
            assert_eq!(unavailable_reason(&tier), None);
            begin(&tier, &instance, true).unwrap();
        }
        let nowhere = tier(&dir, "disk/not/there");
        assert!(fault(&nowhere).unwrap().contains("mount its disk or create it"));
        assert!(begin(&nowhere, &instance, false).unwrap_err().contains("mount its disk"));
        std::fs::write(dir.join("cow.unavailable"), "no XFS here\n").unwrap();
        let noted = tier(&dir, "cow");
        assert_eq!((fault(&noted), unavailable_reason(&noted)), (None, Some("no XFS here".to_owned())));
        begin(&noted, &instance, false).unwrap();
        assert!(!noted.path.exists());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn an_unmounted_disk_is_never_taken_for_an_empty_tier() {
        let (dir, instance) = (ground("gone"), InstanceId::parse("lab").unwrap());
        let tier = tier(&dir, "disk");
        begin(&tier, &instance, false).unwrap();
        std::fs::rename(&tier.path, dir.join("unmounted")).unwrap();
        for empty in [false, true] {
            if empty {
                std::fs::create_dir(&tier.path).unwrap();
            }
            assert!(unavailable_reason(&tier).unwrap().contains("mount its disk"));
            assert!(fault(&tier).unwrap().contains("mount its disk"));
            assert!(begin(&tier, &instance, false).unwrap_err().contains("mount its disk"));
            assert!(!tier.path.join(MARK).exists());
        }
        std::fs::remove_dir(&tier.path).unwrap();
        std::fs::rename(dir.join("unmounted"), &tier.path).unwrap();
        assert_eq!((unavailable_reason(&tier), fault(&tier)), (None, None));
        begin(&tier, &instance, true).unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_tier_of_an_older_portal_is_recognised_by_its_databases() {
        let (dir, instance) = (ground("old"), InstanceId::parse("lab").unwrap());
        let tier = tier(&dir, "disk");
        std::fs::create_dir(&tier.path).unwrap();
        assert!(begin(&tier, &instance, true).unwrap_err().contains("mount its disk"), "its databases are not there");
        assert!(unavailable_reason(&tier).is_some());
        std::fs::create_dir(tier.path.join("lab")).unwrap();
        begin(&tier, &instance, true).unwrap();
        assert_eq!(unavailable_reason(&tier), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
