//! Reasons for rejecting a request, worded for the person who made it.

use crate::domain::state::ContainerState;

/// The reason a request was rejected. Variants that carry a string contain the complete sentence.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Another existing database has this name.
    #[error("A database with this name already exists.")]
    NameTaken,
    /// The owner has reached the maximum number of databases.
    #[error("{0} already has the maximum number of databases ({1}).")]
    TooMany(String, i64),
    /// The owner's databases would together exceed the quota. Contains a sentence.
    #[error("{0}")]
    OverQuota(String),
    /// All ports of the configured range are in use.
    #[error("All database ports are in use. An administrator can extend the range (databases.port_max).")]
    NoPort,
    /// Another job of the database is running.
    #[error("Another operation on this database is running. Wait until it is finished.")]
    Busy,
    /// The current state does not allow the request.
    #[error("This is not possible while the database is {0}.")]
    State(ContainerState),
    /// The database was deleted permanently in the meantime.
    #[error("This database no longer exists.")]
    Gone,
    /// No backup target is configured.
    #[error("No backup target is configured. An administrator can add one ([[target]]).")]
    NoTarget,
    /// The portal cannot back up this engine yet.
    #[error("Backups of {0} are not supported yet.")]
    NoBackup(&'static str),
    /// The backup cannot be restored: it is incomplete or no longer stored.
    #[error("This backup cannot be restored: it is incomplete or no longer in its target.")]
    NoSuchBackup,
    /// The requested part of the backup cannot be restored on its own. Contains a sentence.
    #[error("{0}")]
    NotAlone(String),
    /// The backup is encrypted and the portal does not have the key.
    #[error(
        "This backup is encrypted and the portal does not have the key. An administrator can provide one \
         (backups.identity_file) or restore manually as described in the backup’s RESTORE.txt."
    )]
    NeedsKey,
    /// An upgrade transfers the data through a backup, which would be encrypted with a key that the portal does not
    /// have.
    #[error(
        "An upgrade transfers the data through a backup. Backups are encrypted here and the portal does not have the \
         key. An administrator can provide one (backups.identity_file)."
    )]
    UpgradeNeedsKey,
    /// The backup was made by another engine, or by a later version than the server's.
    #[error("This backup cannot be restored in place, because {0} cannot read it. Restore it to a new database.")]
    OtherVersion(String),
    /// The portal does not support this upgrade.
    #[error(
        "This database cannot be upgraded to {0}. You can upgrade only PostgreSQL and MariaDB, and only to a later \
         available version."
    )]
    NoUpgrade(String),
    /// The image that the backup was made with is no longer in the catalog.
    #[error(
        "The image {0} that this backup was made with is no longer in the catalog. An administrator can add it again."
    )]
    NoImage(String),
    /// An error of mydb_admin.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    /// A secret could not be encrypted.
    #[error(transparent)]
    Seal(#[from] anyhow::Error),
}
