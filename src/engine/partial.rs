//! What can be taken out of a backup by itself: one database, one table. Descriptions, like the rest of an engine.

use serde::{Deserialize, Serialize};

use crate::engine::part::{Count, Part};
use crate::engine::spec::{ExecSpec, ServerSpec};
use crate::sql::to_mariadb::RewriteRules;

/// What is wanted of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// One of its databases.
    pub database: String,
    /// One of that database's tables or collections, as the manifest's counts name it; all of it if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
}

impl Selection {
    /// For people.
    pub fn text(&self) -> String {
        match &self.table {
            Some(table) => format!("{table} in the database {}", self.database),
            None => format!("the database {}", self.database),
        }
    }

    /// Whether this is a count of it.
    pub fn holds(&self, count: &Count) -> bool {
        count.database == self.database
            && self.table.as_ref().is_none_or(|table| count.kind != "object" && count.name == *table)
    }
}

/// The smallest thing that can be restored by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmallestPart {
    /// Nothing but the whole.
    Nothing,
    /// A database.
    Database,
    /// A table or collection.
    Table,
}

/// How much of a dump a command reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageInput {
    /// Nothing.
    Nothing,
    /// Its beginning, where a table of contents is.
    Beginning,
    /// All of it.
    All,
}

/// What happens to a dump on its way from its store into a command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Transform {
    /// Nothing.
    #[default]
    AsItIs,
    /// Statements of MariaDB are changed so that an owner can run them.
    Statements(RewriteRules),
    /// Accounts of MariaDB are read as data, and become statements again. The name of the administrator.
    Accounts(String),
    /// What belongs to a whole server of PostgreSQL is read as data, in the form of older portals too.
    Records {
        /// Whether it is of that form.
        older: bool,
    },
}

/// A command, with what it reads of a dump.
#[derive(Debug)]
pub struct RestoreStage {
    /// How much.
    pub read: StageInput,
    /// The command.
    pub exec: ExecSpec,
    /// What happens to what it reads.
    pub through: Transform,
}

impl RestoreStage {
    /// A command that reads so much.
    pub fn new(read: StageInput, exec: ExecSpec) -> Self {
        Self { read, exec, through: Transform::AsItIs }
    }

    /// A command that reads all of it, changed on its way.
    pub fn changed(exec: ExecSpec, through: Transform) -> Self {
        Self { read: StageInput::All, exec, through }
    }
}

/// Where something is put beside what a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyTarget<'a> {
    /// The new name: of the database, or of the schema that the table gets into.
    pub name: &'a str,
    /// What marks it as the work of this job.
    pub token: &'a str,
}

/// How something is put beside what a running server has, under another name. Nothing that is there is touched.
pub trait RestoreAsCopy: Sync {
    /// The new name; `moment` consists of digits and `_`.
    fn name(&self, only: &Selection, moment: &str) -> String;
    /// Commands that put it there, from the dump of its database. `told`: in a second attempt, after the first has failed;
    /// they put back what can be put back, and report by name what can't.
    fn put(
        &self,
        plan: &ServerSpec<'_>,
        part: &Part,
        only: &Selection,
        to: &CopyTarget<'_>,
        told: bool,
    ) -> Vec<RestoreStage>;
    /// A command that removes what an attempt cut short has left.
    fn clear(&self, plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>) -> ExecSpec;
    /// A command that reports the counts of it.
    fn count(&self, plan: &ServerSpec<'_>, only: &Selection, to: &CopyTarget<'_>, fingerprints: bool) -> ExecSpec;
    /// A count of it as it would have been reported where the backup was made; `None`: it is of something else.
    fn original(&self, only: &Selection, to: &CopyTarget<'_>, count: Count) -> Option<Count>;
}
