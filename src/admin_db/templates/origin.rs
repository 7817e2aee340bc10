//! What the versions of a template are imported from.

use uuid::Uuid;

/// What the versions of a template are imported from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateOrigin {
    /// A file in the directory of dumps.
    File,
    /// A database, as it is at each import.
    Database(Uuid),
    /// One snapshot of a database.
    Snapshot {
        /// The database.
        of: Uuid,
        /// The snapshot.
        id: Uuid,
    },
    /// One backup.
    Backup(Uuid),
    /// A dump in a backup target.
    Object(SourceObject),
}

/// A dump in a backup target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceObject {
    /// Name of the target.
    pub target: String,
    /// Key, without the target's prefix.
    pub key: String,
}

impl TemplateOrigin {
    /// The database that is copied, or whose snapshot is.
    pub fn database(&self) -> Option<Uuid> {
        match self {
            Self::Database(id) | Self::Snapshot { of: id, .. } => Some(*id),
            Self::File | Self::Backup(_) | Self::Object(_) => None,
        }
    }

    /// The snapshot.
    pub fn snapshot(&self) -> Option<Uuid> {
        if let Self::Snapshot { id, .. } = self { Some(*id) } else { None }
    }

    /// The backup.
    pub fn backup(&self) -> Option<Uuid> {
        if let Self::Backup(id) = self { Some(*id) } else { None }
    }

    /// The object.
    pub fn object(&self) -> Option<&SourceObject> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }
}

/// The columns of the table that say what a template is made from.
pub(super) struct OriginColumns {
    pub(super) container: Option<Uuid>,
    pub(super) snapshot: Option<Uuid>,
    pub(super) backup: Option<Uuid>,
    pub(super) target: Option<String>,
    pub(super) key: Option<String>,
}

impl From<OriginColumns> for TemplateOrigin {
    fn from(columns: OriginColumns) -> Self {
        // The table allows one of them.
        match (columns.container, columns.snapshot, columns.backup, columns.target.zip(columns.key)) {
            (Some(of), Some(id), _, _) => Self::Snapshot { of, id },
            (Some(id), None, _, _) => Self::Database(id),
            (None, _, Some(id), _) => Self::Backup(id),
            (None, _, None, Some((target, key))) => Self::Object(SourceObject { target, key }),
            (None, _, None, None) => Self::File,
        }
    }
}
