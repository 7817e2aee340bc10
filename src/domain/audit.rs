//! The result of an audit: kinds of findings, the findings, and the report stored in mydb_admin.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kinds of problems an audit finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// No backup target is configured.
    NoTarget,
    /// A target can't be listed.
    TargetAway,
    /// There is no recent backup of mydb_admin.
    AdminDbStale,
    /// There is no recovery key, so no backup contains the portal's keys.
    NoRecoveryKey,
    /// Objects of a complete backup are missing or have a different size.
    Missing,
    /// A manifest differs from the one recorded.
    Altered,
    /// A backup has no copy in another target.
    CopyMissing,
    /// A database has no backup as recent as its policy requires.
    Stale,
    /// A backup holds much less than those before it.
    Shrunk,
    /// The last test restore failed.
    DrillFailed,
    /// The last test restore was too long ago.
    DrillOverdue,
    /// The engine can't be backed up.
    Impossible,
    /// Backups are not signed by this portal: a rebuild does not use them automatically.
    Unsigned,
    /// Objects that belong to no recorded backup.
    Unknown,
}

impl FindingKind {
    /// Every kind, the most severe first.
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

    /// Its word in metrics.
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

    /// A short label for people.
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

    /// Whether data may be at risk. The other kinds only need attention.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::DrillOverdue | Self::Impossible | Self::Unsigned | Self::Unknown)
    }
}

/// How long an audit counts as current: a day, and the time that the next one takes.
const CURRENT: Duration = Duration::hours(25);

/// Whether an audit of this time is still current.
pub fn is_current(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now - at <= CURRENT
}

/// One problem found by an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The kind of problem.
    pub kind: FindingKind,
    /// Name of the database concerned, if any.
    pub container: Option<String>,
    /// The backup concerned, if any.
    pub backup: Option<Uuid>,
    /// The description, one or two sentences.
    pub text: String,
}

/// The state of a target during the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedTarget {
    /// Name of the target.
    pub target: String,
    /// Number of objects of this portal in the target.
    pub objects: u64,
    /// Total size of these objects in bytes.
    pub bytes: u64,
    /// Why the target could not be listed.
    pub error: Option<String>,
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// When the audit started.
    pub at: DateTime<Utc>,
    /// Number of databases checked.
    pub databases: usize,
    /// Number of complete backups checked.
    pub backups: usize,
    /// The targets.
    pub places: Vec<AuditedTarget>,
    /// Number of findings of each kind.
    pub counts: BTreeMap<FindingKind, u64>,
    /// The findings, the most severe first; truncated if there are very many.
    pub findings: Vec<Finding>,
}

impl AuditReport {
    /// Total number of findings.
    pub fn all(&self) -> u64 {
        self.counts.values().sum()
    }
}
