//! What an audit finds: the kinds of faults, the findings, and the report that mydb_admin keeps.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// There is no place for backups.
    NoTarget,
    /// A target can't be listed.
    TargetAway,
    /// mydb_admin itself has no fresh backup.
    AdminDbStale,
    /// There is no recovery key, so the portal's keys are in no backup.
    NoRecoveryKey,
    /// Objects of a good backup are missing or have other lengths.
    Missing,
    /// A manifest is not the one that was stored.
    Altered,
    /// A backup lacks its copy in another target.
    CopyMissing,
    /// A database has no backup as fresh as its policy promises.
    Stale,
    /// A backup holds much less than those before it.
    Shrunk,
    /// The last drill failed.
    DrillFailed,
    /// No drill for too long.
    DrillOverdue,
    /// The engine can't be backed up.
    Impossible,
    /// Backups without this portal's signature: a rebuild does not take them in by itself.
    Unsigned,
    /// Objects that no row explains.
    Unknown,
}

impl FindingKind {
    /// Every kind, the worst first.
    pub const ALL: [Self; 14] = [
        Self::NoTarget,
        Self::TargetAway,
        Self::AdminDbStale,
        Self::NoRecoveryKey,
        Self::Missing,
        Self::Altered,
        Self::CopyMissing,
        Self::Stale,
        Self::Shrunk,
        Self::DrillFailed,
        Self::DrillOverdue,
        Self::Impossible,
        Self::Unsigned,
        Self::Unknown,
    ];

    /// Its word, in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoTarget => "no_target",
            Self::TargetAway => "target_away",
            Self::AdminDbStale => "admin_db_stale",
            Self::NoRecoveryKey => "no_recovery_key",
            Self::Missing => "missing",
            Self::Altered => "altered",
            Self::CopyMissing => "copy_missing",
            Self::Stale => "stale",
            Self::Shrunk => "shrunk",
            Self::DrillFailed => "drill_failed",
            Self::DrillOverdue => "drill_overdue",
            Self::Impossible => "impossible",
            Self::Unsigned => "unsigned",
            Self::Unknown => "unknown",
        }
    }

    /// In a word or two, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::NoTarget => "no backup target",
            Self::TargetAway => "target unavailable",
            Self::AdminDbStale => "mydb_admin backup overdue",
            Self::NoRecoveryKey => "no recovery key",
            Self::Missing => "objects missing",
            Self::Altered => "manifest changed",
            Self::CopyMissing => "copy missing",
            Self::Stale => "backup missed",
            Self::Shrunk => "unusually small",
            Self::DrillFailed => "test restore failed",
            Self::DrillOverdue => "test restore overdue",
            Self::Impossible => "not supported",
            Self::Unsigned => "not signed",
            Self::Unknown => "unknown objects",
        }
    }

    /// Whether data may be at risk; the others want a look.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::DrillOverdue | Self::Impossible | Self::Unsigned | Self::Unknown)
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What sort of thing.
    pub kind: FindingKind,
    /// Name of the database it is about, if it is about one.
    pub container: Option<String>,
    /// The backup it is about, if it is about one.
    pub backup: Option<Uuid>,
    /// A sentence or two.
    pub text: String,
}

/// A target as the audit found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedTarget {
    /// Its name.
    pub target: String,
    /// Objects of this portal in it.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why it could not be listed.
    pub error: Option<String>,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// When it began.
    pub at: DateTime<Utc>,
    /// Databases that were judged.
    pub databases: usize,
    /// Good backups that were looked for.
    pub backups: usize,
    /// The targets.
    pub places: Vec<AuditedTarget>,
    /// How many findings of each kind.
    pub counts: BTreeMap<FindingKind, u64>,
    /// The findings, the worst first; not all where there are very many.
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Findings in all.
    pub fn all(&self) -> u64 {
        self.counts.values().sum()
    }
}
