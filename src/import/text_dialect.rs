//! Finds out whether statements are in the dialect of PostgreSQL or of MySQL: by the comment at their beginning, or by
//! what is written outside strings and comments. The values in a dump may be anything.

use crate::sql::Dialect;

/// First words of statements that dumps begin with.
const WORDS: [&str; 33] = [
    "ALTER",
    "ANALYZE",
    "BEGIN",
    "CALL",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DELETE",
    "DELIMITER",
    "DO",
    "DROP",
    "FLUSH",
    "GRANT",
    "INSERT",
    "LOCK",
    "PREPARE",
    "REFRESH",
    "REINDEX",
    "RENAME",
    "REPLACE",
    "RESET",
    "REVOKE",
    "SELECT",
    "SET",
    "START",
    "TRUNCATE",
    "UNLOCK",
    "UPDATE",
    "USE",
    "VACUUM",
    "VALUES",
    "WITH",
];

/// A text, split before its first statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SqlText<'a> {
    /// Comments, and psql's commands.
    pub header: &'a str,
    /// The statements. A comment that MySQL executes is one.
    pub statements: &'a str,
}

impl<'a> SqlText<'a> {
    /// Splits a text.
    pub fn split(text: &'a str) -> Self {
        let mut rest = text.trim_start_matches('\u{feff}').trim_start();
        loop {
            let after = if rest.starts_with("--") || rest.starts_with(['#', '\\']) {
                rest.split_once('\n').map_or("", |(_, after)| after)
            } else if rest.starts_with("/*M!999999") || (rest.starts_with("/*") && !is_executed(rest)) {
                rest.split_once("*/").map_or("", |(_, after)| after)
            } else {
                break;
            };
            rest = after.trim_start_matches(';').trim_start();
        }
        let (header, statements) = text.split_at(text.len() - rest.len());
        Self { header, statements }
    }

    /// Whether it begins with a statement, judged by the first word, or is a dump of nothing.
    pub fn is_sql(&self) -> bool {
        let word: String = self.statements.chars().take_while(char::is_ascii_alphabetic).collect();
        match self.statements.is_empty() {
            true => self.header.contains(" dump"),
            false => is_executed(self.statements) || WORDS.iter().any(|w| word.eq_ignore_ascii_case(w)),
        }
    }

    /// The dialect, if something shows it.
    pub fn dialect(&self) -> Option<Dialect> {
        let is_command = |l: &str| l.starts_with('\\');
        let maker = self.header_names(|l| l.starts_with("-- ") && l.contains(" dump") || l.contains("Server Type"));
        let maker = maker.or_else(|| self.header.lines().any(is_command).then_some(Dialect::Postgres));
        let judged = || of_statements(&outside_values(self.statements).to_ascii_uppercase());
        // Any other comment may say where the statements come from, or what they were before.
        maker.or_else(judged).or_else(|| self.header_names(|_| true))
    }

    /// The dialect of the only server that such lines of the header name.
    fn header_names(&self, is_about: impl Fn(&str) -> bool) -> Option<Dialect> {
        let names = |words: &[&str]| self.header.lines().any(|l| is_about(l) && words.iter().any(|w| l.contains(w)));
        match (names(&["PostgreSQL"]), names(&["MySQL", "MariaDB"]) || self.header.contains("/*M!")) {
            (true, false) => Some(Dialect::Postgres),
            (false, true) => Some(Dialect::Mysql),
            _ => None,
        }
    }
}

/// Whether a comment at the beginning is executed by MySQL or MariaDB.
fn is_executed(text: &str) -> bool {
    text.starts_with("/*!") || text.starts_with("/*M!")
}

/// Judges statements in capital letters by what comes first in them.
fn of_statements(text: &str) -> Option<Dialect> {
    let first = |words: &[&str]| words.iter().filter_map(|w| text.find(w)).min();
    let mysql = first(&["`", "ENGINE=", "ENGINE =", "AUTO_INCREMENT", "/*!"]);
    let postgres = first(&[" FROM STDIN", "PG_CATALOG.", "\n\\"]);
    match (postgres, mysql) {
        (Some(at), Some(other)) if at < other => Some(Dialect::Postgres),
        (_, Some(_)) => Some(Dialect::Mysql),
        (Some(_), None) => Some(Dialect::Postgres),
        (None, None) => first(&["::", "$$"]).map(|_| Dialect::Postgres),
    }
}

/// The text without the content of strings and of comments that no server executes.
fn outside_values(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '-', '/']) {
        let (before, from) = rest.split_at(at);
        kept.push_str(before);
        let after = if from.starts_with("--") {
            from.find('\n').map_or("", |end| &from[end..])
        } else if from.starts_with("/*") && !is_executed(from) {
            from.split_once("*/").map_or("", |(_, after)| after)
        } else if let Some(quote) = from.chars().next().filter(|c| matches!(c, '\'' | '"')) {
            kept.push(' ');
            after_string(from, quote)
        } else {
            kept.push_str(&from[..1]);
            &from[1..]
        };
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// What follows the string that the text begins with. In MySQL a backslash may hide the quote; in PostgreSQL, where it
/// does not, a value such as `'C:\'` is followed by a comma or a bracket.
fn after_string(text: &str, quote: char) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        let after = &text[at + c.len_utf8()..];
        if c == quote && (!escaped || after.starts_with([',', ')', ';'])) {
            return after;
        }
        escaped = c == '\\' && !escaped;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: &str = "CREATE TABLE t (a text);\nCOPY t (a) FROM stdin;\n";

    #[test]
    fn the_comment_at_the_beginning_decides() {
        for (text, dialect) in [
            (
                "--\n-- PostgreSQL database dump\n--\n\nCOPY t FROM stdin;\n/*! MIT */ ENGINE=x AUTO_INCREMENT `a`\n",
                Dialect::Postgres,
            ),
            ("-- MySQL dump 10.13\nINSERT INTO t VALUES ('$$ FROM stdin pg_catalog. ::');", Dialect::Mysql),
            ("/*M!999999\\- enable the sandbox mode */ \nCREATE TABLE t (i int);", Dialect::Mysql),
            (
                "/*\n Navicat Premium Data Transfer\n\n Source Server Type    : MySQL\n*/\n\nSET NAMES utf8mb4;",
                Dialect::Mysql,
            ),
            ("/*\n Source Server Type    : PostgreSQL\n*/\n\nDROP TABLE IF EXISTS t;", Dialect::Postgres),
            ("-- Adminer 4.8.1 PostgreSQL 15 dump\n\n\\connect \"mice\";\nDROP TABLE t;", Dialect::Postgres),
            ("\\connect mice\ncreate table t (i int);", Dialect::Postgres),
        ] {
            let split = SqlText::split(text);
            assert!(split.is_sql(), "{text}");
            assert_eq!(split.dialect(), Some(dialect), "{text}");
        }
    }

    #[test]
    fn statements_are_judged_without_their_values() {
        let of = |text: &str| SqlText::split(text).dialect();
        for rows in ["/*! jQuery | MIT */", "was AUTO_INCREMENT in MySQL", "use `t`", "ENGINE=InnoDB"] {
            assert_eq!(of(&format!("{COPY}{rows}\n\\.\n")), Some(Dialect::Postgres), "{rows}");
            let values = format!("INSERT INTO t VALUES ('{rows}', 'C:\\', 'it''s', E'\\'', now()::date);");
            assert_eq!(of(&values), Some(Dialect::Postgres), "{values}");
            assert_eq!(of(&format!("INSERT INTO t VALUES ('{rows}');")), None, "{rows}");
        }
        for value in ["fe80::1", "$$", "x FROM stdin", "it\\'s :: here", "a -- b"] {
            assert_eq!(
                of(&format!("CREATE TABLE t (a text) ENGINE=InnoDB;\nINSERT INTO t VALUES ('{value}');")),
                Some(Dialect::Mysql)
            );
            assert_eq!(of(&format!("INSERT INTO t VALUES ('{value}');")), None, "{value}");
        }
        assert_eq!(of("-- from MySQL to PostgreSQL\nSELECT $$a$$;"), Some(Dialect::Postgres));
        assert_eq!(of("-- Ported from MySQL\nCREATE TABLE t (a text);\nCOPY t FROM stdin;\n"), Some(Dialect::Postgres));
        assert_eq!(of("-- was PostgreSQL\nCREATE TABLE t (i int) ENGINE=InnoDB;"), Some(Dialect::Mysql));
        assert_eq!(of("-- for MariaDB\ncreate table t (i int);"), Some(Dialect::Mysql));
    }

    #[test]
    fn other_texts_are_no_statements() {
        for text in
            ["hello", "name,age\nada,36\n", "<html>", "{\"a\": 1}", "", "/* only a comment", "-- only a comment"]
        {
            assert!(!SqlText::split(text).is_sql(), "{text}");
        }
        for text in [
            "replace into t values (1);",
            "DELIMITER //\n",
            "-- PostgreSQL database dump complete\n",
            "# x\n(* *)\nselect 1",
        ] {
            assert_eq!(SqlText::split(text).is_sql(), !text.contains("(*"), "{text}");
        }
    }
}
