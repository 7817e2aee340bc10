//! Converts dumps of MySQL and MariaDB statement by statement, so that the owner of a database can run them. The
//! changes are in `rewrite.rs`.

mod attributes;
pub(crate) mod changes;
pub(crate) mod collations;
pub(crate) mod history;
pub(crate) mod lexer;
pub(crate) mod qualified;
pub(crate) mod rewrite;

use std::io;
use std::io::Read;

use crate::sql::client_charset::ClientCharset;
use crate::sql::splitter::Splitter;
use crate::sql::{Dialect, PieceKind};

pub use crate::sql::to_mariadb::changes::ChangeCounts;
pub use crate::sql::to_mariadb::history::{HistoryRows, LastMoment};
pub use crate::sql::to_mariadb::lexer::{LexToken, TokenKind, tokens};
pub use crate::sql::to_mariadb::qualified::{DatabasePlaces, renamed};
pub use crate::sql::to_mariadb::rewrite::{RewriteRules, StatementScope, rewrite};

/// Size of a chunk of output.
const PIECE: usize = 256 * 1024;
/// Maximum size of a statement that is examined as a whole. Statements with data are not.
pub(crate) const LONGEST: usize = 64 * 1024 * 1024;

/// Converts a whole dump and sends it in chunks.
///
/// # Errors
/// Errors of the reader and of `send`, or if a statement is too long.
pub fn pour(
    from: impl Read,
    rules: &RewriteRules,
    delimiter: &str,
    mut send: impl FnMut(Vec<u8>) -> io::Result<()>,
) -> io::Result<ChangeCounts> {
    let (mut told, mut out) = (ChangeCounts::default(), format!("DELIMITER {delimiter}\n").into_bytes());
    let mut pieces = Splitter::new(from, Dialect::Mysql);
    // The statement being collected to examine it as a whole, and whether the current statement is sent.
    let (mut whole, mut passes) = (None::<Vec<u8>>, true);
    let mut history = HistoryRows::new(rules.last_moment);
    let mut charset = ClientCharset::default();
    while let Some(piece) = pieces.next_piece()? {
        if piece.kind != PieceKind::Statement {
            keep_lines(&mut out, piece.text);
            continue;
        }
        if piece.first {
            whole = None;
            passes = true;
            if is_data(piece.text) {
                history.begins(piece.text);
                passes = matches!(rules.pass, StatementScope::All | StatementScope::Data);
            } else {
                whole = Some(Vec::new());
            }
        }
        match &mut whole {
            Some(statement) if statement.len() + piece.text.len() > LONGEST => {
                let (line, most) = (piece.line, LONGEST >> 20);
                return Err(io::Error::other(format!("A statement before line {line} is longer than {most} MiB.")));
            }
            Some(statement) => statement.extend_from_slice(piece.text),
            None if passes => out.extend_from_slice(&history.piece(piece.text, piece.last)),
            None => keep_lines(&mut out, piece.text),
        }
        if piece.last {
            if let Some(statement) = whole.take() {
                history.begins(&statement);
                match rewrite(&statement, rules, &mut told) {
                    Some(text) => {
                        if let Some(command) = charset.follow(&text) {
                            out.extend_from_slice(command.as_bytes());
                        }
                        out.extend_from_slice(&text);
                    }
                    None => {
                        passes = false;
                        keep_lines(&mut out, &statement);
                    }
                }
            }
            if passes && piece.ended {
                out.extend_from_slice(delimiter.as_bytes());
            }
        }
        if out.len() >= PIECE {
            send(std::mem::take(&mut out))?;
        }
    }
    send(out)?;
    Ok(told)
}

/// Keeps the line feeds of skipped text, so that line numbers do not change.
fn keep_lines(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().filter(|b| **b == b'\n'));
}

/// Whether a statement contains rows and is therefore passed on unchanged, in pieces.
pub(crate) fn is_data(text: &[u8]) -> bool {
    let first = tokens(text).find(|t| !matches!(t.what, TokenKind::Comment | TokenKind::Executed));
    first.is_some_and(|t| t.is_any(text, &["INSERT", "REPLACE"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poured(text: &str, pass: StatementScope) -> (String, Vec<String>) {
        let rules = RewriteRules {
            account: ("ada".to_owned(), "%".to_owned()),
            collations: true,
            pass,
            places: DatabasePlaces::default(),
            last_moment: None,
        };
        let mut out = Vec::new();
        let told = pour(text.as_bytes(), &rules, "$end$", |piece| {
            out.extend(piece);
            Ok(())
        });
        (String::from_utf8(out).unwrap(), told.unwrap().sentences())
    }

    #[test]
    fn a_dump_of_mysql_8_becomes_one_that_its_owner_can_load() {
        let path = format!("{}/tests/cases/mysql8-dump/dump.sql", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let (out, told) = poured(&text, StatementScope::All);
        assert_eq!(told.len(), 3, "{told:?}");
        for gone in ["0900", "root", "GTID", "LOG_BIN", "LOCK TABLES", "DELIMITER ;"] {
            assert!(!out.contains(gone), "{gone}: {out}");
        }
        for kept in ["(1,'Ä one','{\\\"a\\\": 1}'),(2,'two 🐘',NULL)$end$", "COUNT(*) FROM customer;\nEND $end$"] {
            assert!(out.contains(kept), "{kept}: {out}");
        }
        assert_eq!(out.lines().count(), text.lines().count() + 1, "lines stay where they are");
    }

    #[test]
    fn skipped_statements_keep_their_line_breaks() {
        let text = "CREATE TABLE t\n(a int);\nINSERT INTO t\nVALUES (';');\nCREATE VIEW v AS\nSELECT 1;\n";
        let (data, _) = poured(text, StatementScope::Data);
        assert_eq!(data, "DELIMITER $end$\nCREATE TABLE t\n(a int)$end$\nINSERT INTO t\nVALUES (';')$end$\n\n\n");
        let (code, _) = poured(text, StatementScope::Code);
        assert_eq!(code, "DELIMITER $end$\n\n\n\n\nCREATE VIEW v AS\nSELECT 1$end$\n");
    }
}
