//! The kinds of notices.

/// The kinds of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// A test restore failed.
    DrillFailed,
    /// A backup failed.
    BackupFailed,
    /// A due backup was not made in time.
    BackupMissed,
    /// A restored database differs from its backup.
    RestoreDiffers,
    /// The kernel ended a process of the server that exceeded the memory limit.
    OutOfMemory,
    /// The server could not have the cores it is pinned to.
    CoresChanged,
    /// A database expires soon.
    ExpiresSoon,
    /// A template could not be imported.
    ImportFailed,
    /// The dump of a template is missing or cannot be imported.
    DumpUnusable,
    /// The directory of dumps, or a dump that belongs to no template, cannot be read.
    DumpsUnusable,
}

impl NoticeKind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::DrillFailed,
        Self::BackupFailed,
        Self::BackupMissed,
        Self::RestoreDiffers,
        Self::OutOfMemory,
        Self::CoresChanged,
        Self::ExpiresSoon,
        Self::ImportFailed,
        Self::DumpUnusable,
        Self::DumpsUnusable,
    ];

    /// Whether it is about a problem. The expiry of a database is not.
    pub fn is_problem(self) -> bool {
        self != Self::ExpiresSoon
    }

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DrillFailed => "drill_failed",
            Self::BackupFailed => "backup_failed",
            Self::BackupMissed => "backup_missed",
            Self::RestoreDiffers => "restore_differs",
            Self::OutOfMemory => "out_of_memory",
            Self::CoresChanged => "cores_changed",
            Self::ExpiresSoon => "expires_soon",
            Self::ImportFailed => "import_failed",
            Self::DumpUnusable => "dump_unusable",
            Self::DumpsUnusable => "dumps_unusable",
        }
    }

    /// Whether it is about backups.
    pub fn is_about_backups(self) -> bool {
        !matches!(
            self,
            Self::OutOfMemory | Self::CoresChanged | Self::ImportFailed | Self::DumpUnusable | Self::DumpsUnusable
        )
    }
}
