//! Attributes of MySQL 8 in comments that only MySQL executes. MariaDB ignores them, so an invisible column would become
//! visible. Those with a counterpart are converted; the others are reported.

use std::borrow::Cow;

use crate::sql::to_mariadb::changes::ChangeCounts;
use crate::sql::to_mariadb::lexer::{LexToken, TokenKind, tokens};

/// Versions in executable comments that MariaDB ignores.
/// <https://mariadb.com/kb/en/comment-syntax/>
const IGNORED: std::ops::RangeInclusive<u32> = 50_700..=99_999;
/// The version with which MySQL marks an attribute of an index, not of a column.
const OF_AN_INDEX: u32 = 80_000;
/// Words that give an invisible column a value, without which MariaDB does not accept it.
const VALUES: &[&str] = &["DEFAULT", "AUTO_INCREMENT", "GENERATED", "AS"];

/// The part of a definition before an attribute.
#[derive(Default)]
struct ElementSeen {
    /// Number of open brackets.
    depth: usize,
    not: bool,
    not_null: bool,
    value: bool,
}

impl ElementSeen {
    fn add(&mut self, statement: &[u8], token: &LexToken) {
        if token.is_mark(statement, b'(') {
            self.depth += 1;
        } else if token.is_mark(statement, b')') {
            self.depth = self.depth.saturating_sub(1);
        } else if token.is_mark(statement, b',') && self.depth <= 1 {
            *self = Self { depth: self.depth, ..Self::default() };
        }
        self.not_null |= self.not && token.is(statement, "NULL");
        self.not = token.is(statement, "NOT");
        self.value |= token.is_any(statement, VALUES);
    }
}

/// Converts the attributes in a `CREATE TABLE` statement.
pub(super) fn attributes<'a>(statement: &'a [u8], told: &mut ChangeCounts) -> Cow<'a, [u8]> {
    let (mut changed, mut done) = (Vec::new(), 0);
    let mut element = ElementSeen::default();
    let mut all = tokens(statement);
    while let Some(token) = all.next() {
        let Some(version) = version(statement, &token).filter(|version| IGNORED.contains(version)) else {
            element.add(statement, &token);
            continue;
        };
        let (mut inside, mut end) = (Vec::new(), token.at.end);
        for token in all.by_ref() {
            end = token.at.end;
            if token.what == TokenKind::Executed {
                break;
            }
            inside.push(String::from_utf8_lossy(token.bytes(statement)).into_owned());
        }
        let counterpart = match inside.as_slice() {
            [one] if one.eq_ignore_ascii_case("INVISIBLE") && version == OF_AN_INDEX => Some("IGNORED"),
            [one] if one.eq_ignore_ascii_case("INVISIBLE") && (element.value || !element.not_null) => Some("INVISIBLE"),
            _ => None,
        };
        match counterpart {
            Some(counterpart) => {
                changed.extend_from_slice(statement.get(done..token.at.start).unwrap_or_default());
                changed.extend_from_slice(counterpart.as_bytes());
                done = end;
            }
            // What every value without a reference system has.
            None if inside == ["SRID", "0"] => {}
            None => told.attribute(&inside.join(" ")),
        }
    }
    if done == 0 {
        return Cow::Borrowed(statement);
    }
    changed.extend_from_slice(statement.get(done..).unwrap_or_default());
    Cow::Owned(changed)
}

/// The version at the beginning of an executable comment.
fn version(statement: &[u8], token: &LexToken) -> Option<u32> {
    let opening = token.bytes(statement).strip_prefix(b"/*!").filter(|_| token.what == TokenKind::Executed)?;
    std::str::from_utf8(opening).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(statement: &str) -> (String, Vec<String>) {
        let mut told = ChangeCounts::default();
        let text = String::from_utf8_lossy(&attributes(statement.as_bytes(), &mut told)).into_owned();
        (text, told.sentences())
    }

    #[test]
    fn attributes_with_a_counterpart_are_converted() {
        for (from, to) in [
            ("`a` int DEFAULT NULL /*!80023 INVISIBLE */,", "`a` int DEFAULT NULL INVISIBLE,"),
            ("`a` int /*!80023 INVISIBLE */,", "`a` int INVISIBLE,"),
            (
                "`a` bigint NOT NULL AUTO_INCREMENT /*!80023 INVISIBLE */,",
                "`a` bigint NOT NULL AUTO_INCREMENT INVISIBLE,",
            ),
            ("`a` int, KEY `k` (`b`,`c`) /*!80000 INVISIBLE */", "`a` int, KEY `k` (`b`,`c`) IGNORED"),
            (
                "`x` int NOT NULL, `a` decimal(9,2) NOT NULL DEFAULT '0.00' /*!80023 INVISIBLE */",
                "`x` int NOT NULL, `a` decimal(9,2) NOT NULL DEFAULT '0.00' INVISIBLE",
            ),
        ] {
            let (from, to) = (format!("CREATE TABLE `t` ({from})"), format!("CREATE TABLE `t` ({to})"));
            assert_eq!(done(&from), (to, Vec::new()), "{from}");
        }
    }

    #[test]
    fn other_attributes_are_named() {
        for (statement, named) in [
            ("CREATE TABLE t (p point /*!80003 SRID 4326 */ NOT NULL)", "SRID 4326"),
            ("CREATE TABLE t (a int, CHECK ((a > 0)) /*!80016 NOT ENFORCED */)", "NOT ENFORCED"),
            ("CREATE TABLE t (b int DEFAULT 1, a int NOT NULL /*!80023 INVISIBLE */)", "INVISIBLE"),
        ] {
            let (text, told) = done(statement);
            assert_eq!(text, statement, "MariaDB ignores it");
            assert!(told.len() == 1 && told[0].contains(named), "{told:?}");
        }
        for same in [
            "CREATE TABLE t (a int COMMENT '/*!80023 INVISIBLE */') /*!50100 PARTITION BY HASH (a) */",
            "CREATE TABLE t (a int) /*M!100401 x */",
        ] {
            assert_eq!(done(same), (same.to_owned(), Vec::new()));
        }
    }
}
