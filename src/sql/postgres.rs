//! Lexical rules of psql: strings with and without backslash escapes, dollar quotes, nested comments, parentheses and
//! `BEGIN ATOMIC … END` bodies, within which a semicolon ends nothing, and the rows of a `COPY`.

use crate::sql::{CutPoint, PieceKind, begins_word, byte, line_end, sets};

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum State {
    #[default]
    Plain,
    /// Inside quotes of this kind; whether a backslash escapes the next character.
    Quotes(u8, bool),
    Dollar(Vec<u8>),
    LineComment,
    /// Nesting depth.
    Comment(u32),
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Mode {
    #[default]
    Between,
    Statement,
    /// In the rest of the line on which a `COPY` ended.
    BeforeRows,
    /// Whether the position is within a line.
    Rows(bool),
}

/// Facts about the statement so far.
#[derive(Debug, Default)]
struct Shown {
    depth: u32,
    /// Number of open `BEGIN` and `CASE` of a body.
    bodies: u32,
    /// Initials of the first words, if they are among those that create a function.
    first: [u8; 4],
    words: usize,
    copy: bool,
    after_from: bool,
    rows: bool,
    /// After a string with escapes, which continues if another string follows on a later line: whether that line began.
    goes_on: Option<bool>,
}

/// The state machine that finds the pieces of a dump.
#[derive(Debug, Default)]
pub struct Postgres {
    mode: Mode,
    state: State,
    shown: Shown,
    /// `standard_conforming_strings = off`: a backslash escapes in every string.
    escapes: bool,
}

enum Stop {
    Limit,
    Terminator(usize),
    Command,
}

impl Postgres {
    pub(super) fn cut(&mut self, ready: &[u8], limit: usize, end: bool) -> CutPoint {
        match self.mode {
            Mode::Between => {}
            Mode::Statement => return self.statement(ready, limit, end, false),
            Mode::BeforeRows => {
                self.mode = Mode::Rows(false);
                let to = line_end(ready, 0);
                let rest = ready.get(..to).unwrap_or(ready).trim_ascii();
                let harmless = rest.is_empty() || rest.starts_with(b"--");
                return if harmless {
                    CutPoint::space(to)
                } else {
                    CutPoint { kind: PieceKind::Command, ..CutPoint::space(to) }
                };
            }
            Mode::Rows(within) => return self.rows(ready, limit, end, within),
        }
        let space = self.space(ready, limit);
        if space > 0 {
            return CutPoint::space(space);
        }
        if byte(ready, 0) == b'\\' {
            return CutPoint { kind: PieceKind::Command, ..CutPoint::space(line_end(ready, 0)) };
        }
        self.mode = Mode::Statement;
        self.shown = Shown::default();
        self.statement(ready, limit, end, true)
    }

    /// Length of the whitespace, comments and empty statements at the beginning.
    fn space(&mut self, ready: &[u8], limit: usize) -> usize {
        let mut at = 0;
        while at < limit {
            match &self.state {
                State::LineComment | State::Comment(_) => at = self.comment(ready, at),
                _ => match byte(ready, at) {
                    b if b.is_ascii_whitespace() || b == b';' || b == 0x0b => at += 1,
                    _ => match self.opens_comment(ready, at) {
                        Some(to) => at = to,
                        None => break,
                    },
                },
            }
        }
        at
    }

    fn opens_comment(&mut self, ready: &[u8], at: usize) -> Option<usize> {
        self.state = match (byte(ready, at), byte(ready, at + 1)) {
            (b'-', b'-') => State::LineComment,
            (b'/', b'*') => State::Comment(1),
            _ => return None,
        };
        Some(at + 2)
    }

    /// Advances by one step within a comment.
    fn comment(&mut self, ready: &[u8], at: usize) -> usize {
        let State::Comment(depth) = self.state else {
            let to = line_end(ready, at);
            if byte(ready, to.saturating_sub(1)) == b'\n' {
                self.state = State::Plain;
            }
            return to;
        };
        match (byte(ready, at), byte(ready, at + 1)) {
            (b'*', b'/') => self.state = if depth <= 1 { State::Plain } else { State::Comment(depth - 1) },
            (b'/', b'*') => self.state = State::Comment(depth + 1),
            _ => return at + 1,
        }
        at + 2
    }

    fn statement(&mut self, ready: &[u8], limit: usize, end: bool, first: bool) -> CutPoint {
        let (at, stop) = self.scan(ready, limit);
        let text = at.min(ready.len());
        let cut = CutPoint { kind: PieceKind::Statement, first, ..CutPoint::space(text) };
        let skip = match stop {
            Stop::Limit => {
                let last = end && text == ready.len();
                if last {
                    self.mode = Mode::Between;
                }
                return CutPoint { last, ..cut };
            }
            Stop::Terminator(skip) => skip,
            Stop::Command => {
                self.mode = Mode::Between;
                return CutPoint { last: true, ..cut };
            }
        };
        if first && let Some(statement) = ready.get(..text) {
            self.learn(statement);
        }
        let rows = self.shown.copy && self.shown.rows;
        self.mode = if rows { Mode::BeforeRows } else { Mode::Between };
        CutPoint { skip, last: true, ended: true, rows, ..cut }
    }

    /// Applies a setting that affects how later statements are parsed.
    fn learn(&mut self, statement: &[u8]) {
        if statement.len() < 256
            && sets(statement)
            && let Ok(text) = std::str::from_utf8(statement)
            && text.contains("standard_conforming_strings")
        {
            self.escapes = is_off(text);
        }
    }

    fn scan(&mut self, ready: &[u8], limit: usize) -> (usize, Stop) {
        let mut at = 0;
        while at < limit {
            match &self.state {
                State::Plain => match self.plain(ready, at) {
                    Ok(to) => at = to,
                    Err(stop) => return (at, stop),
                },
                State::LineComment | State::Comment(_) => {
                    at = self.comment(ready, at);
                    if let Some(new_line) = &mut self.shown.goes_on {
                        *new_line |= byte(ready, at.saturating_sub(1)) == b'\n';
                    }
                }
                State::Quotes(quote, escapes) => {
                    let (quote, escapes) = (*quote, *escapes);
                    match byte(ready, at) {
                        b'\\' if escapes => at += 2,
                        b if b == quote && byte(ready, at + 1) == quote => at += 2,
                        b if b == quote => {
                            self.state = State::Plain;
                            self.shown.goes_on = (escapes && quote == b'\'').then_some(false);
                            at += 1;
                        }
                        _ => at += 1,
                    }
                }
                State::Dollar(tag) => {
                    let rest = ready.get(at..).unwrap_or_default();
                    if rest.starts_with(tag) {
                        at += tag.len();
                        self.state = State::Plain;
                    } else {
                        at += 1;
                    }
                }
            }
        }
        (at, Stop::Limit)
    }

    /// Reads one token outside of quotes.
    fn plain(&mut self, ready: &[u8], at: usize) -> Result<usize, Stop> {
        let b = byte(ready, at);
        if b.is_ascii_whitespace() {
            if let Some(new_line) = &mut self.shown.goes_on {
                *new_line |= b == b'\n';
            }
            return Ok(at + 1);
        }
        if let Some(to) = self.opens_comment(ready, at) {
            if self.state != State::LineComment {
                self.shown.goes_on = None;
            }
            return Ok(to);
        }
        let goes_on = self.shown.goes_on.take() == Some(true);
        if begins_word(b) {
            return Ok(self.word(ready, at));
        }
        self.shown.after_from = false;
        match b {
            b'\'' => self.state = State::Quotes(b, goes_on || self.escapes),
            b'"' => self.state = State::Quotes(b, false),
            b'(' => self.shown.depth += 1,
            b')' => self.shown.depth = self.shown.depth.saturating_sub(1),
            b';' if self.shown.depth == 0 && self.shown.bodies == 0 => return Err(Stop::Terminator(1)),
            // psql sends both sides together, which has the same effect as sending one after the other.
            b'\\' if byte(ready, at + 1) == b';' => return Err(Stop::Terminator(2)),
            b'\\' => return Err(Stop::Command),
            b'$' => {
                if let Some(tag) = dollar_tag(ready, at) {
                    let to = at + tag.len();
                    self.state = State::Dollar(tag);
                    return Ok(to);
                }
                let digits = ready.iter().skip(at + 1).take_while(|b| b.is_ascii_digit()).count();
                return Ok(at + 1 + digits);
            }
            _ => {}
        }
        Ok(at + 1)
    }

    fn word(&mut self, ready: &[u8], at: usize) -> usize {
        let rest = ready.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|b| begins_word(**b) || b.is_ascii_digit() || **b == b'$').count();
        let word = rest.get(..length).unwrap_or_default();
        let shown = &mut self.shown;
        if word.eq_ignore_ascii_case(b"e") && byte(rest, 1) == b'\'' {
            self.state = State::Quotes(b'\'', true);
            shown.after_from = false;
            return at + 2;
        }
        let is = |w: &str| word.eq_ignore_ascii_case(w.as_bytes());
        if shown.words == 0 {
            shown.copy = is("copy");
        }
        shown.rows |= shown.copy && shown.after_from && shown.depth == 0 && is("stdin");
        shown.after_from = is("from");
        if ["create", "function", "procedure", "or", "replace"].into_iter().any(is)
            && let Some(slot) = shown.first.get_mut(shown.words)
        {
            *slot = byte(word, 0).to_ascii_lowercase();
        }
        shown.words += 1;
        let [first, second, third, fourth] = shown.first;
        let makes = |letter: u8| letter == b'f' || letter == b'p';
        let makes = makes(second) || (second == b'o' && third == b'r' && makes(fourth));
        if first == b'c' && makes && shown.depth == 0 {
            if is("begin") || (is("case") && shown.bodies > 0) {
                shown.bodies += 1;
            } else if is("end") {
                shown.bodies = shown.bodies.saturating_sub(1);
            }
        }
        at + length
    }

    /// Cuts off rows: all complete lines in the buffer.
    fn rows(&mut self, ready: &[u8], limit: usize, end: bool, mut within: bool) -> CutPoint {
        let mut at = 0;
        let cut = |text| CutPoint { kind: PieceKind::Rows, ..CutPoint::space(text) };
        while at < limit {
            let to = line_end(ready, at);
            let line = ready.get(at..to).unwrap_or_default();
            let whole = line.ends_with(b"\n");
            if !within && line.starts_with(b"\\.") && matches!(line.trim_ascii_end(), b"\\.") && (whole || end) {
                self.mode = Mode::Between;
                return CutPoint { skip: to - at, last: true, ended: true, ..cut(at) };
            }
            if !whole && !end && !within && at > 0 {
                // The rest of this line has not been read yet.
                break;
            }
            (at, within) = (to, !whole);
        }
        let last = end && at == ready.len();
        self.mode = if last { Mode::Between } else { Mode::Rows(within) };
        CutPoint { last, ..cut(at) }
    }
}

/// The opening of a dollar quote at `at`, such as `$body$`.
fn dollar_tag(ready: &[u8], at: usize) -> Option<Vec<u8>> {
    let rest = ready.get(at + 1..)?;
    let length = rest.iter().take_while(|b| begins_word(**b) || b.is_ascii_digit()).count();
    let fine = length == 0 || begins_word(byte(rest, 0));
    (fine && byte(rest, length) == b'$').then(|| ready.get(at..at + length + 2).unwrap_or_default().to_vec())
}

/// Whether a statement switches `standard_conforming_strings` off. PostgreSQL takes each beginning of a word that is not
/// ambiguous (`parse_bool_with_len` in its bool.c).
fn is_off(statement: &str) -> bool {
    let Some((_, value)) = statement.split_once("standard_conforming_strings") else { return false };
    let value = value.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    let value = value
        .strip_prefix("to")
        .map_or(value.as_str(), |value| value.trim_start_matches([' ', '\t', '\n', '\r', '\'']));
    let word = value.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let begins = |whole: &str, least: usize| word.len() >= least && whole.starts_with(word);
    begins("off", 2) || begins("false", 1) || begins("no", 1) || word == "0"
}

#[cfg(test)]
mod tests {
    use crate::sql::postgres::is_off;

    #[test]
    fn every_way_to_turn_the_setting_off_is_understood() {
        for value in ["= off", "= 'off'", "TO off", "to 'OFF'", "=false", "= f", "TO no", "= 0", "= of", "= 'n'"] {
            assert!(is_off(&format!("SET standard_conforming_strings {value};")), "{value}");
        }
        assert!(is_off("SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false);"));
        for value in ["= on", "TO 'on'", "= true", "= 1", "TO DEFAULT", "= o", ""] {
            assert!(!is_off(&format!("SET standard_conforming_strings {value};")), "{value}");
        }
    }
}
