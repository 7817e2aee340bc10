//! Which databases a dump in SQL holds.

use std::io;
use std::io::Read;

use crate::sql::connect::{Command, command};
use crate::sql::means::{Meaning, means};
use crate::sql::splitter::Splitter;
use crate::sql::{Dialect, DumpPiece, PieceKind};

/// Most databases that are told apart.
const MOST: usize = 1000;

/// A database in a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpSection {
    /// Its name; empty for what comes before the dump names any.
    pub name: String,
    /// How many statements make or fill something in it.
    pub statements: u64,
}

/// Follows which database the pieces of a dump belong to.
#[derive(Debug)]
pub struct DatabaseFollower {
    dialect: Dialect,
    /// The database now; empty: none was named.
    pub now: String,
    /// What the last statement means.
    pub means: Meaning,
}

impl DatabaseFollower {
    /// At the beginning of a dump.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, now: String::new(), means: Meaning::Setting }
    }

    /// Looks at a piece; `true` if it goes to another database.
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

/// The databases in a dump that hold something, in its order.
pub fn contents(from: impl Read, dialect: Dialect) -> io::Result<Vec<DumpSection>> {
    let (mut pieces, mut follower) = (Splitter::new(from, dialect), DatabaseFollower::new(dialect));
    let mut found: Vec<DumpSection> = Vec::new();
    while let Some(piece) = pieces.next_piece()? {
        if follower.look(&piece) || piece.kind != PieceKind::Statement || !piece.first {
            continue;
        }
        let own = is_servers(&follower.now, dialect);
        let counts = match follower.means {
            // People keep tables in PostgreSQL's own databases; what is in MySQL's is the server's.
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
    fn only_what_is_no_data_names_a_database() {
        let text = "create table t (a text);\ncopy t from stdin;\n\\connect rats\n\\.\ninsert into t values ('\n\\connect mice\n');\n\
                    create function f() returns int language sql as $$\n\\connect cats\n$$;\n-- \\connect dogs\n/*\n\\connect owls\n*/";
        assert_eq!(names(text, Dialect::Postgres), [""]);
        let text = "INSERT INTO t VALUES ('\nUSE mice;\n', \"\\\"\nUSE rats;\n\", '''\nUSE cats;');\n-- \nDELIMITER $$\nCREATE PROCEDURE p()\nBEGIN\nUSE dogs;\nEND$$\nDELIMITER ;\n#USE owls;\n/*\nUSE bats; */";
        assert_eq!(names(text, Dialect::Mysql), [""]);
    }
}
