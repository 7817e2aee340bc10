//! Lists the databases in an SQL dump.

use std::io;
use std::io::Read;

use crate::sql::classify::{Meaning, means};
use crate::sql::connect::{Command, command};
use crate::sql::splitter::Splitter;
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
}

impl DatabaseFollower {
    /// Starts at the beginning of a dump.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, now: String::new(), means: Meaning::Setting }
    }

    /// Examines a piece; `true` if it switches to another database.
    pub fn look(&mut self, piece: &DumpPiece<'_>) -> bool {
        let to = match piece.kind {
            PieceKind::Statement if piece.first => {
                self.means = means(piece.text, self.dialect);
                match &self.means {
                    Meaning::Goes(name) => name.clone(),
                    _ => return false,
                }
            }
            PieceKind::Command => match command(piece.text) {
                Command::Connect(name) => name,
                _ => return false,
            },
            _ => return false,
        };
        self.now = to;
        true
    }
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

/// The databases of a dump that are not empty, in the dump's order.
pub fn contents(from: impl Read, dialect: Dialect) -> io::Result<Vec<DumpSection>> {
    let (mut pieces, mut follower) = (Splitter::new(from, dialect), DatabaseFollower::new(dialect));
    let mut found: Vec<DumpSection> = Vec::new();
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
        if let Some(section) = found.iter_mut().find(|section| section.name == follower.now) {
            section.statements += 1;
        } else if found.len() < MOST {
            found.push(DumpSection { name: follower.now.clone(), statements: 1 });
        }
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
    fn data_does_not_name_databases() {
        let text = "create table t (a text);\ncopy t from stdin;\n\\connect rats\n\\.\ninsert into t values ('\n\\connect mice\n');\n\
                    create function f() returns int language sql as $$\n\\connect cats\n$$;\n-- \\connect dogs\n/*\n\\connect owls\n*/";
        assert_eq!(names(text, Dialect::Postgres), [""]);
        let text = "INSERT INTO t VALUES ('\nUSE mice;\n', \"\\\"\nUSE rats;\n\", '''\nUSE cats;');\n-- \nDELIMITER $$\nCREATE PROCEDURE p()\nBEGIN\nUSE dogs;\nEND$$\nDELIMITER ;\n#USE owls;\n/*\nUSE bats; */";
        assert_eq!(names(text, Dialect::Mysql), [""]);
    }
}
