//! Locates the tokens of a MySQL or MariaDB statement, so that some can be replaced while all others are kept byte for
//! byte.

use std::ops::Range;

/// The version in a comment that is meant for the client only: no server is that new.
const NEVER: &[u8] = b"999999";

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A word or number without quotes, including those like `@@global`.
    Word,
    /// A name in backticks.
    Name,
    /// A string in single or double quotes.
    Text,
    /// Any other character.
    Mark,
    /// A comment that no server executes.
    Comment,
    /// The opening of an executable comment including its version, or its end.
    Executed,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LexToken {
    /// What it is.
    pub what: TokenKind,
    /// Its position in the statement.
    pub at: Range<usize>,
}

impl LexToken {
    /// Its bytes.
    pub fn bytes<'a>(&self, statement: &'a [u8]) -> &'a [u8] {
        statement.get(self.at.clone()).unwrap_or_default()
    }

    /// Whether it is this keyword.
    pub fn is(&self, statement: &[u8], keyword: &str) -> bool {
        self.what == TokenKind::Word && self.bytes(statement).eq_ignore_ascii_case(keyword.as_bytes())
    }

    /// Whether it is one of these keywords.
    pub fn is_any(&self, statement: &[u8], keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(statement, keyword))
    }

    /// Whether it is this character.
    pub fn is_mark(&self, statement: &[u8], mark: u8) -> bool {
        self.what == TokenKind::Mark && self.bytes(statement) == [mark]
    }

    /// Its value without quotes; `None` for a mark or a comment.
    pub fn value(&self, statement: &[u8]) -> Option<Vec<u8>> {
        let bytes = self.bytes(statement);
        match self.what {
            TokenKind::Word => Some(bytes.to_vec()),
            TokenKind::Name | TokenKind::Text => Some(unquoted(bytes)),
            _ => None,
        }
    }
}

/// Removes quotes and resolves escapes: doubled quotes, and backslashes in strings.
fn unquoted(bytes: &[u8]) -> Vec<u8> {
    let Some((&quote, rest)) = bytes.split_first() else { return Vec::new() };
    let inside = rest.strip_suffix(&[quote]).unwrap_or(rest);
    let (mut value, mut from) = (Vec::with_capacity(inside.len()), inside.iter().copied().peekable());
    while let Some(b) = from.next() {
        let next = from.peek().copied();
        match (b, next) {
            (b, Some(same)) if b == quote && same == quote => {
                from.next();
                value.push(quote);
            }
            (b'\\', Some(escaped)) if quote != b'`' => {
                from.next();
                value.extend(match escaped {
                    b'0' => vec![0],
                    b'b' => vec![8],
                    b'n' => vec![b'\n'],
                    b'r' => vec![b'\r'],
                    b't' => vec![b'\t'],
                    b'Z' => vec![26],
                    b'%' | b'_' => vec![b'\\', escaped],
                    other => vec![other],
                });
            }
            (b, _) => value.push(b),
        }
    }
    value
}

/// Reads a statement token by token.
#[derive(Debug)]
pub struct Tokens<'a> {
    statement: &'a [u8],
    at: usize,
    /// Whether the position is within an executable comment.
    executed: bool,
}

/// The tokens of a statement. Whitespace belongs to none.
pub fn tokens(statement: &[u8]) -> Tokens<'_> {
    Tokens { statement, at: 0, executed: false }
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'@') || b >= 0x80
}

impl Tokens<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.statement.get(at).copied().unwrap_or(0)
    }

    /// End of a run of bytes that are `fine`.
    fn run(&self, from: usize, fine: impl Fn(u8) -> bool) -> usize {
        let rest = self.statement.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|b| fine(**b)).count()
    }

    /// The position after the closing quote of the text that begins at `from`.
    fn quoted(&self, from: usize, quote: u8) -> usize {
        let mut at = from + 1;
        while at < self.statement.len() {
            match self.byte(at) {
                b'\\' if quote != b'`' => at += 2,
                b if b == quote && self.byte(at + 1) == quote => at += 2,
                b if b == quote => return at + 1,
                _ => at += 1,
            }
        }
        self.statement.len()
    }

    fn end_of_line(&self, from: usize) -> usize {
        self.run(from, |b| b != b'\n')
    }

    fn end_of_comment(&self, from: usize) -> usize {
        let rest = self.statement.get(from + 2..).unwrap_or_default();
        rest.windows(2).position(|w| w == b"*/").map_or(self.statement.len(), |n| from + 2 + n + 2)
    }
}

impl Iterator for Tokens<'_> {
    type Item = LexToken;

    fn next(&mut self) -> Option<LexToken> {
        let from = self.run(self.at, |b| b.is_ascii_whitespace() || b == 0x0b);
        if from >= self.statement.len() {
            return None;
        }
        let (b, next) = (self.byte(from), self.byte(from + 1));
        let third = self.byte(from + 2);
        let (what, to) = match (b, next) {
            (b'\'' | b'"', _) => (TokenKind::Text, self.quoted(from, b)),
            (b'`', _) => (TokenKind::Name, self.quoted(from, b)),
            (b'#', _) => (TokenKind::Comment, self.end_of_line(from)),
            (b'-', b'-') if third.is_ascii_whitespace() || third.is_ascii_control() => {
                (TokenKind::Comment, self.end_of_line(from))
            }
            (b'*', b'/') if self.executed => {
                self.executed = false;
                (TokenKind::Executed, from + 2)
            }
            (b'/', b'*') if third == b'!' || (third == b'M' && self.byte(from + 3) == b'!') => {
                let begin = from + if third == b'!' { 3 } else { 4 };
                let end = self.run(begin, |b| b.is_ascii_digit());
                if self.statement.get(begin..end) == Some(NEVER) {
                    (TokenKind::Comment, self.end_of_comment(from))
                } else {
                    self.executed = true;
                    (TokenKind::Executed, end)
                }
            }
            (b'/', b'*') => (TokenKind::Comment, self.end_of_comment(from)),
            _ if is_word(b) => (TokenKind::Word, self.run(from, is_word)),
            _ => (TokenKind::Mark, from + 1),
        };
        self.at = to.min(self.statement.len());
        Some(LexToken { what, at: from..self.at })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::sql::to_mariadb::lexer::*;

    fn said(statement: &str) -> Vec<(TokenKind, String)> {
        let text = statement.as_bytes();
        tokens(text).map(|t| (t.what, String::from_utf8_lossy(t.bytes(text)).into_owned())).collect()
    }

    #[test]
    fn tokens_are_distinguished() {
        let statement = "/*!50003 CREATE*/ DEFINER=`a``b`@'%' -- x\n /* y */ SET @@GLOBAL.x='it''s \\' ok' # z";
        let words: Vec<_> = said(statement).into_iter().map(|(w, t)| format!("{w:?} {t}")).collect();
        assert_eq!(
            words,
            [
                "Executed /*!50003",
                "Word CREATE",
                "Executed */",
                "Word DEFINER",
                "Mark =",
                "Name `a``b`",
                "Word @",
                "Text '%'",
                "Comment -- x",
                "Comment /* y */",
                "Word SET",
                "Word @@GLOBAL",
                "Mark .",
                "Word x",
                "Mark =",
                "Text 'it''s \\' ok'",
                "Comment # z"
            ]
        );
    }

    #[test]
    fn quoted_values_are_unquoted() {
        let value = |text: &str| tokens(text.as_bytes()).next().and_then(|t| t.value(text.as_bytes()));
        assert_eq!(value("`a``b\\`"), Some(b"a`b\\".to_vec()));
        assert_eq!(value("'a''b\\'\\n\\_\\0'"), Some(b"a'b'\n\\_\0".to_vec()));
        assert_eq!(value("\"a\"\"b\""), Some(b"a\"b".to_vec()));
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_duplicated(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut at = 0;
            for token in tokens(&text) {
                prop_assert!(token.at.start >= at && token.at.end > token.at.start);
                let between = &text[at..token.at.start];
                prop_assert!(between.iter().all(|b| b.is_ascii_whitespace() || *b == 0x0b));
                at = token.at.end;
            }
            prop_assert!(text[at..].iter().all(|b| b.is_ascii_whitespace() || *b == 0x0b));
        }

        #[test]
        fn a_string_is_always_one_token(inside in "[^\0]{0,40}") {
            for quote in ["'", "\""] {
                let escaped = inside.replace('\\', "\\\\").replace(quote, &quote.repeat(2));
                let text = format!("{quote}{escaped}{quote}");
                let found: Vec<_> = tokens(text.as_bytes()).collect();
                prop_assert_eq!(found.len(), 1);
                prop_assert_eq!(found[0].value(text.as_bytes()), Some(inside.clone().into_bytes()));
            }
            let name = format!("`{}`", inside.replace('`', "``"));
            let found: Vec<_> = tokens(name.as_bytes()).collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].value(name.as_bytes()), Some(inside.into_bytes()));
        }
    }
}
