//! The outcome of a rebuild for each database.

use serde::Serialize;

use crate::backup::sign::AcceptedSigners;

/// State of a database after a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseOutcome {
    /// It exists.
    There,
    /// It should exist but does not.
    Missing,
    /// It had been deleted, so it was not recovered.
    Deleted,
}

/// The outcome for one database.
#[derive(Debug, Clone, Serialize)]
pub struct DatabaseLine {
    /// Its name.
    pub database: String,
    /// Its engine.
    pub engine: &'static str,
    /// Its state.
    pub is: DatabaseOutcome,
    /// Details as a sentence.
    pub outcome: String,
}

/// The outcome of a rebuild.
#[derive(Debug, Clone, Serialize)]
pub struct RebuildReport {
    /// The source of mydb_admin, as a sentence.
    pub admin_db: String,
    /// Number of backups that mydb_admin did not know and that were registered.
    pub taken_in: usize,
    /// Number of backups skipped because this portal did not sign them.
    pub unsigned: usize,
    /// The outcome for each database.
    pub databases: Vec<DatabaseLine>,
}

/// The signatures that a rebuild accepts.
#[derive(Clone, Copy)]
pub(crate) struct TrustedKeys<'a> {
    /// Keys whose signatures count as this portal's.
    pub(crate) by: &'a [AcceptedSigners<'a>],
    /// Whether unsigned backups are accepted too.
    pub(crate) unsigned: bool,
}
