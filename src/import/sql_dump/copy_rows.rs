//! Sends the rows that follow a `COPY … FROM stdin` of PostgreSQL, after finding out whether the server accepts the
//! statement.

use std::time::Duration;

use crate::import::sql_dump::output::{EarlyEnd, ToolInput};
use crate::import::sql_dump::sent_statements::{LoadProgress, SentStatement};
use crate::sql::{DumpPiece, lines};

/// Interval at which a wait for a response checks whether the tool still runs.
const LOOK: Duration = Duration::from_millis(500);
/// Causes a response in any state of the server: a message, or an error that it cannot produce one in its current
/// state.
const PROBE: &str = "DO $db4sci$ BEGIN RAISE INFO 'db4sci'; END $db4sci$;\n";

/// How the following rows are treated.
#[derive(Debug, Clone, Copy, Default)]
enum RowFate {
    #[default]
    Sent,
    /// They belong to a database that is not selected.
    Skipped,
    /// Their statement was rejected: its line, and the number of rows.
    Refused(u64, u64),
}

/// The rows of the current statement.
#[derive(Debug, Default)]
pub(super) struct CopyRows {
    fate: RowFate,
    /// Whether their lines end with a carriage return. The server accepts no other ending in the line after the last
    /// row.
    returns: bool,
}

impl CopyRows {
    /// Skips the rows that follow.
    pub fn skip(&mut self) {
        self.fate = RowFate::Skipped;
    }

    /// Tries a statement by sending it without rows: if it failed, psql would take its rows for statements. Returns
    /// whether the server accepted it.
    pub fn begin(
        &mut self,
        piece: &DumpPiece<'_>,
        begun: &mut SentStatement,
        input: &mut ToolInput<'_>,
        progress: &LoadProgress,
    ) -> Result<bool, EarlyEnd> {
        input.put(&without_header_match(piece.text))?;
        let lines = (begun.lines.0, input.line);
        progress.note(SentStatement { lines, ..begun.clone() });
        progress.ask(lines, input.line + 2);
        input.put(b";\n\\.\n")?;
        input.put(PROBE.as_bytes())?;
        input.flush()?;
        let taken = loop {
            if let Some(taken) = progress.answer(LOOK) {
                break taken;
            }
            if input.is_closed() {
                return Err(EarlyEnd::Gone);
            }
        };
        self.fate = if taken { RowFate::Sent } else { RowFate::Refused(piece.line, 0) };
        begun.lines = (input.line, input.line);
        Ok(taken)
    }

    /// Sends, skips or counts the next rows. `begun` is their statement; it is recorded as sent with its last row.
    pub fn piece(
        &mut self,
        piece: &DumpPiece<'_>,
        begun: &mut Option<SentStatement>,
        input: &mut ToolInput<'_>,
        progress: &LoadProgress,
    ) -> Result<(), EarlyEnd> {
        match &mut self.fate {
            RowFate::Skipped => return Ok(()),
            RowFate::Refused(line, rows) => {
                *rows += lines(piece.text);
                if piece.last {
                    progress.leave(*line, *rows);
                }
                return Ok(());
            }
            RowFate::Sent => {}
        }
        input.put(piece.text)?;
        if piece.text.ends_with(b"\n") {
            self.returns = piece.text.ends_with(b"\r\n");
        }
        if !(piece.last && piece.ended) {
            return Ok(());
        }
        if let Some(mut sent) = begun.take() {
            sent.lines.1 = input.line;
            progress.note(sent);
        }
        let returns = std::mem::take(&mut self.returns);
        input.put(if returns { b"\\.\r\n" } else { b"\\.\n" })
    }
}

/// The statement without the word in its options that makes the server compare the first row with the names of the
/// columns: it would miss that row, and refuse a statement that it accepts with its rows.
fn without_header_match(statement: &[u8]) -> Vec<u8> {
    let lower = statement.to_ascii_lowercase();
    let find = |from: usize, word: &[u8]| {
        let rest = lower.get(from..).unwrap_or_default();
        rest.windows(word.len()).position(|part| part == word).map(|at| from + at + word.len())
    };
    let mut text = statement.to_vec();
    // The options come after the source of the rows; names of columns come before it.
    let mut at = find(0, b"stdin").unwrap_or(lower.len());
    while let Some(after) = find(at, b"header") {
        let rest = lower.get(after..).unwrap_or_default();
        let skipped = rest.iter().take_while(|b| b.is_ascii_whitespace() || **b == b'\'').count();
        if skipped > 0
            && rest.get(skipped..).is_some_and(|word| word.starts_with(b"match"))
            && let Some(word) = text.get_mut(after + skipped..after + skipped + b"match".len())
        {
            word.copy_from_slice(b"true ");
        }
        at = after;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_tried_without_comparing_the_header() {
        for (statement, tried) in [
            ("COPY t FROM stdin WITH (FORMAT csv, HEADER match)", "COPY t FROM stdin WITH (FORMAT csv, HEADER true )"),
            ("copy t from STDIN (header\n MATCH, format csv)", "copy t from STDIN (header\n true , format csv)"),
            ("COPY t FROM stdin (FORMAT csv, HEADER 'match')", "COPY t FROM stdin (FORMAT csv, HEADER 'true ')"),
            ("COPY t FROM stdin CSV HEADER", "COPY t FROM stdin CSV HEADER"),
            (r#"COPY t ("header match") FROM stdin"#, r#"COPY t ("header match") FROM stdin"#),
        ] {
            assert_eq!(String::from_utf8_lossy(&without_header_match(statement.as_bytes())), tried);
        }
    }
}
