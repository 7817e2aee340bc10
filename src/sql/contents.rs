//! Lists the databases in an SQL dump.

use std::collections::BTreeSet;
use std::io;
use std::io::Read;

use crate::sql::classify::{Meaning, means};
use crate::sql::connect::{Command, command};
use crate::sql::splitter::Splitter;
use crate::sql::tokens::{Token, tokens};
use crate::sql::{Dialect, DumpPiece, PieceKind};

/// Maximum number of databases to list.
const MOST: usize = 1000;

/// A database in a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpSection {
    /// Its name; empty for statements before the dump names a database.
    pub name: String,
    /// Number of statements that create or fill an object in it.
    pub statements: u64,
}

/// Tracks the database that the pieces of a dump belong to.
#[derive(Debug)]
pub struct DatabaseFollower {
    dialect: Dialect,
    /// The current database; empty if none was named yet.
    pub now: String,
    /// The meaning of the last statement.
    pub means: Meaning,
    /// Whether the dump has named the current database in a statement of its own, such as `USE`. Until then, the names of
    /// objects tell it: some programs write ``INSERT INTO `mice`.`t` `` only.
    pub named: bool,
}

impl DatabaseFollower {
    /// Starts at the beginning of a dump.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, now: String::new(), means: Meaning::Setting, named: false }
    }

    /// Examines a piece; `true` if it switches to another database.
    pub fn look(&mut self, piece: &DumpPiece<'_>) -> bool {
        let to = match piece.kind {
            PieceKind::Statement if piece.first => {
                self.means = means(piece.text, self.dialect);
                match &self.means {
                    Meaning::Goes(name) => name.clone(),
                    _ => {
                        if !self.named && self.dialect == Dialect::Mysql {
                            self.now = qualifier(piece.text).unwrap_or_default();
                        }
                        return false;
                    }
                }
            }
            PieceKind::Command => match command(piece.text) {
                Command::Connect(name) => name,
                _ => return false,
            },
            _ => return false,
        };
        (self.now, self.named) = (to, true);
        true
    }
}

/// The database in the name of the object that a statement of MySQL creates, changes or fills, unless it is the server's
/// own.
fn qualifier(statement: &[u8]) -> Option<String> {
    const BEFORE: [&str; 10] =
        ["TABLE", "VIEW", "INTO", "FUNCTION", "PROCEDURE", "TRIGGER", "EVENT", "SEQUENCE", "FROM", "UPDATE"];
    let found = tokens(statement, Dialect::Mysql);
    let kind = found.iter().position(|t| BEFORE.iter().any(|word| t.is(word)))?;
    let mut after = found.iter().skip(kind + 1).skip_while(|t| ["IF", "NOT", "EXISTS"].iter().any(|word| t.is(word)));
    let name = after.next()?.name(Dialect::Mysql)?;
    (after.next() == Some(&Token::Mark(b'.')) && !is_servers(&name, Dialect::Mysql)).then_some(name)
}

/// Whether a database is the server's own.
pub fn is_servers(name: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Postgres => matches!(name, "postgres" | "template0" | "template1"),
        Dialect::Mysql => ["mysql", "sys", "information_schema", "performance_schema"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own)),
    }
}

/// The databases of a dump that are not empty, in the dump's order. If some of its statements name none, names of
/// databases in others do not count.
pub fn contents(from: impl Read, dialect: Dialect) -> io::Result<Vec<DumpSection>> {
    let (mut pieces, mut follower) = (Splitter::new(from, dialect), DatabaseFollower::new(dialect));
    let mut found: Vec<DumpSection> = Vec::new();
    let mut named = BTreeSet::new();
    while let Some(piece) = pieces.next_piece()? {
        if follower.look(&piece) || piece.kind != PieceKind::Statement || !piece.first {
            continue;
        }
        let own = is_servers(&follower.now, dialect);
        let counts = match follower.means {
            // People store tables in PostgreSQL's own databases; the content of MySQL's own databases belongs to the
            // server.
            Meaning::Content => !own || dialect == Dialect::Postgres,
            Meaning::Slight => !own && !follower.now.is_empty(),
            _ => false,
        };
        if !counts {
            continue;
        }
        if follower.named {
            named.insert(follower.now.clone());
        }
        if let Some(section) = found.iter_mut().find(|section| section.name == follower.now) {
            section.statements += 1;
        } else if found.len() < MOST {
            found.push(DumpSection { name: follower.now.clone(), statements: 1 });
        }
    }
    if found.iter().any(|section| section.name.is_empty()) {
        let (mut kept, by_objects): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|section| section.name.is_empty() || named.contains(&section.name));
        let more: u64 = by_objects.iter().map(|section| section.statements).sum();
        kept.iter_mut().filter(|section| section.name.is_empty()).for_each(|section| section.statements += more);
        return Ok(kept);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use crate::sql::contents::*;

    fn names(text: &str, dialect: Dialect) -> Vec<String> {
        contents(text.as_bytes(), dialect).unwrap().into_iter().map(|s| s.name).collect()
    }

    #[test]
    fn the_databases_of_whole_servers_are_found() {
        let case =
            |name: &str| std::fs::read_to_string(format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert_eq!(names(&case("two-databases/dump.sql"), Dialect::Mysql), ["mice", "rats"]);
        assert_eq!(names(&case("pg-dumpall/cluster.sql"), Dialect::Postgres), ["mice", "rats"]);
        assert_eq!(names(&case("mysql8-dump/dump.sql"), Dialect::Mysql), [""]);
    }

    #[test]
    fn databases_are_found_by_the_names_of_objects() {
        for (text, wanted) in [
            (
                "CREATE DATABASE mice; CREATE TABLE `mice`.`t` (i int); INSERT IGNORE INTO `mice`.`t` VALUES (1.5),(2.5);",
                vec!["mice"],
            ),
            (
                "CREATE TABLE IF NOT EXISTS mice.t (i int); insert into rats.t values (1); INSERT INTO mice.t VALUES (1)",
                vec!["mice", "rats"],
            ),
            (
                "CREATE TABLE `mice`.`t` (i int); USE `mice`; CREATE PROCEDURE p() SELECT 1; INSERT INTO rats.t VALUES (1)",
                vec!["mice"],
            ),
            ("CREATE DEFINER=`root`@`10.0.0.1` VIEW `mice`.`v` AS SELECT 1.5", vec!["mice"]),
            ("CREATE TABLE t (i int); INSERT INTO mice.t VALUES (1)", vec![""]),
            (
                "INSERT INTO mice.t VALUES (1); INSERT INTO t VALUES (1); USE rats; INSERT INTO t VALUES (1)",
                vec!["", "rats"],
            ),
            ("CREATE TABLE t (a decimal(3,1) DEFAULT 1.5); INSERT INTO mysql.user VALUES (1)", vec![""]),
        ] {
            assert_eq!(names(text, Dialect::Mysql), wanted, "{text}");
        }
        assert_eq!(names("INSERT INTO lab.t VALUES (1)", Dialect::Postgres), [""], "a schema");
    }

    #[test]
    fn data_does_not_name_databases() {
        let text = "create table t (a text);\ncopy t from stdin;\n\\connect rats\n\\.\ninsert into t values ('\n\\connect mice\n');\n\
                    create function f() returns int language sql as $$\n\\connect cats\n$$;\n-- \\connect dogs\n/*\n\\connect owls\n*/";
        assert_eq!(names(text, Dialect::Postgres), [""]);
        let text = "INSERT INTO t VALUES ('\nUSE mice;\n', \"\\\"\nUSE rats;\n\", '''\nUSE cats;');\n-- \nDELIMITER $$\nCREATE PROCEDURE p()\nBEGIN\nUSE dogs;\nEND$$\nDELIMITER ;\n#USE owls;\n/*\nUSE bats; */";
        assert_eq!(names(text, Dialect::Mysql), [""]);
    }
}
