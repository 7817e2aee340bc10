//! How an engine's data is dumped, listed, restored, counted and checked: descriptions, like the rest of an engine.
//!
//! What a command reports about its dump goes to standard error, as lines that begin with [`MARK`] and go on in JSON;
//! all else there is for people. Standard output is the dump and nothing else. Commands that dump nothing report on
//! standard output, and their standard error is for people only.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::definition::{DefinitionSplitter, ReportedDefinition};
use crate::engine::part::{Count, DumpMode, NEO4J_DATABASE, Part};
use crate::engine::partial::{RestoreAsCopy, RestoreStage, Selection, SmallestPart, StageInput};
use crate::engine::spec::{ExecSpec, ServerSpec, Tool};

/// Begins the lines that the portal reads in a command's standard error.
pub const MARK: &str = "db4sci: ";

/// Common to the dump scripts: sums what a command prints, inside the container. See `backup/lib.sh`.
pub(super) const LIB: &str = include_str!("backup/lib.sh");

/// A dump script for sh: `dumped COMMAND…` prints what the command prints, and reports its sum.
pub fn dump_script(text: &str) -> String {
    format!("{LIB}{text}")
}

/// What is in a server that has to be in its backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// The server's version, in its own words.
    pub version: String,
    /// Databases to be dumped, in order.
    pub databases: Vec<String>,
    /// What else a person who restores should know: settings, extensions, encodings.
    pub facts: serde_json::Value,
}

/// What the container itself computed over a dump before it left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpSum {
    /// Exit code of the program that dumped.
    pub code: i64,
    /// SHA-256 of what it printed, in hexadecimal.
    pub sha256: String,
}

/// What a server answers that writes JSON itself: a row of kind, name and what there is to say, with whatever else.
#[derive(Deserialize)]
struct JsonAnswer<T> {
    row: (String, String, T),
}

/// Reads a count of a server with one database.
fn counted<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Count, D::Error> {
    let JsonAnswer { row: (kind, name, rows) } = JsonAnswer::deserialize(from)?;
    Ok(Count { database: NEO4J_DATABASE.to_owned(), kind, name, rows, fingerprint: None })
}

/// Reads what defines an object of such a server; its users belong to no database.
fn defined<'de, D: serde::Deserializer<'de>>(from: D) -> Result<ReportedDefinition, D::Error> {
    let JsonAnswer { row: (kind, name, text) } = JsonAnswer::<String>::deserialize(from)?;
    let database = if kind == "user" { "" } else { NEO4J_DATABASE };
    Ok(ReportedDefinition::new(database, kind, name, text))
}

/// A line that a command reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportLine {
    /// Over the whole dump; exactly one.
    Sum(DumpSum),
    /// A count.
    Count(Count),
    /// What defines an object.
    Definition(ReportedDefinition),
    /// A count as a server answered it.
    #[serde(deserialize_with = "counted")]
    Counted(Count),
    /// What defines an object, as a server answered it.
    #[serde(deserialize_with = "defined")]
    Defined(ReportedDefinition),
    /// Something the manifest should say.
    Note(String),
    /// Why the counts are not those of the very moment of the dump; a remark too.
    Inexact(String),
    /// Something a check found wrong.
    Fault(String),
}

impl ReportLine {
    /// Reads a line of standard error; `None` for one that is for people.
    pub fn read(line: &str) -> Option<Result<Self, String>> {
        let json = line.strip_prefix(MARK)?;
        Some(
            serde_json::from_str(json)
                .map_err(|e| format!("The container reported “{}”, which cannot be parsed: {e}.", beginning(json))),
        )
    }
}

/// As much of a line as a sentence shows.
fn beginning(line: &str) -> &str {
    line.get(..line.floor_char_boundary(200)).unwrap_or(line)
}

/// A dump that somebody brings, to be loaded as the user of the database.
pub struct LoadPlan<'a> {
    /// Whether it is an archive, not statements.
    pub archive: bool,
    /// The user's password.
    pub password: &'a SecretString,
    /// A word with which the tool's own commands are locked while statements of others are read.
    pub lock: &'a str,
    /// The database in the dump that is wanted, where a dump may have several.
    pub source: Option<&'a str>,
    /// The database of the server that it goes into.
    pub database: &'a str,
}

/// Who runs tools on what others wrote: nobody. It can read no file of the server's and be no user of it without a
/// password.
pub(super) const NOBODY: &str = "65534:65534";

/// How an engine is backed up.
pub trait EngineBackup: Sync {
    /// When a dump that somebody brings is loaded.
    fn load_mode(&self) -> DumpMode {
        DumpMode::Running
    }
    /// Programs that this needs in the image, besides those of [`crate::engine::description::Engine::tools`].
    fn load_tools(&self) -> &'static [Tool] {
        &[]
    }
    /// A command that reads a dump which somebody brings and puts it into the user's database, going on after what
    /// fails.
    fn load(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> ExecSpec;
    /// A command that makes the database `load.database`, beside the first, as its user. `None`: a user has only one.
    fn create_extra_database(&self, _plan: &ServerSpec<'_>, _load: &LoadPlan<'_>) -> Option<ExecSpec> {
        None
    }
    /// Whether that command came to the dump's end, by its exit code and its words that are about no statement.
    fn loaded(&self, code: i64, _words: &str) -> bool {
        code == 0
    }
    /// When its data is dumped and put back. What is dumped while the server is stopped is dumped from a copy, and has the
    /// accounts in it, the administrator's too.
    fn dump_mode(&self) -> DumpMode {
        DumpMode::Running
    }
    /// When it is checked.
    fn check_mode(&self) -> DumpMode {
        DumpMode::Running
    }
    /// A command that gives the administrator, whose account came with the data, another password. Only for engines
    /// whose data moves while the server is stopped.
    fn adopt(&self, _plan: &ServerSpec<'_>, _password: &SecretString) -> Option<ExecSpec> {
        None
    }
    /// Programs it needs in the image, besides those of [`crate::engine::description::Engine::tools`].
    fn tools(&self) -> &'static [Tool];
    /// A command that prints an [`Inventory`] as JSON.
    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// The parts of a backup of this.
    fn parts(&self, inventory: &Inventory) -> Vec<Part>;
    /// A command that prints the dump of a part, and reports its sum and the counts of the same moment.
    fn dump(&self, plan: &ServerSpec<'_>, part: &Part, fingerprints: bool) -> ExecSpec;
    /// Words in the last lines of a part's dump, where it has such.
    fn end_mark(&self, _part: &Part) -> Option<&'static str> {
        None
    }
    /// Whether the counts are of the very moment of the dump.
    fn exact_counts(&self) -> bool;
    /// A command that reads the beginning of a part's dump, or all of it, and fails if it is not one. `DB4SCI_WHOLE` in
    /// its environment is 1 if it gets all of it.
    fn list(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec;
    /// A command that reads a part's dump and puts it into a server that has nothing of it yet, or of an attempt cut short.
    fn restore(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec;
    /// The same as commands that run one after the other, where one is not enough.
    fn restore_stages(&self, plan: &ServerSpec<'_>, part: &Part) -> Vec<RestoreStage> {
        vec![RestoreStage::new(StageInput::All, self.restore(plan, part))]
    }
    /// Commands for a second attempt, after the first has failed: they put back what can be put back, whatever it refers to,
    /// and report by name what can't. Each with the place of its part in `parts`, which are all that are wanted: of a whole
    /// backup, or of one database of it.
    fn second_attempt(
        &self,
        _plan: &ServerSpec<'_>,
        _parts: &[Part],
        _only: Option<&Selection>,
    ) -> Vec<(usize, RestoreStage)> {
        Vec::new()
    }
    /// A command that ends a restore into a new server, once all parts are back.
    fn settle(&self, _plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        None
    }
    /// A command that reports, as faults, who may do more in a running server than the owner of its database. For engines
    /// whose accounts come with the data; where commands make them, those look for themselves.
    fn gained(&self, _plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        None
    }
    /// A command that reports the counts of a database.
    fn count(&self, plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec;
    /// A command that reports the definitions of a database, or with `None` those of the whole server, as
    /// [`definition`](super::definition) says. No command: the engine does not tell, and nothing is compared.
    ///
    /// The dump reports the same by itself, of the same moment: that of a part with a database those of the database, one
    /// that of a part without any those of the whole server. Only what is dumped while the server is stopped is asked
    /// with this command instead, while the server runs on the copy.
    fn definitions(&self, _plan: &ServerSpec<'_>, _database: Option<&str>) -> Option<ExecSpec> {
        None
    }
    /// Reads the lines that begin with [`SQL_MARK`](super::definition::SQL_MARK), where the commands print such.
    fn split(&self, _plan: &ServerSpec<'_>, _database: Option<&str>) -> Option<Box<dyn DefinitionSplitter>> {
        None
    }
    /// A database that is in every backup of this server. A dump without it is no backup. None where the server has a
    /// database only while something is in it.
    fn own_database<'a>(&self, plan: &'a ServerSpec<'_>) -> Option<&'a str> {
        Some(plan.dbname.as_str())
    }
    /// A command that runs the engine's own checks on a database, and reports what is wrong.
    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec;
    /// The smallest thing that can be restored by itself.
    fn smallest_part(&self) -> SmallestPart {
        SmallestPart::Nothing
    }
    /// Whether a database of a backup is the server's own, so that it is of no use by itself.
    fn is_servers_own(&self, _database: &str) -> bool {
        false
    }
    /// Commands that restore what is wanted of a part into a server that has nothing of it yet.
    fn restore_only(&self, plan: &ServerSpec<'_>, part: &Part, only: &Selection) -> Vec<RestoreStage> {
        let wanted = part.database.as_ref().is_none_or(|database| *database == only.database);
        if wanted { self.restore_stages(plan, part) } else { Vec::new() }
    }
    /// A command that removes from a server what came with the wanted but does not belong to it. `others` are the other
    /// databases of the backup.
    fn keep_only(&self, _plan: &ServerSpec<'_>, _only: &Selection, _others: &[String]) -> Option<ExecSpec> {
        None
    }
    /// How it is put beside what a running server has.
    fn restore_as_copy(&self) -> Option<&'static dyn RestoreAsCopy> {
        None
    }
    /// How a person restores a part without this portal: lines of a shell script, `$file` being the dump.
    fn by_hand(&self, part: &Part) -> Vec<String>;
    /// The same for what has to be done once all parts are back.
    fn by_hand_end(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_told_from_words_for_people() {
        assert_eq!(ReportLine::read("pg_dump: error: no"), None);
        let sum = ReportLine::read(r#"db4sci: {"sum":{"code":0,"sha256":"ab"}}"#).unwrap().unwrap();
        assert_eq!(sum, ReportLine::Sum(DumpSum { code: 0, sha256: "ab".to_owned() }));
        let line = r#"db4sci: {"counted":{"row":["label","a\"},{\"row\":[\n",7],"meta":[null]}}"#;
        let Some(Ok(ReportLine::Counted(count))) = ReportLine::read(line) else { panic!("{line}") };
        assert_eq!((count.database.as_str(), count.name.as_str(), count.rows), ("neo4j", "a\"},{\"row\":[\n", 7));
        assert!(ReportLine::read(r#"db4sci: {"counted":{"row":["label","x","7"]}}"#).is_some_and(|r| r.is_err()));
        let line = r#"db4sci: {"count":{"database":"d","kind":"table","name":"public.\"a\nb\"","rows":3}}"#;
        assert!(
            matches!(ReportLine::read(line), Some(Ok(ReportLine::Count(c))) if c.rows == 3 && c.name.contains('\n'))
        );
        let line = r#"db4sci: {"defined":{"row":["index","i","CREATE INDEX i"],"meta":[null]}}"#;
        assert!(matches!(ReportLine::read(line), Some(Ok(ReportLine::Defined(d))) if d.clone().definition().is_ok()));
        let line = r#"db4sci: {"definition":{"database":"d","kind":"view","name":"v","text":"SELECT 1"}}"#;
        assert!(
            matches!(ReportLine::read(line), Some(Ok(ReportLine::Definition(d))) if d.clone().definition().is_ok())
        );
        assert!(matches!(ReportLine::read("db4sci: {\"sum\":{\"code\":0"), Some(Err(_))));
    }
}
