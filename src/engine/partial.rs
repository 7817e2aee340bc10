//! Describes what can be restored separately from a backup: one database or one table.

use serde::{Deserialize, Serialize};

use crate::engine::part::{Count, Part};
use crate::engine::spec::{ExecSpec, ServerSpec};
use crate::sql::to_mariadb::RewriteRules;

/// The part of a backup to restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// One of the databases in the backup.
    pub database: String,
    /// One of that database's tables or collections, named as in the manifest's counts; `None` for the whole database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

impl Selection {
    /// Description for people.
    pub fn text(&self) -> String {
        match &self.table {
            Some(table) => format!("{table} in the database {}", self.database),
            None => format!("the database {}", self.database),
        }
    }

    /// Whether a count belongs to this selection.
    pub fn holds(&self, count: &Count) -> bool {
        count.database == self.database
            && self.table.as_ref().is_none_or(|table| count.kind != "object" && count.name == *table)
    }
}

/// The smallest unit that can be restored separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmallestPart {
    /// Only the whole backup.
    Nothing,
    /// A database.
    Database,
    /// A table or collection.
    Table,
}

/// How much of a dump a stage reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageInput {
    /// Nothing.
    Nothing,
    /// Its beginning, which contains a table of contents.
    Beginning,
    /// The whole dump.
    All,
}

/// How a dump is changed on its way from the target it is stored in to the command that reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transform {
    /// Not at all.
    #[default]
    AsItIs,
    /// Statements for MariaDB are rewritten so that the owner of a database can run them.
    Statements(RewriteRules),
    /// Accounts of MariaDB are parsed as data and written as statements again. Contains the administrator's name.
    Accounts(String),
    /// Server-wide records of PostgreSQL are parsed as data, in the current format or in that of older portals.
    Records {
        /// Whether they are in the format of older portals.
        older: bool,
    },
}

/// A command of a restore, and its input.
#[derive(Debug)]
pub struct RestoreStage {
    /// How much of the dump it reads.
    pub read: StageInput,
    /// The command.
    pub exec: ExecSpec,
    /// How its input is changed.
    pub through: Transform,
}

impl RestoreStage {
    /// A command that reads this much of the dump, unchanged.
    pub fn new(read: StageInput, exec: ExecSpec) -> Self {
        Self { read, exec, through: Transform::AsItIs }
    }

    /// A command that reads the whole dump, changed by `through`.
    pub fn changed(exec: ExecSpec, through: Transform) -> Self {
        Self { read: StageInput::All, exec, through }
    }
}

/// The place in a running server where a copy is restored to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyTarget<'a> {
    /// The new name: of the database, or of the schema for the table.
    pub name: &'a str,
    /// Marks the copy as created by this job.
    pub token: &'a str,
}

/// How a selection is restored as a copy into a running server, under a new name. Existing data is left unchanged.
pub trait RestoreAsCopy: Sync {
    /// The new name. `moment` consists of digits and `_`.
    fn name(&self, only: &Selection, moment: &str) -> String;
    /// Stages that restore the copy from the dump of its database. `told`: this is a second attempt after a failure, in
    /// which they restore what can be restored and report each object that cannot be restored by name.
    fn put(
        &self,
        plan: &ServerSpec<'_>,
        part: &Part,
        only: &Selection,
        to: &CopyTarget<'_>,
        told: bool,
    ) -> Vec<RestoreStage>;
    /// A command that removes what an interrupted attempt left behind.
    fn clear(&self, plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>) -> ExecSpec;
    /// A command that reports the counts of the copy.
    fn count(&self, plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>, fingerprints: bool) -> ExecSpec;
    /// The count as it would have been reported when the backup was made; `None` if it is not a count of the copy.
    fn original(&self, only: &Selection, to: &CopyTarget<'_>, count: Count) -> Option<Count>;
}
