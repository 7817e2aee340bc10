//! SQL as text, told apart the way the tools that read it do: what is a statement, a comment, a string, the rows of a
//! `COPY`, a command of the tool itself. Nothing here searches for words in a dump's data.

pub mod connect;
pub mod contents;
pub mod means;
pub(crate) mod mysql;
pub(crate) mod postgres;
#[cfg(test)]
pub(crate) mod properties;
pub mod splitter;
pub mod to_mariadb;
pub mod tokens;

/// Whose rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL's, as psql reads them.
    Postgres,
    /// MySQL's and MariaDB's, as their client reads them.
    Mysql,
}

/// What a piece of a dump is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// White space, comments and the client's `DELIMITER` between statements.
    Space,
    /// A statement, or a part of one.
    Statement,
    /// A command of psql, to the end of its line.
    Command,
    /// Rows that follow a `COPY … FROM stdin`, without the line that ends them.
    Rows,
}

/// A piece of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpPiece<'a> {
    /// What it is.
    pub kind: PieceKind,
    /// The bytes, without a statement's terminator.
    pub text: &'a [u8],
    /// Whether a statement begins here. The first piece of a statement holds all of it, or more than 100 KiB.
    pub first: bool,
    /// Whether a statement or the rows end here.
    pub last: bool,
    /// Whether they end as they should: at a terminator, not where the dump breaks off.
    pub ended: bool,
    /// Whether rows follow this statement.
    pub rows: bool,
    /// The line of the dump on which it begins, from 1.
    pub line: u64,
}

/// What a machine found at the beginning of what is there.
#[derive(Debug, Clone, Copy)]
struct CutPoint {
    kind: PieceKind,
    /// Its length.
    text: usize,
    /// How much of what follows belongs to it and is not passed on.
    skip: usize,
    first: bool,
    last: bool,
    ended: bool,
    rows: bool,
}

impl CutPoint {
    fn space(text: usize) -> Self {
        Self { kind: PieceKind::Space, text, skip: 0, first: false, last: false, ended: false, rows: false }
    }
}

/// The byte at `at`, or 0.
fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// How many lines end in a text.
pub fn lines(text: &[u8]) -> u64 {
    (text.split(|b| *b == b'\n').count() - 1) as u64
}

/// Where the line that `at` is in ends: behind its line feed, or at the end.
fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n + 1)
}

/// Whether a statement sets something, perhaps within a comment that is executed. One that only speaks of a setting, in the
/// comment of a table or in a function, sets nothing.
fn sets(statement: &[u8]) -> bool {
    let mut text = statement.trim_ascii_start();
    if let Some(rest) = text.strip_prefix(b"/*!").or_else(|| text.strip_prefix(b"/*M!")) {
        let version = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        text = rest.get(version..).unwrap_or_default().trim_ascii_start();
    }
    text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"set")) && byte(text, 3).is_ascii_whitespace()
}

/// Whether a byte can begin a word: a letter, an underscore, or a part of a character beyond ASCII.
fn begins_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}
