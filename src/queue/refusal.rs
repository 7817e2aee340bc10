//! Reasons for rejecting a request, worded for the person who made it.

use crate::admin_db::containers::states::TransitionError;
use crate::domain::state::ContainerState;

/// The reason a request was rejected. Variants that carry a string contain the complete sentence.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Another existing database has this name.
    #[error("A database with this name already exists.")]
    NameTaken,
    /// The owner has reached the maximum number of databases. Contains a sentence.
    #[error("{0}")]
    TooMany(String),
    /// The owner's databases would together exceed the quota. Contains a sentence.
    #[error("{0}")]
    OverQuota(String),
    /// The new owner already has a database of the same name from the same template.
    #[error(
        "{0} already has a database of the same name from the same template. Choose another owner, or delete one of \
         the two."
    )]
    SameInstance(String),
    /// The owner may not use the storage tier. Contains a sentence.
    #[error("{0}")]
    TierRefused(String),
    /// All ports of the configured range are in use.
    #[error("All database ports are in use. An administrator can extend the range (databases.port_max).")]
    NoPort,
    /// Another job of the database is running.
    #[error("Another operation on this database is running. Wait until it is finished.")]
    Busy,
    /// The current state does not allow the request.
    #[error("This is not possible while the database is {}.", in_sentence(*.0))]
    State(ContainerState),
    /// The database was deleted permanently in the meantime.
    #[error("This database no longer exists.")]
    Gone,
    /// No backup target is configured.
    #[error("No backup target is configured. Ask an administrator to add one.")]
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
    /// The snapshot is not complete, or was deleted.
    #[error("This snapshot is not complete or no longer exists.")]
    NoSuchSnapshot,
    /// The database is not a clone.
    #[error("This database is not a clone.")]
    NoClone,
    /// Another template has this name.
    #[error("Another template has this name.")]
    TemplateNameTaken,
    /// The template was deleted.
    #[error("This template no longer exists.")]
    NoSuchTemplate,
    /// The template has no complete version.
    #[error("This template has no complete version yet. Its dump is being imported, or could not be imported.")]
    TemplateEmpty,
    /// A dump cannot become a template, or a name is invalid. Contains a sentence.
    #[error("{0}")]
    Template(String),
    /// Invalid values by field, each with a sentence.
    #[error("{}", sentences(.0))]
    Fields(Vec<(String, String)>),
    /// The source of a clone no longer exists.
    #[error("The source of this clone no longer exists.")]
    NoSource,
    /// The source of a clone belongs to another person than the clone.
    #[error(
        "The source of this clone belongs to somebody else now, so its data can no longer be copied. The clone keeps its \
         data and can be reset."
    )]
    SourceOfOther,
    /// The data that a clone had at first was not kept.
    #[error(
        "This clone cannot be reset: no copy of its original data was kept, because its storage cannot share data between \
         copies. You can refresh it. A clone made from a snapshot can be reset."
    )]
    NoOrigin,
    /// An error of mydb_admin.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
    /// A secret could not be encrypted.
    #[error(transparent)]
    Seal(#[from] anyhow::Error),
}

impl From<TransitionError> for RequestError {
    fn from(e: TransitionError) -> Self {
        match e {
            TransitionError::Refused(state) => Self::State(state),
            TransitionError::Gone => Self::Gone,
            TransitionError::Db(e) => Self::Db(e),
        }
    }
}

/// Invalid values in one line.
fn sentences(faults: &[(String, String)]) -> String {
    faults.iter().map(|(field, why)| format!("{field}: {why}")).collect::<Vec<_>>().join(" ")
}

/// A state as part of a sentence.
fn in_sentence(state: ContainerState) -> &'static str {
    match state {
        ContainerState::Requested | ContainerState::Provisioning => "being created",
        ContainerState::Deleting => "being deleted",
        ContainerState::Trashed => "in the trash",
        ContainerState::Purged => "deleted permanently",
        ContainerState::Running | ContainerState::Stopped | ContainerState::Failed => state.as_str(),
    }
}

/// Whether a database has settled in a state in which it can be backed up, copied or replaced.
///
/// # Errors
/// [`RequestError::State`], or [`RequestError::Gone`] if it has no state.
pub fn settled(state: Option<ContainerState>) -> Result<(), RequestError> {
    match state.ok_or(RequestError::Gone)? {
        ContainerState::Running | ContainerState::Stopped => Ok(()),
        state => Err(RequestError::State(state)),
    }
}

impl RequestError {
    /// `who` has reached the maximum number of databases, of which `templates` are templates.
    pub fn too_many(who: &str, most: i64, templates: i64) -> Self {
        let count = match templates {
            0 => String::new(),
            1 => " A template made from a database counts as one.".to_owned(),
            n => format!(" {n} templates made from databases count."),
        };
        Self::TooMany(format!("{who} already has the maximum number of databases ({most}).{count}"))
    }
}
