//! Uploaded dumps: how they are compressed, their format, and the result of loading them. mydb_admin stores all three.

use serde::{Deserialize, Serialize};

use crate::domain::engine::EngineKind;
use crate::domain::quantity::thousands;
use crate::engine::part::Count;
use crate::sql::Dialect;

/// How a dump is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not compressed.
    None,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// The only file in a zip archive.
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

    /// Recognises the compression by the first bytes of a file.
    pub fn of(head: &[u8]) -> Self {
        Self::ALL.into_iter().find(|(.., magic)| head.starts_with(magic)).map_or(Self::None, |(packing, ..)| packing)
    }

    /// The name stored in mydb_admin.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(packing, ..)| *packing == self).map_or("none", |(_, name, _)| name)
    }

    /// Parses the name stored in mydb_admin; unknown names become [`Self::None`].
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map_or(Self::None, |(packing, ..)| packing)
    }
}

/// The format of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// A `pg_dump` archive in the custom format.
    PgCustom,
    /// SQL for PostgreSQL, written by `pg_dump` or by hand.
    PgPlain,
    /// SQL for MariaDB or MySQL.
    MariaSql,
    /// A `mongodump` archive.
    MongoArchive,
    /// A `neo4j-admin` dump.
    Neo4jDump,
    /// The directory of `pg_dump -Fd`, or a tar archive of it.
    PgDirectory,
    /// The directory of mydumper, or a tar archive of it.
    MariaDirectory,
    /// Collections as JSON lines or CSV: one file, a directory, or a tar archive of one.
    MongoFiles,
}

impl Format {
    /// The engine that loads it.
    pub fn engine(self) -> EngineKind {
        match self {
            Self::PgCustom | Self::PgPlain | Self::PgDirectory => EngineKind::Postgres,
            Self::MariaSql | Self::MariaDirectory => EngineKind::Mariadb,
            Self::MongoArchive | Self::MongoFiles => EngineKind::Mongodb,
            Self::Neo4jDump => EngineKind::Neo4j,
        }
    }

    /// The SQL dialect, if the format is SQL.
    pub fn dialect(self) -> Option<Dialect> {
        match self {
            Self::PgPlain => Some(Dialect::Postgres),
            Self::MariaSql | Self::MariaDirectory => Some(Dialect::Mysql),
            _ => None,
        }
    }

    /// Whether it may consist of several files.
    pub fn is_files(self) -> bool {
        matches!(self, Self::PgDirectory | Self::MariaDirectory | Self::MongoFiles)
    }

    /// Description for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::PgCustom => "a pg_dump archive",
            Self::PgPlain => "a PostgreSQL SQL script",
            Self::MariaSql => "a MariaDB SQL script",
            Self::MongoArchive => "a mongodump archive",
            Self::Neo4jDump => "a neo4j-admin dump",
            Self::PgDirectory => "a pg_dump directory",
            Self::MariaDirectory => "a mydumper directory",
            Self::MongoFiles => "JSON lines or CSV",
        }
    }
}

/// A recognised dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// How it is compressed.
    pub packing: Packing,
    /// Its format.
    pub format: Format,
    /// Version of the server it was made from, as numbers, if the dump contains it.
    pub version: Option<(u32, u32)>,
    /// Whether a complete dump ends with an end marker.
    pub says_its_end: bool,
    /// Names of the databases in it, if the dump contains them, without the server's own. An empty name stands for
    /// statements before the first database is named.
    pub databases: Vec<String>,
    /// Remarks for the uploader about how the dump was read.
    pub told: Vec<String>,
}

/// The result of loading a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadReport {
    /// The format that was loaded.
    pub format: Option<Format>,
    /// Number of tables, collections or node labels after the load.
    pub tables: u64,
    /// Number of rows or documents in them, or of nodes and relationships.
    pub rows: u64,
    /// Number of statements, entries or documents that failed.
    pub failed: u64,
    /// The first failures, at most [`MOST`].
    pub failures: Vec<LoadFailure>,
    /// Number of databases it was loaded into.
    pub databases: u64,
    /// Other remarks for the owner.
    pub told: Vec<String>,
}

impl LoadReport {
    /// Whether there were more failures than are listed.
    pub fn is_cut(&self) -> bool {
        self.failed > self.failures.len() as u64
    }

    /// Adds the counts of a server.
    pub fn add(&mut self, counts: &[Count]) {
        for count in counts {
            let rows = u64::try_from(count.rows).unwrap_or(0);
            match count.kind.as_str() {
                "table" | "collection" | "time series" => {
                    self.tables += 1;
                    self.rows += rows;
                }
                "label" => self.tables += 1,
                // `content` counts all nodes and all relationships.
                "content" => self.rows += rows,
                _ => {}
            }
        }
    }

    /// What it contains, for example “3 tables, 12 rows”.
    pub fn content(&self) -> String {
        let (table, row) = match self.format {
            Some(Format::MongoArchive | Format::MongoFiles) => ("collection", "document"),
            Some(Format::Neo4jDump) => ("label", "node or relationship"),
            _ => ("table", "row"),
        };
        format!("{}, {}", amount(self.tables, table), amount(self.rows, row))
    }

    /// Summary in one sentence.
    pub fn sentence(&self) -> String {
        let (table, row, one) = match self.format {
            Some(Format::MongoArchive | Format::MongoFiles) => ("collection", "document", "document"),
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

    /// Adds the result for another database of the same dump.
    pub fn join(&mut self, other: Self) {
        self.format = other.format;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.failures.truncate(MOST);
        self.told.extend(other.told);
        self.databases += 1;
    }
}

/// One failure of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoadFailure {
    /// File that contains the statement, if the dump consists of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line of the dump on which the statement begins, if known.
    pub line: Option<u64>,
    /// The server's error message.
    pub text: String,
    /// The beginning of the statement.
    pub statement: String,
    /// Further details from the server.
    pub detail: String,
}

impl LoadFailure {
    /// The server's message, after the file if the dump consists of several.
    pub fn sentence(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file}, line {line}: {}", self.text),
            (Some(file), None) => format!("{file}: {}", self.text),
            (None, _) => self.text.clone(),
        }
    }
}

/// Longest list of failures that is kept. All of them are counted.
pub const MOST: usize = 100;

/// A number with its noun, for example “3 tables”.
pub(crate) fn amount(n: u64, one: &str) -> String {
    match (n, one) {
        (1, _) => format!("1 {one}"),
        (n, "entry") => format!("{} entries", thousands(n)),
        (n, "node or relationship") => format!("{} nodes and relationships", thousands(n)),
        (n, _) => format!("{} {one}s", thousands(n)),
    }
}
