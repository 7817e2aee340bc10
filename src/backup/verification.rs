//! Explains in a few words why a backup was made and how far it has been verified.

use crate::admin_db::backups::Backup;

/// Meaning of a verification level.
pub fn level(level: Option<i16>) -> &'static str {
    match level {
        None => "not verified",
        Some(0) => "dump completed",
        Some(1) => "stored intact",
        Some(2) => "dump readable",
        Some(3) => "restored",
        Some(4) => "restored, all counts match",
        Some(5) => "restored, content matches",
        Some(_) => "restored, your own checks passed",
    }
}

/// Which parts of the backup can be compared after a restore.
pub fn compared(b: &Backup) -> &'static str {
    match (b.fingerprints, b.definitions.is_some()) {
        (true, true) => "row counts, content and schema",
        (true, false) => "row counts and content (schema not recorded)",
        (false, true) => "row counts and schema",
        (false, false) => "row counts (schema not recorded)",
    }
}

/// The reason for the backup, for people.
pub fn reason(word: &str) -> &str {
    match word {
        "manual" => "manual",
        "schedule" => "scheduled",
        "final" => "before deletion",
        "import" => "registered from the bucket",
        "first" => "first backup",
        other => other,
    }
}
