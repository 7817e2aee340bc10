//! Parses statements about accounts word by word, and rejects everything that does not match.

use crate::sql::to_mariadb::{LexToken, TokenKind, tokens};

/// Why a statement does not match.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAccepted(pub(super) &'static str);

/// Maximum words of a privilege.
const WORDS: usize = 4;

/// Reads the tokens of a statement.
pub(super) struct StatementReader<'a> {
    statement: &'a [u8],
    found: Vec<LexToken>,
    at: usize,
}

impl<'a> StatementReader<'a> {
    pub(super) fn new(statement: &'a [u8]) -> Self {
        let found = tokens(statement).filter(|t| t.what != TokenKind::Comment).collect();
        Self { statement, found, at: 0 }
    }

    fn peek(&self, ahead: usize) -> Option<&LexToken> {
        self.found.get(self.at + ahead)
    }

    /// Consumes these words if all of them come next.
    pub(super) fn takes(&mut self, words: &[&str]) -> bool {
        let all = words.iter().enumerate().all(|(i, w)| self.peek(i).is_some_and(|t| t.is(self.statement, w)));
        if all {
            self.at += words.len();
        }
        all
    }

    pub(super) fn words(&mut self, words: &[&str]) -> Result<(), NotAccepted> {
        if self.takes(words) { Ok(()) } else { Err(NotAccepted("a word is missing")) }
    }

    /// Consumes one of these words.
    pub(super) fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let found = words.iter().find(|w| self.peek(0).is_some_and(|t| t.is(self.statement, w))).copied();
        self.at += usize::from(found.is_some());
        found
    }

    pub(super) fn is_limit(&self, words: &[&str]) -> bool {
        self.peek(0).is_some_and(|t| t.is_any(self.statement, words))
    }

    pub(super) fn takes_mark(&mut self, mark: u8) -> bool {
        // The lexer returns an @ as a word.
        let is = self.peek(0).is_some_and(|t| t.bytes(self.statement) == [mark] && t.what != TokenKind::Text);
        self.at += usize::from(is);
        is
    }

    pub(super) fn mark(&mut self, mark: u8) -> Result<(), NotAccepted> {
        if self.takes_mark(mark) { Ok(()) } else { Err(NotAccepted("a character is missing")) }
    }

    pub(super) fn is_name(&self) -> bool {
        self.peek(0).is_some_and(|t| t.what == TokenKind::Name)
    }

    fn value(&mut self, fine: impl Fn(TokenKind) -> bool) -> Option<Vec<u8>> {
        let token = self.peek(0).filter(|t| fine(t.what))?;
        let value = token.value(self.statement)?;
        self.at += 1;
        (value.len() <= 4096 && std::str::from_utf8(&value).is_ok()).then_some(value)
    }

    /// Consumes a name in backticks.
    pub(super) fn name(&mut self) -> Result<Vec<u8>, NotAccepted> {
        self.value(|what| what == TokenKind::Name).ok_or(NotAccepted("a name is expected"))
    }

    /// Consumes a name in backticks or quotes.
    pub(super) fn name_or_text(&mut self) -> Result<Vec<u8>, NotAccepted> {
        self.value(|what| matches!(what, TokenKind::Name | TokenKind::Text)).ok_or(NotAccepted("a name is expected"))
    }

    /// Consumes a string.
    pub(super) fn text(&mut self) -> Result<Vec<u8>, NotAccepted> {
        self.value(|what| what == TokenKind::Text).ok_or(NotAccepted("a string is expected"))
    }

    fn word(&mut self, fine: impl Fn(u8) -> bool) -> Option<String> {
        let token = self.peek(0).filter(|t| t.what == TokenKind::Word)?;
        let bytes = token.bytes(self.statement);
        let word =
            (bytes.len() <= 64 && bytes.iter().all(|b| fine(*b))).then(|| String::from_utf8_lossy(bytes).into_owned());
        self.at += usize::from(word.is_some());
        word
    }

    pub(super) fn plugin(&mut self) -> Result<String, NotAccepted> {
        self.word(|b| b.is_ascii_alphanumeric() || b == b'_').ok_or(NotAccepted("no authentication method"))
    }

    pub(super) fn digits(&mut self) -> Result<String, NotAccepted> {
        self.word(|b| b.is_ascii_digit()).ok_or(NotAccepted("a number is expected"))
    }

    /// Consumes a number, optionally with a sign and decimals.
    pub(super) fn number(&mut self) -> Result<String, NotAccepted> {
        let sign = if self.takes_mark(b'-') { "-" } else { "" };
        let whole = self.digits()?;
        let decimals = if self.takes_mark(b'.') { format!(".{}", self.digits()?) } else { String::new() };
        Ok(format!("{sign}{whole}{decimals}"))
    }

    /// Consumes a privilege, which is up to [`WORDS`] words.
    pub(super) fn right(&mut self) -> Result<String, NotAccepted> {
        let mut words = Vec::new();
        while !self.peek(0).is_some_and(|t| t.is(self.statement, "ON")) {
            match self.word(|b| b.is_ascii_alphabetic() || b == b'_') {
                Some(word) if words.len() < WORDS => words.push(word.to_ascii_uppercase()),
                Some(_) => return Err(NotAccepted("a privilege of too many words")),
                None => break,
            }
        }
        if words.is_empty() { Err(NotAccepted("a privilege is expected")) } else { Ok(words.join(" ")) }
    }

    /// Consumes all remaining tokens.
    pub(super) fn rest(&mut self) {
        self.at = self.found.len();
    }

    pub(super) fn end(&self) -> Result<(), NotAccepted> {
        if self.at == self.found.len() { Ok(()) } else { Err(NotAccepted("unexpected trailing text")) }
    }
}
