//! The kinds of jobs, as the tables `job` and `log` name them.

/// The kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JobKind {
    /// Create a database.
    Create,
    /// Create a database from a dump.
    Load,
    /// The same for an engine that loads dumps while its server is stopped.
    LoadStopped,
    /// Start a server.
    Start,
    /// Stop a server.
    Stop,
    /// Restart a server.
    Restart,
    /// Change memory and CPU limits.
    Resize,
    /// Set a new password.
    RotatePassword,
    /// Move a database to the trash.
    Delete,
    /// Take a database out of the trash.
    Undelete,
    /// Delete a database permanently.
    Purge,
    /// Back up a database.
    Backup,
    /// Test a backup by restoring it (test restore).
    Drill,
    /// Restore to a new database.
    Restore,
    /// The same for an engine whose data is restored while its server is stopped.
    RestoreCopy,
    /// Restore in place.
    RestoreInPlace,
    /// Restore a part as a copy.
    RestoreBeside,
    /// Upgrade the server.
    Upgrade,
    /// Recover a database whose data is missing on this host.
    Recover,
    /// Switch to earlier data.
    GoBack,
    /// Remove backups that the policy does not keep.
    Prune,
    /// Delete backups of a permanently deleted database.
    RemoveBackups,
    /// Audit the backups.
    Audit,
    /// Back up mydb_admin.
    AdminBackup,
    /// Replicate backups to other targets.
    Copy,
    /// Prepare seeds: data directories initialised by an image.
    PrepareImages,
    /// Start servers in advance.
    KeepSpares,
    /// Copy the data of a database at one moment.
    Snapshot,
    /// Create a database from such a copy.
    Clone,
    /// Replace the data of a database with such a copy.
    RestoreSnapshot,
    /// Import a version of a template.
    ImportTemplate,
    /// Create a database from a template.
    FromTemplate,
}

impl JobKind {
    /// Every kind.
    pub const ALL: [Self; 32] = [
        Self::Create,
        Self::Load,
        Self::LoadStopped,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Resize,
        Self::RotatePassword,
        Self::Delete,
        Self::Undelete,
        Self::Purge,
        Self::Backup,
        Self::Drill,
        Self::Restore,
        Self::RestoreCopy,
        Self::RestoreInPlace,
        Self::RestoreBeside,
        Self::Upgrade,
        Self::Recover,
        Self::GoBack,
        Self::Prune,
        Self::RemoveBackups,
        Self::Audit,
        Self::AdminBackup,
        Self::Copy,
        Self::PrepareImages,
        Self::KeepSpares,
        Self::Snapshot,
        Self::Clone,
        Self::RestoreSnapshot,
        Self::ImportTemplate,
        Self::FromTemplate,
    ];

    /// Its word in the tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Load => "load",
            Self::LoadStopped => "load-stopped",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Resize => "resize",
            Self::RotatePassword => "rotate-password",
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::Purge => "purge",
            Self::Backup => "backup",
            Self::Drill => "drill",
            Self::Restore => "restore",
            Self::RestoreCopy => "restore-copy",
            Self::RestoreInPlace => "restore-in-place",
            Self::RestoreBeside => "restore-beside",
            Self::Upgrade => "upgrade",
            Self::Recover => "recover",
            Self::GoBack => "go-back",
            Self::Prune => "prune",
            Self::RemoveBackups => "remove-backups",
            Self::Audit => "audit",
            Self::AdminBackup => "admin-backup",
            Self::Copy => "copy",
            Self::PrepareImages => "prepare-images",
            Self::KeepSpares => "keep-spares",
            Self::Snapshot => "snapshot",
            Self::Clone => "clone",
            Self::RestoreSnapshot => "restore-snapshot",
            Self::ImportTemplate => "import-template",
            Self::FromTemplate => "from-template",
        }
    }

    /// The kind with this word; `None` for a kind of another portal version.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl std::fmt::Display for JobKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::job_kind::*;

    #[test]
    fn every_job_kind_round_trips() {
        for kind in JobKind::ALL {
            assert_eq!(JobKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(JobKind::parse("vacuum"), None);
    }
}
