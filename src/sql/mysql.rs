//! Lexical rules of the MySQL and MariaDB client: strings with backslash escapes, names in backticks, three kinds of
//! comments, executable comments, and a delimiter that a dump may change.

use crate::sql::client_charset::{ClientCharset, setting};
use crate::sql::{CutPoint, PieceKind, byte, line_end};

/// Maximum length of a delimiter in the client.
const LONGEST: usize = 15;

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    Quotes(u8),
    LineComment,
    Comment,
}

/// The state machine that finds the pieces of a dump.
#[derive(Debug)]
pub struct Mysql {
    within: bool,
    state: State,
    delimiter: Vec<u8>,
    /// Whether `sql_mode` contains `NO_BACKSLASH_ESCAPES`.
    plain_backslash: bool,
    charset: ClientCharset,
}

impl Default for Mysql {
    fn default() -> Self {
        Self {
            within: false,
            state: State::Plain,
            delimiter: b";".to_vec(),
            plain_backslash: false,
            charset: ClientCharset::default(),
        }
    }
}

impl Mysql {
    pub(super) fn cut(&mut self, ready: &[u8], limit: usize, end: bool) -> CutPoint {
        let first = !self.within;
        if first {
            let space = self.space(ready, limit);
            if space > 0 {
                return CutPoint::space(space);
            }
            self.within = true;
        }
        let (at, ended) = self.scan(ready, limit);
        let text = at.min(ready.len());
        let last = ended || (end && text == ready.len());
        self.within = !last;
        if ended
            && first
            && let Some(statement) = ready.get(..text)
        {
            self.learn(statement);
        }
        let skip = if ended { self.delimiter.len() } else { 0 };
        CutPoint { kind: PieceKind::Statement, skip, first, last, ended, ..CutPoint::space(text) }
    }

    fn at_delimiter(&self, ready: &[u8], at: usize) -> bool {
        ready.get(at..).is_some_and(|rest| rest.starts_with(&self.delimiter))
    }

    /// Length of the whitespace, comments, empty statements and delimiter changes at the beginning.
    fn space(&mut self, ready: &[u8], limit: usize) -> usize {
        let mut at = 0;
        while at < limit {
            if self.state != State::Plain {
                at = self.comment(ready, at);
            } else if byte(ready, at).is_ascii_whitespace() || byte(ready, at) == 0x0b {
                at += 1;
            } else if self.at_delimiter(ready, at) {
                at += self.delimiter.len();
            } else if let Some(to) = self.opens_comment(ready, at, true) {
                at = to;
            } else if let Some(to) = self.new_delimiter(ready, at) {
                at = to;
            } else {
                break;
            }
        }
        at
    }

    /// Parses a line that changes the delimiter.
    fn new_delimiter(&mut self, ready: &[u8], at: usize) -> Option<usize> {
        let word = ready.get(at..at + 9).filter(|w| w.eq_ignore_ascii_case(b"delimiter"))?;
        let to = line_end(ready, at);
        let rest = ready.get(at + word.len()..to)?;
        let fine = rest.first().is_none_or(|b| !b.is_ascii_alphanumeric() && *b != b'_' && *b != b'.');
        let delimiter = rest.split(u8::is_ascii_whitespace).find(|part| !part.is_empty())?;
        let quoted = |q: u8| delimiter.strip_prefix(&[q]).and_then(|d| d.strip_suffix(&[q])).filter(|d| !d.is_empty());
        let delimiter = quoted(b'\'').or_else(|| quoted(b'"')).or_else(|| quoted(b'`')).unwrap_or(delimiter);
        if fine && !delimiter.contains(&b'\\') {
            self.delimiter = delimiter.get(..LONGEST).unwrap_or(delimiter).to_vec();
            return Some(to);
        }
        None
    }

    fn opens_comment(&mut self, ready: &[u8], at: usize, first: bool) -> Option<usize> {
        let next = byte(ready, at + 1);
        let (state, length) = match byte(ready, at) {
            b'#' => (State::LineComment, 1),
            b'-' if next == b'-' => {
                let third = byte(ready, at + 2);
                let fine = first || third.is_ascii_whitespace() || third.is_ascii_control();
                (fine.then_some(State::LineComment)?, 2)
            }
            // An executable comment is part of the statement.
            b'/' if next == b'*' && !executed(ready, at) => (State::Comment, 2),
            _ => return None,
        };
        self.state = state;
        Some(at + length)
    }

    fn comment(&mut self, ready: &[u8], at: usize) -> usize {
        if self.state == State::LineComment {
            let to = line_end(ready, at);
            if byte(ready, to.saturating_sub(1)) == b'\n' {
                self.state = State::Plain;
            }
            return to;
        }
        if byte(ready, at) == b'*' && byte(ready, at + 1) == b'/' {
            self.state = State::Plain;
            return at + 2;
        }
        at + 1
    }

    /// Applies a setting that affects how later statements are parsed.
    fn learn(&mut self, statement: &[u8]) {
        if let Some(text) = setting(statement) {
            if text.contains("SQL_MODE") {
                self.plain_backslash = text.contains("NO_BACKSLASH_ESCAPES");
            }
            self.charset.learn(&text);
        }
    }

    /// The length of the character at `at`, as far as it matters here.
    fn width(&self, b: u8) -> usize {
        if self.charset.begins_two_bytes(b) { 2 } else { 1 }
    }

    /// Scans up to the delimiter or the limit.
    fn scan(&mut self, ready: &[u8], limit: usize) -> (usize, bool) {
        let mut at = 0;
        while at < limit {
            let b = byte(ready, at);
            match self.state {
                State::Plain if b == byte(&self.delimiter, 0) && self.at_delimiter(ready, at) => return (at, true),
                State::Plain => match b {
                    b'\'' | b'"' | b'`' => {
                        self.state = State::Quotes(b);
                        at += 1;
                    }
                    b'\\' if !self.plain_backslash => at += 2,
                    _ => at = self.opens_comment(ready, at, false).unwrap_or(at + self.width(b)),
                },
                State::Quotes(quote) => {
                    if b == quote {
                        self.state = State::Plain;
                    }
                    at += if b == b'\\' && quote != b'`' && !self.plain_backslash { 2 } else { self.width(b) };
                }
                State::LineComment | State::Comment => at = self.comment(ready, at),
            }
        }
        (at, false)
    }
}

/// Whether a comment is executable. The first line of mariadb-dump, which is meant for the client, is not.
fn executed(ready: &[u8], at: usize) -> bool {
    let rest = ready.get(at + 2..).unwrap_or_default();
    rest.starts_with(b"!") || (rest.starts_with(b"M!") && !rest.starts_with(b"M!999999"))
}

#[cfg(test)]
mod tests {
    use crate::sql::Dialect;
    use crate::sql::splitter::Splitter;

    /// The statements of a dump.
    fn statements(dump: &[u8]) -> Vec<Vec<u8>> {
        let (mut splitter, mut found) = (Splitter::new(dump, Dialect::Mysql), Vec::new());
        while let Some(piece) = splitter.next_piece().unwrap() {
            if piece.first && piece.last {
                found.push(piece.text.trim_ascii().to_vec());
            }
        }
        found.retain(|text| !text.is_empty());
        found
    }

    #[test]
    fn second_bytes_of_characters_are_not_backslashes_or_quotes() {
        for (set, character) in
            [("sjis", b"\x95\x5c"), ("cp932", b"\x81\x60"), ("gbk", b"\xd5\x5c"), ("big5", b"\xa5\x5c")]
        {
            let name = format!("/*!50003 SET character_set_client  = {set} */ ;");
            let body = [b"SELECT '".as_slice(), character, b"'"].concat();
            let back = b"/*!50003 SET character_set_client  = @saved_cs_client */ ;".as_slice();
            let dump = [name.as_bytes(), b"\n", &body, b";\n", back, b"\nSELECT 'it\\'s; one';\nSELECT 2;\n"].concat();
            let found = statements(&dump);
            assert_eq!(
                found.len(),
                5,
                "{set}: {:?}",
                found.iter().map(|f| String::from_utf8_lossy(f)).collect::<Vec<_>>()
            );
            assert_eq!(found[1], body, "{set}");
        }
        // Katakana of one byte.
        assert_eq!(statements(b"SET NAMES sjis;\nSELECT '\xb1\\'';\nSELECT 2;\n").len(), 3);
        // What is read from a variable is what the dump has by itself.
        let table = b"SET NAMES gbk;\nSET @saved = @@character_set_client;\nSET character_set_client = utf8mb4;\n\
            SET character_set_client = @saved;\nINSERT INTO t VALUES ('\xd5\x5c');\nSELECT 2;\n";
        assert_eq!(statements(table).len(), 6);
        assert_eq!(statements(b"SET NAMES utf8mb4;\nSELECT '\xc3\xa9';\nSELECT 2;\n").len(), 3);
    }
}
