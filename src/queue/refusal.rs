//! Why a request is turned down, in sentences for whoever asked.

use crate::domain::state::ContainerState;

/// Why a request was turned down.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The name belongs to a living container.
    #[error("A database with this name already exists.")]
    NameTaken,
    /// The owner has as many as they may.
    #[error("{0} already has the maximum number of databases ({1}).")]
    TooMany(String, i64),
    /// The owner's databases together would take more than they may; a sentence.
    #[error("{0}")]
    OverQuota(String),
    /// All ports of the range are taken.
    #[error("All database ports are in use. An administrator can extend the range (databases.port_max).")]
    NoPort,
    /// A job is under way.
    #[error("Another operation on this database is running. Wait until it is finished.")]
    Busy,
    /// The present state does not allow it.
    #[error("This is not possible while the database is {0}.")]
    State(ContainerState),
    /// It was purged meanwhile.
    #[error("This database no longer exists.")]
    Gone,
    /// No target is configured.
    #[error("No backup target is configured. An administrator can add one ([[target]]).")]
    NoTarget,
    /// The engine has no backups yet.
    #[error("Backups of {0} are not supported yet.")]
    NoBackup(&'static str),
    /// It is not there to be restored.
    #[error("This backup cannot be restored: it is incomplete or no longer in its target.")]
    NoSuchBackup,
    /// Not what can be taken out of a backup by itself.
    #[error("{0}")]
    NotAlone(String),
    /// It is encrypted, and nothing here opens it.
    #[error(
        "This backup is encrypted and the portal does not have the key. An administrator can provide one \
         (backups.identity_file) or restore manually as described in the backup’s RESTORE.txt."
    )]
    NeedsKey,
    /// An upgrade brings the data over by a backup, which would be encrypted.
    #[error(
        "An upgrade transfers the data through a backup. Backups are encrypted here and the portal does not have the \
         key. An administrator can provide one (backups.identity_file)."
    )]
    UpgradeNeedsKey,
    /// It is of another engine, or of a later version than the server's.
    #[error("This backup cannot be restored in place, because {0} cannot read it. Restore it to a new database.")]
    OtherVersion(String),
    /// Not an upgrade that the portal can do.
    #[error(
        "This database cannot be upgraded to {0}. You can upgrade only PostgreSQL and MariaDB, and only to a later \
         available version."
    )]
    NoUpgrade(String),
    /// The image of then is not on offer any more.
    #[error(
        "The image {0} that this backup was made with is no longer in the catalog. An administrator can add it again."
    )]
    NoImage(String),
    /// The database's.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    /// A secret could not be sealed.
    #[error(transparent)]
    Seal(#[from] anyhow::Error),
}
