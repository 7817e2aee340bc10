//! Dumps that people bring: how they are packed, what they are, and what became of them. mydb_admin keeps all three.

use serde::{Deserialize, Serialize};

use crate::domain::engine::EngineKind;
use crate::engine::part::Count;
use crate::sql::Dialect;

/// How a dump is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// As the only file of a zip archive.
    Zip,
}

impl Packing {
    const ALL: [(Self, &'static str, &'static [u8]); 5] = [
        (Self::Gzip, "gzip", &[0x1f, 0x8b]),
        (Self::Zstd, "zstd", &[0x28, 0xb5, 0x2f, 0xfd]),
        (Self::Bzip2, "bzip2", b"BZh"),
        (Self::Xz, "xz", &[0xfd, b'7', b'z', b'X', b'Z', 0]),
        (Self::Zip, "zip", b"PK\x03\x04"),
    ];

    /// What the beginning of a file shows.
    pub fn of(head: &[u8]) -> Self {
        Self::ALL.into_iter().find(|(.., magic)| head.starts_with(magic)).map_or(Self::None, |(packing, ..)| packing)
    }

    /// As in the database.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(packing, ..)| *packing == self).map_or("none", |(_, name, _)| name)
    }

    /// The same back.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map_or(Self::None, |(packing, ..)| packing)
    }
}

/// What a dump is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An archive of `pg_dump`, custom format.
    PgCustom,
    /// Statements for PostgreSQL, by `pg_dump` or by hand.
    PgPlain,
    /// Statements for MariaDB or MySQL.
    MariaSql,
    /// An archive of `mongodump`.
    MongoArchive,
    /// A dump of `neo4j-admin`.
    Neo4jDump,
}

impl Format {
    /// The engine it is for.
    pub fn engine(self) -> EngineKind {
        match self {
            Self::PgCustom | Self::PgPlain => EngineKind::Postgres,
            Self::MariaSql => EngineKind::Mariadb,
            Self::MongoArchive => EngineKind::Mongodb,
            Self::Neo4jDump => EngineKind::Neo4j,
        }
    }

    /// Whose SQL it is, if it is SQL.
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::PgPlain => Some(Dialect::Postgres),
            Self::MariaSql => Some(Dialect::Mysql),
            _ => None,
        }
    }

    /// What it is, for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::PgCustom => "a pg_dump archive",
            Self::PgPlain => "a PostgreSQL SQL script",
            Self::MariaSql => "a MariaDB SQL script",
            Self::MongoArchive => "a mongodump archive",
            Self::Neo4jDump => "a neo4j-admin dump",
        }
    }
}

/// A recognised dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// How it is compressed.
    pub packing: Packing,
    /// What it is.
    pub format: Format,
    /// The version of the server it was made of, as numbers, where it says so.
    pub version: Option<(u32, u32)>,
    /// Whether its end has to say that it is the end.
    pub says_its_end: bool,
    /// The databases in it, where it says which; not the server's own. An empty name: what comes before any is named.
    pub databases: Vec<String>,
    /// What its sender should know of how it was read.
    pub told: Vec<String>,
}

/// What became of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadReport {
    /// What was loaded.
    pub format: Option<Format>,
    /// Tables that are there; collections, or labels of nodes.
    pub tables: u64,
    /// Rows in them; documents, or nodes and relationships.
    pub rows: u64,
    /// How many statements, entries or documents failed.
    pub failed: u64,
    /// The first of them.
    pub failures: Vec<LoadFailure>,
    /// How many databases it went into.
    pub databases: u64,
    /// What else its owner should know.
    pub told: Vec<String>,
}

impl LoadReport {
    /// Whether more failed than is kept.
    pub fn is_cut(&self) -> bool {
        self.failed > self.failures.len() as u64
    }

    /// Adds what was counted in a server.
    pub fn add(&mut self, counts: &[Count]) {
        for count in counts {
            let rows = u64::try_from(count.rows).unwrap_or(0);
            match count.kind.as_str() {
                "table" | "collection" | "time series" => {
                    self.tables += 1;
                    self.rows += rows;
                }
                "label" => self.tables += 1,
                // All nodes, and all relationships.
                "content" => self.rows += rows,
                _ => {}
            }
        }
    }

    /// One sentence.
    pub fn sentence(&self) -> String {
        let (table, row, one) = match self.format {
            Some(Format::MongoArchive) => ("collection", "document", "document"),
            Some(Format::Neo4jDump) => ("label", "node or relationship", "entry"),
            _ => ("table", "row", "statement"),
        };
        let failed = match self.failed {
            0 => "Nothing failed.".to_owned(),
            n => format!("{} failed.", amount(n, one)),
        };
        let places = if self.databases > 1 { format!(", in {} databases", self.databases) } else { String::new() };
        format!("Loaded {} with {}{places}. {failed}", amount(self.tables, table), amount(self.rows, row))
    }

    /// Adds what became of another database of the same dump.
    pub fn join(&mut self, other: Self) {
        self.format = other.format;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.failures.truncate(MOST);
        self.told.extend(other.told);
        self.databases += 1;
    }
}

/// One thing that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadFailure {
    /// Line of the dump on which its statement begins, where that is known.
    pub line: Option<u64>,
    /// The server's words.
    pub text: String,
    /// The beginning of the statement.
    pub statement: String,
    /// What else was said about it.
    pub detail: String,
}

/// Most failures that are kept; all are counted.
pub const MOST: usize = 100;

/// So many of something.
pub(crate) fn amount(n: u64, one: &str) -> String {
    match (n, one) {
        (1, _) => format!("1 {one}"),
        (_, "entry") => format!("{n} entries"),
        (_, "node or relationship") => format!("{n} nodes and relationships"),
        _ => format!("{n} {one}s"),
    }
}
