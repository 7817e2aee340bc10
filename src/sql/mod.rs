//! Splits SQL text as the tools that run it do: into statements, comments, strings, rows of a `COPY` and commands of
//! the tool itself. Nothing here searches for words in a dump's data.

pub mod classify;
pub mod client_charset;
pub mod connect;
pub mod contents;
pub(crate) mod mysql;
pub(crate) mod postgres;
#[cfg(test)]
pub(crate) mod properties;
pub mod splitter;
pub mod to_mariadb;
pub mod tokens;

/// The syntax of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL, as read by psql.
    Postgres,
    /// MySQL and MariaDB, as read by their client.
    Mysql,
}

/// The kind of a piece of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    /// Whitespace, comments and the client's `DELIMITER` between statements.
    Space,
    /// A statement, or a part of one.
    Statement,
    /// A psql meta-command, up to the end of its line.
    Command,
    /// Rows after a `COPY … FROM stdin`, without the line that ends them.
    Rows,
}

/// A piece of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpPiece<'a> {
    /// What it is.
    pub kind: PieceKind,
    /// The bytes, without a statement's terminator.
    pub text: &'a [u8],
    /// Whether a statement begins here. The first piece of a statement contains all of it, or more than 100 KiB.
    pub first: bool,
    /// Whether a statement or its rows end here.
    pub last: bool,
    /// Whether they end with a terminator, rather than at the end of a truncated dump.
    pub ended: bool,
    /// Whether rows follow this statement.
    pub rows: bool,
    /// The line of the dump on which it begins, starting from 1.
    pub line: u64,
}

/// The next piece found by a state machine at the beginning of its buffer.
#[derive(Debug, Clone, Copy)]
struct CutPoint {
    kind: PieceKind,
    /// Length of its text.
    text: usize,
    /// Bytes after the text that belong to the piece but are not passed on.
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

/// Number of line feeds in a text.
pub fn lines(text: &[u8]) -> u64 {
    (text.split(|b| *b == b'\n').count() - 1) as u64
}

/// End of the line that contains `at`: after its line feed, or the end of the text.
fn line_end(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|b| *b == b'\n').map_or(text.len(), |n| at + n + 1)
}

/// Whether a statement is a `SET`, possibly within an executable comment. A statement that merely mentions a setting,
/// in a table's comment or in a function, is not.
fn sets(statement: &[u8]) -> bool {
    let mut text = statement.trim_ascii_start();
    if let Some(rest) = text.strip_prefix(b"/*!").or_else(|| text.strip_prefix(b"/*M!")) {
        let version = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        text = rest.get(version..).unwrap_or_default().trim_ascii_start();
    }
    text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case(b"set")) && byte(text, 3).is_ascii_whitespace()
}

/// Whether a byte can begin a word: a letter, an underscore, or part of a non-ASCII character.
fn begins_word(b: u8) -> bool {
    b.is_ascii_alphabetic() || b == b'_' || b >= 0x80
}
