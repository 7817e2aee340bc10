//! Describes how an engine's data is dumped, listed, restored, counted and checked. It runs nothing itself.
//!
//! A command that dumps writes only the dump to standard output. It reports to the portal on standard error, in lines
//! that begin with [`MARK`] followed by JSON; all other lines there are for people. A command that does not dump
//! reports on standard output, and its standard error is for people only.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::definition::{DefinitionSplitter, ReportedDefinition};
use crate::engine::documents::Documents;
use crate::engine::part::{Count, DumpMode, NEO4J_DATABASE, Part};
use crate::engine::partial::{RestoreAsCopy, RestoreStage, Selection, SmallestPart, StageInput};
use crate::engine::spec::{ExecSpec, ServerSpec, Tool};

/// Prefix of the lines in a command's standard error that are reports to the portal.
pub const MARK: &str = "db4sci: ";

/// Shared by the dump scripts: computes the checksum of a command's output inside the container. See `backup/lib.sh`.
pub(super) const LIB: &str = include_str!("backup/lib.sh");

/// A dump script for sh, in which `dumped COMMAND…` passes on the output of the command and reports its checksum.
pub fn dump_script(text: &str) -> String {
    format!("{LIB}{text}")
}

/// The contents of a server that its backup must contain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// The server's version, as it reports it.
    pub version: String,
    /// Databases to be dumped, in order.
    pub databases: Vec<String>,
    /// Further facts that matter to a person who restores: settings, extensions, encodings.
    pub facts: serde_json::Value,
}

/// The checksum of a dump, computed in the container before the dump left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DumpSum {
    /// Exit code of the dump program.
    pub code: i64,
    /// SHA-256 of its output, in hexadecimal.
    pub sha256: String,
}

/// A response of a server that writes JSON itself: a row of kind, name and value. Other fields are ignored.
#[derive(Deserialize)]
struct JsonAnswer<T> {
    row: (String, String, T),
}

/// Reads a count from a server with a single database.
fn counted<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Count, D::Error> {
    let JsonAnswer { row: (kind, name, rows) } = JsonAnswer::deserialize(from)?;
    Ok(Count { database: NEO4J_DATABASE.to_owned(), kind, name, rows, fingerprint: None })
}

/// Reads a definition from such a server. Its users belong to no database.
fn defined<'de, D: serde::Deserializer<'de>>(from: D) -> Result<ReportedDefinition, D::Error> {
    let JsonAnswer { row: (kind, name, text) } = JsonAnswer::<String>::deserialize(from)?;
    let database = if kind == "user" { "" } else { NEO4J_DATABASE };
    Ok(ReportedDefinition::new(database, kind, name, text))
}

/// A report of a command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportLine {
    /// The checksum of the whole dump; reported exactly once.
    Sum(DumpSum),
    /// A count.
    Count(Count),
    /// The definition of an object.
    Definition(ReportedDefinition),
    /// A count in the server's own format.
    #[serde(deserialize_with = "counted")]
    Counted(Count),
    /// The definition of an object in the server's own format.
    #[serde(deserialize_with = "defined")]
    Defined(ReportedDefinition),
    /// A remark for the manifest.
    Note(String),
    /// The reason why the counts were not taken at the moment of the dump; also a remark for the manifest.
    Inexact(String),
    /// A problem found by a check.
    Fault(String),
    /// Why the dump cannot be used although a later one can succeed.
    Again(String),
    /// What was altered while it was dumped, so that the definitions and counts may not be those of the dump.
    Altered(String),
}

impl ReportLine {
    /// Parses a line of standard error. Returns `None` if the line is for people.
    pub fn read(line: &str) -> Option<Result<Self, String>> {
        let json = line.strip_prefix(MARK)?;
        Some(
            serde_json::from_str(json)
                .map_err(|e| format!("The container reported “{}”, which cannot be parsed: {e}.", beginning(json))),
        )
    }
}

/// The part of a line that fits into an error message.
fn beginning(line: &str) -> &str {
    line.get(..line.floor_char_boundary(200)).unwrap_or(line)
}

/// In which form a dump arrives at the tool that loads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadForm {
    /// Statements.
    Statements,
    /// An archive.
    Archive,
    /// A tar archive of a directory that the tool reads.
    Directory,
}

/// How to load an uploaded dump, as the user of the database.
pub struct LoadPlan<'a> {
    /// In which form it arrives.
    pub form: LoadForm,
    /// The user's password.
    pub password: &'a SecretString,
    /// A random word that disables the client's own commands while it reads statements written by others.
    pub lock: &'a str,
    /// The database to load, if the dump may contain several.
    pub source: Option<&'a str>,
    /// The database on the server to load it into.
    pub database: &'a str,
}

/// `uid:gid` for tools that process untrusted input. It cannot read the server's files, and cannot sign in to the
/// server without a password.
pub(super) const NOBODY: &str = "65534:65534";

/// A command that reports definitions.
pub struct DefinitionsCommand<'a> {
    /// The databases whose definitions it reports; `None` stands for the whole server.
    pub databases: Vec<Option<&'a str>>,
    /// The command.
    pub exec: ExecSpec,
    /// The parser of lines that begin with [`SQL_MARK`](super::definition::SQL_MARK), if it prints such lines.
    pub split: Option<Box<dyn DefinitionSplitter>>,
}

/// How an engine is backed up.
pub trait EngineBackup: Sync {
    /// When an uploaded dump is loaded.
    fn load_mode(&self) -> DumpMode {
        DumpMode::Running
    }
    /// Programs in the image that loading requires, besides [`crate::engine::description::Engine::tools`].
    fn load_tools(&self) -> &'static [Tool] {
        &[]
    }
    /// A command that reads an uploaded dump and loads it into the user's database, continuing after statements that
    /// fail.
    fn load(&self, plan: &ServerSpec<'_>, load: &LoadPlan<'_>) -> ExecSpec;
    /// A command that creates `load.database`, in addition to the first database, as its user. `None` if a user can
    /// have only one database.
    fn create_extra_database(&self, _plan: &ServerSpec<'_>, _load: &LoadPlan<'_>) -> Option<ExecSpec> {
        None
    }
    /// A conversation that loads documents into `load.database`, as the user of the database. `None` if the engine stores no
    /// documents.
    fn load_documents(&self, _plan: &ServerSpec<'_>, _load: &LoadPlan<'_>, _documents: Documents) -> Option<ExecSpec> {
        None
    }
    /// A command that runs a script from its standard input as the user of the database, and ends at its first error.
    /// `None` if scripts of the engine are loaded like dumps.
    fn script(&self, _plan: &ServerSpec<'_>, _password: &SecretString) -> Option<ExecSpec> {
        None
    }
    /// Whether the load command read the whole dump, judged by its exit code and its messages that concern no
    /// statement.
    fn loaded(&self, code: i64, _words: &str) -> bool {
        code == 0
    }
    /// When the data is dumped and restored. If the server is stopped for a dump, the dump is taken from a frozen copy
    /// and contains the accounts, including the administrator's.
    fn dump_mode(&self) -> DumpMode {
        DumpMode::Running
    }
    /// When the data is checked.
    fn check_mode(&self) -> DumpMode {
        DumpMode::Running
    }
    /// A command that sets a new password for the administrator, whose account came with the data. Only for engines
    /// that are restored while the server is stopped.
    fn adopt(&self, _plan: &ServerSpec<'_>, _password: &SecretString) -> Option<ExecSpec> {
        None
    }
    /// Programs in the image that backups require, besides [`crate::engine::description::Engine::tools`].
    fn tools(&self) -> &'static [Tool];
    /// A command that prints an [`Inventory`] as JSON.
    fn inventory(&self, plan: &ServerSpec<'_>) -> ExecSpec;
    /// The parts of a backup of a server with this inventory.
    fn parts(&self, inventory: &Inventory) -> Vec<Part>;
    /// A command that prints the dump of a part, and reports its checksum and the counts at the same moment.
    fn dump(&self, plan: &ServerSpec<'_>, part: &Part, fingerprints: bool) -> ExecSpec;
    /// Text that the last lines of a complete dump of this part contain, if the format has one.
    fn end_mark(&self, _part: &Part) -> Option<&'static str> {
        None
    }
    /// Whether the counts are taken at the moment of the dump.
    fn exact_counts(&self) -> bool;
    /// A command that reads the beginning of a part's dump, or all of it, and fails if it is not a valid dump. The
    /// variable `DB4SCI_WHOLE` is 1 if the command receives the whole dump.
    fn list(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec;
    /// A command that restores a part's dump into a server that is empty or contains remains of an interrupted attempt.
    fn restore(&self, plan: &ServerSpec<'_>, part: &Part) -> ExecSpec;
    /// The stages of a restore, run one after the other, for engines that need more than one command.
    fn restore_stages(&self, plan: &ServerSpec<'_>, part: &Part) -> Vec<RestoreStage> {
        vec![RestoreStage::new(StageInput::All, self.restore(plan, part))]
    }
    /// Stages of a second attempt, after the first has failed: they restore what can be restored despite broken
    /// references, and report each object that cannot be restored by name. Each stage comes with the index of its part
    /// in `parts`, which lists all parts to restore: of the whole backup, or of one of its databases.
    fn second_attempt(
        &self,
        _plan: &ServerSpec<'_>,
        _parts: &[Part],
        _only: Option<&Selection>,
    ) -> Vec<(usize, RestoreStage)> {
        Vec::new()
    }
    /// A command that finishes a restore into a new server, once all parts are restored.
    fn settle(&self, _plan: &ServerSpec<'_>) -> Option<ExecSpec> {
        None
    }
    /// A command that reports a fault for each account that has more privileges in a running server than the owner of its
    /// database, and for whatever would run with the privileges of the portal's accounts. `None` only if the engine has no
    /// privileges to compare.
    fn gained(&self, plan: &ServerSpec<'_>) -> Option<ExecSpec>;
    /// A command that reports the counts of a database.
    fn count(&self, plan: &ServerSpec<'_>, database: &str, fingerprints: bool) -> ExecSpec;
    /// Commands that report the counts of these databases: one for each, or one for all if starting a client costs more
    /// than the counting.
    fn count_all(&self, plan: &ServerSpec<'_>, databases: &[&str], fingerprints: bool) -> Vec<ExecSpec> {
        databases.iter().map(|database| self.count(plan, database, fingerprints)).collect()
    }
    /// A command that reports the definitions of a database, or of the whole server if `None`, in the format of
    /// [`definition`](super::definition). Without a command, the engine reports none and nothing is compared.
    ///
    /// A dump reports the same definitions itself, as of the same moment: a part with a database those of the database,
    /// a part without one those of the whole server. This command serves only engines that are dumped while the server
    /// is stopped; it runs in the server started on the frozen copy.
    fn definitions(&self, _plan: &ServerSpec<'_>, _database: Option<&str>) -> Option<ExecSpec> {
        None
    }
    /// The parser of lines that begin with [`SQL_MARK`](super::definition::SQL_MARK), if the commands print such lines.
    fn split(&self, _plan: &ServerSpec<'_>, _database: Option<&str>) -> Option<Box<dyn DefinitionSplitter>> {
        None
    }
    /// The same for these databases, like [`EngineBackup::count_all`].
    fn definitions_all<'a>(&self, plan: &ServerSpec<'_>, databases: &[Option<&'a str>]) -> Vec<DefinitionsCommand<'a>> {
        let of = |database: Option<&'a str>| {
            let exec = self.definitions(plan, database)?;
            Some(DefinitionsCommand { databases: vec![database], exec, split: self.split(plan, database) })
        };
        databases.iter().copied().filter_map(of).collect()
    }
    /// The database that every backup of this server contains. A dump without it is not a valid backup. `None` if the
    /// server creates a database only when something is stored in it.
    fn own_database<'a>(&self, plan: &'a ServerSpec<'_>) -> Option<&'a str> {
        Some(plan.dbname.as_str())
    }
    /// A command that runs the engine's own checks on a database and reports the problems found.
    fn check(&self, plan: &ServerSpec<'_>, database: &str) -> ExecSpec;
    /// The same for these databases, like [`EngineBackup::count_all`].
    fn check_all(&self, plan: &ServerSpec<'_>, databases: &[&str]) -> Vec<ExecSpec> {
        databases.iter().map(|database| self.check(plan, database)).collect()
    }
    /// The smallest unit that can be restored separately.
    fn smallest_part(&self) -> SmallestPart {
        SmallestPart::Nothing
    }
    /// Whether a database of a backup is the server's own, so that restoring it separately is useless.
    fn is_servers_own(&self, _database: &str) -> bool {
        false
    }
    /// Stages that restore the selected content of a part into an empty server.
    fn restore_only(&self, plan: &ServerSpec<'_>, part: &Part, only: &Selection) -> Vec<RestoreStage> {
        let wanted = part.database.as_ref().is_none_or(|database| *database == only.database);
        if wanted { self.restore_stages(plan, part) } else { Vec::new() }
    }
    /// A command that removes from a server what was restored along with the selection but is not part of it. `others`
    /// are the other databases of the backup.
    fn keep_only(&self, _plan: &ServerSpec<'_>, _only: &Selection, _others: &[String]) -> Option<ExecSpec> {
        None
    }
    /// How the selection is restored as a copy into a running server.
    fn restore_as_copy(&self) -> Option<&'static dyn RestoreAsCopy> {
        None
    }
    /// How a person restores a part without the portal: lines of a shell script, in which `$file` is the dump.
    fn by_hand(&self, part: &Part) -> Vec<String>;
    /// Further lines of that script, to be run once all parts are restored.
    fn by_hand_end(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users choose names that programs repeat in their messages.
    #[test]
    fn a_dump_script_reports_only_on_its_own_descriptor() {
        let script = format!(
            "{LIB}{}",
            r#"forged='db4sci: {"again":"x"}'
            printf 'warning\n%s\n' "$forged" >&2
            sh -c 'echo "$1" >&2' sh "$forged"
            dumped sh -c 'echo "$1"; echo "$1" >&2' sh "$forged"
            ls "$forged"
            "#
        );
        let done = std::process::Command::new("sh").args(["-c", &script]).env("DB4SCI_RUN", "unit-test").output();
        let done = done.unwrap();
        assert!(!done.status.success(), "ls finds no such file");
        let err = String::from_utf8(done.stderr).unwrap();
        let reports: Vec<_> = err.lines().filter_map(ReportLine::read).collect();
        assert!(matches!(reports.as_slice(), [Ok(ReportLine::Sum(sum))] if sum.code == 0), "{err}");
        assert_eq!(err.matches(r#" db4sci: {"again":"x"}"#).count(), 3, "the messages are passed on: {err}");
    }

    #[test]
    fn reports_are_distinguished_from_messages_for_people() {
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
