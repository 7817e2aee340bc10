//! Why a request is turned down, in sentences for whoever asked.

use crate::domain::state::ContainerState;

/// Why a request was turned down.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The name belongs to a living container.
    #[error("A database of this name exists already.")]
    NameTaken,
    /// The owner has as many as they may.
    #[error("{0} already has as many databases as one person may have ({1}).")]
    TooMany(String, i64),
    /// The owner's databases together would take more than they may; a sentence.
    #[error("{0}")]
    OverQuota(String),
    /// All ports of the range are taken.
    #[error("All ports for databases are taken. An administrator can widen the range (databases.port_max).")]
    NoPort,
    /// A job is under way.
    #[error("Something else is being done with this database. Wait until that is finished.")]
    Busy,
    /// The present state does not allow it.
    #[error("This can't be done while the database is {0}.")]
    State(ContainerState),
    /// It was purged meanwhile.
    #[error("This database is gone.")]
    Gone,
    /// No target is configured.
    #[error("No place for backups is configured. An administrator can add one ([[target]]).")]
    NoTarget,
    /// The engine has no backups yet.
    #[error("Backups of {0} are not possible yet.")]
    NoBackup(&'static str),
    /// It is not there to be restored.
    #[error("This backup can't be restored: it is not whole, or not in its target any more.")]
    NoSuchBackup,
    /// Not what can be taken out of a backup by itself.
    #[error("{0}")]
    NotAlone(String),
    /// It is encrypted, and nothing here opens it.
    #[error(
        "This backup is encrypted, and the portal does not have the key. An administrator can give it one (backups.identity_file), or restore by hand: the RESTORE.txt beside the backup says how."
    )]
    NeedsKey,
    /// An upgrade brings the data over by a backup, which would be encrypted.
    #[error(
        "An upgrade brings the data over by a backup. Those are encrypted here, and the portal does not have the key. An administrator can give it one (backups.identity_file)."
    )]
    UpgradeNeedsKey,
    /// It is of another engine, or of a later version than the server's.
    #[error("This backup can't take the place of its data: {0} can't read it. Restore it into a new database.")]
    OtherVersion(String),
    /// Not an upgrade that the portal can do.
    #[error(
        "This database can't be upgraded to {0}. Only later versions of PostgreSQL and MariaDB that are on offer can be chosen."
    )]
    NoUpgrade(String),
    /// The image of then is not on offer any more.
    #[error(
        "The image {0} that this backup was made with is no longer in the catalog. An administrator can put it back."
    )]
    NoImage(String),
    /// The database's.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    /// A secret could not be sealed.
    #[error(transparent)]
    Seal(#[from] anyhow::Error),
}
