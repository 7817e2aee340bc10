//! What a rebuild did with each database.

use serde::Serialize;

use crate::backup::sign::AcceptedSigners;

/// How a database is after a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseOutcome {
    /// It is there.
    There,
    /// It should be there, and is not.
    Missing,
    /// It was deleted before, so it stays away.
    Deleted,
}

/// What became of one database.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseLine {
    /// Its name.
    pub database: String,
    /// Its engine.
    pub engine: &'static str,
    /// How it is.
    pub is: DatabaseOutcome,
    /// A sentence.
    pub outcome: String,
}

/// What became of all of it.
#[derive(Debug, Clone, Serialize)]
pub struct RebuildReport {
    /// Where mydb_admin came from, as a sentence.
    pub admin_db: String,
    /// Backups that mydb_admin did not know, and that were taken into its list.
    pub taken_in: usize,
    /// Backups that were left out because this portal did not sign them.
    pub unsigned: usize,
    /// The databases.
    pub databases: Vec<DatabaseLine>,
}

/// Whom a rebuild believes.
#[derive(Clone, Copy)]
pub(crate) struct TrustedKeys<'a> {
    /// Whose signatures are this portal's.
    pub(crate) by: &'a [AcceptedSigners<'a>],
    /// Whether what is not signed is believed too.
    pub(crate) unsigned: bool,
}
