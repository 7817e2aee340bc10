//! Reads the first tokens of a statement, to classify it.

use crate::sql::{Dialect, begins_word, byte, line_end};

/// Maximum number of tokens to read.
const MOST: usize = 24;

/// A token of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word without quotes.
    Word(String),
    /// A quoted name, without its quotes.
    Name(String),
    /// A string; its content is not kept.
    Text,
    /// Any other character.
    Mark(u8),
}

impl Token {
    /// Whether it is this keyword.
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// The name it stands for in this dialect: PostgreSQL converts unquoted names to lower case.
    pub fn name(&self, dialect: Dialect) -> Option<String> {
        match (self, dialect) {
            (Self::Word(word), Dialect::Postgres) => Some(word.to_ascii_lowercase()),
            (Self::Word(word), Dialect::Mysql) => Some(word.clone()),
            (Self::Name(name), _) => Some(name.clone()),
            _ => None,
        }
    }
}

/// The first tokens, without comments. The content of MySQL's executable comments is included.
pub fn tokens(text: &[u8], dialect: Dialect) -> Vec<Token> {
    tokens_up_to(text, dialect, MOST)
}

/// At most `most` of these tokens.
pub fn tokens_up_to(text: &[u8], dialect: Dialect, most: usize) -> Vec<Token> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() && found.len() < most {
        let (b, next) = (byte(text, at), byte(text, at + 1));
        if b.is_ascii_whitespace() {
            at += 1;
        } else if (b, next) == (b'-', b'-') || (b == b'#' && dialect == Dialect::Mysql) {
            at = line_end(text, at);
        } else if (b, next) == (b'/', b'*') {
            at = comment(text, at, dialect);
        } else if (b, next) == (b'*', b'/') && dialect == Dialect::Mysql {
            at += 2;
        } else if matches!(b, b'\'' | b'"' | b'`') {
            let (inside, to) = quoted(text, at, b, dialect);
            // In MySQL it depends on the mode whether double quotes enclose a name; where a name belongs, they do.
            found.push(if b == b'\'' { Token::Text } else { Token::Name(inside) });
            at = to;
        } else if begins_word(b) || b.is_ascii_digit() || b == b'$' || b == b'@' {
            let rest = text.get(at..).unwrap_or_default();
            let is_part = |b: &&u8| begins_word(**b) || b.is_ascii_digit() || matches!(**b, b'$' | b'@');
            let length = rest.iter().take_while(is_part).count();
            let word = rest.get(..length.min(256)).unwrap_or_default();
            found.push(Token::Word(String::from_utf8_lossy(word).into_owned()));
            at += length;
        } else {
            found.push(Token::Mark(b));
            at += 1;
        }
    }
    found
}

/// The position after a comment, or after its opening if its content is executable.
fn comment(text: &[u8], at: usize, dialect: Dialect) -> usize {
    let rest = text.get(at + 2..).unwrap_or_default();
    let opening = match rest {
        [b'!', ..] if dialect == Dialect::Mysql => Some(1),
        [b'M', b'!', ..] if dialect == Dialect::Mysql => Some(2),
        _ => None,
    };
    if let Some(length) = opening {
        let digits = rest.iter().skip(length).take_while(|b| b.is_ascii_digit()).count();
        return at + 2 + length + digits;
    }
    let (mut depth, mut to) = (1, at + 2);
    while to < text.len() && depth > 0 {
        match (byte(text, to), byte(text, to + 1)) {
            (b'*', b'/') => depth -= 1,
            (b'/', b'*') if dialect == Dialect::Postgres => depth += 1,
            _ => {
                to += 1;
                continue;
            }
        }
        to += 2;
    }
    to
}

/// The content of a quoted text, and the position after it.
fn quoted(text: &[u8], at: usize, quote: u8, dialect: Dialect) -> (String, usize) {
    let (mut inside, mut to) = (Vec::new(), at + 1);
    while to < text.len() {
        let b = byte(text, to);
        if b == quote && byte(text, to + 1) != quote {
            return (String::from_utf8_lossy(&inside).into_owned(), to + 1);
        }
        let escaped = b == quote || (b == b'\\' && quote != b'`' && dialect == Dialect::Mysql);
        to += usize::from(escaped);
        if inside.len() < 256 {
            inside.push(byte(text, to));
        }
        to += 1;
    }
    (String::from_utf8_lossy(&inside).into_owned(), to)
}

#[cfg(test)]
mod tests {
    use crate::sql::tokens::*;

    #[test]
    fn comments_are_skipped_except_executable_ones() {
        let said = tokens(b"CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mi``ce` /*!40100 DEFAULT */", Dialect::Mysql);
        let words = ["CREATE", "DATABASE", "IF", "NOT", "EXISTS"].map(|w| Token::Word(w.to_owned()));
        assert_eq!(said.get(..5), Some(&words[..]));
        assert_eq!(said.get(5), Some(&Token::Name("mi`ce".to_owned())));
        let said = tokens(b"-- a\n/* b /* c */ d */ Create \"X\"\"y\" 'it''s' ; $1", Dialect::Postgres);
        assert_eq!(said.first().map(|t| t.is("CREATE")), Some(true));
        assert_eq!(said.get(1..4), Some(&[Token::Name("X\"y".to_owned()), Token::Text, Token::Mark(b';')][..]));
        assert_eq!(Token::Word("Mice".to_owned()).name(Dialect::Postgres).as_deref(), Some("mice"));
    }
}
