//! Renames databases in the statements of a dump, such as `` `mice`.`samples` ``, if they have other names here. A name
//! is changed only where nothing but a database can precede the dot. Elsewhere a table, an alias or a record may have
//! the same name, so the statement is left unchanged and reported.

use std::borrow::Cow;
use std::ops::Range;

use crate::sql::to_mariadb::changes::ChangeCounts;
use crate::sql::to_mariadb::lexer::{LexToken, TokenKind, tokens};

/// The names that the databases of a dump have here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabasePlaces {
    /// Loaded databases: their names in the dump and here.
    pub here: Vec<(String, String)>,
    /// Databases that are not loaded.
    pub left: Vec<String>,
}

/// Kinds of objects whose names have two parts.
const KINDS: &[&str] = &["TABLE", "VIEW", "SEQUENCE", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"];
/// Words between the verb of a statement with rows and its table.
const BEFORE_TABLE: &[&str] = &["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO"];
/// Maximum number of tokens examined in a statement with rows.
const HEAD: usize = 12;

/// Renames the databases in a statement, or in its beginning if it contains rows.
pub fn renamed<'a>(statement: &'a [u8], places: &DatabasePlaces, told: &mut ChangeCounts) -> Cow<'a, [u8]> {
    if places.left.is_empty() && places.here.iter().all(|(source, here)| source == here) {
        return Cow::Borrowed(statement);
    }
    let visible = tokens(statement).filter(|t| !matches!(t.what, TokenKind::Comment | TokenKind::Executed));
    let mut visible = visible.peekable();
    let rows = visible.peek().is_some_and(|t| t.is_any(statement, &["INSERT", "REPLACE"]));
    let parsed = Parsed { statement, tokens: if rows { visible.take(HEAD).collect() } else { visible.collect() } };
    let sure = parsed.sure(rows);
    let (mut changed, mut done, mut open) = (Vec::new(), 0, false);
    // Rows are not examined.
    for at in (0..parsed.tokens.len()).filter(|at| !rows || sure.contains(at)) {
        let Some((name, place)) = parsed.database(at) else { continue };
        match places.here.iter().find(|(source, _)| source.as_bytes() == name) {
            Some((source, here)) if source == here => {}
            Some((_, here)) if sure.contains(&at) => {
                changed.extend_from_slice(statement.get(done..place.start).unwrap_or_default());
                changed.extend_from_slice(format!("`{}`", here.replace('`', "``")).as_bytes());
                done = place.end;
            }
            Some(_) => open = true,
            None => open |= places.left.iter().any(|left| left.as_bytes() == name),
        }
    }
    if open {
        told.elsewhere(statement);
    }
    if done == 0 {
        return Cow::Borrowed(statement);
    }
    changed.extend_from_slice(statement.get(done..).unwrap_or_default());
    Cow::Owned(changed)
}

struct Parsed<'a> {
    statement: &'a [u8],
    tokens: Vec<LexToken>,
}

impl Parsed<'_> {
    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is_any(self.statement, words))
    }

    fn is_mark(&self, at: usize, mark: u8) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is_mark(self.statement, mark))
    }

    /// The name at this token, if it precedes a dot and is the first part of a qualified name.
    fn database(&self, at: usize) -> Option<(Vec<u8>, Range<usize>)> {
        let named = |t: &LexToken| matches!(t.what, TokenKind::Word | TokenKind::Name);
        let (token, part) = (self.tokens.get(at).filter(|t| named(t))?, self.tokens.get(at + 2)?);
        let first = at.checked_sub(1).is_none_or(|before| !self.is_mark(before, b'.'));
        let fine = first && self.is_mark(at + 1, b'.') && named(part);
        fine.then(|| token.value(self.statement).map(|name| (name, token.at.clone()))).flatten()
    }

    /// Positions of names of tables and other objects that only a database can qualify.
    fn sure(&self, rows: bool) -> Vec<usize> {
        let skipped = |mut at: usize, words: &[&str]| {
            while self.is(at, words) {
                at += 1;
            }
            at
        };
        if rows {
            return vec![skipped(1, BEFORE_TABLE)];
        }
        if self.is(0, &["TRUNCATE"]) {
            return vec![skipped(1, &["TABLE"])];
        }
        if !self.is(0, &["CREATE", "ALTER", "DROP"]) {
            return Vec::new();
        }
        let head = (1..self.tokens.len()).take_while(|at| !self.is_mark(*at, b'('));
        let Some(kind) = head.clone().find(|at| self.is(*at, KINDS)) else { return Vec::new() };
        let own = skipped(kind + 1, &["BODY", "IF", "NOT", "EXISTS"]);
        let end = |at: usize| if self.is_mark(at + 1, b'.') { at + 3 } else { at + 1 };
        let mut found = vec![own];
        if self.is(0, &["DROP"]) {
            let mut at = own;
            while self.is_mark(end(at), b',') {
                at = end(at) + 1;
                found.push(at);
            }
        } else if self.is(kind, &["TRIGGER"]) {
            found.extend((end(own)..self.tokens.len()).find(|at| self.is(*at, &["ON"])).map(|at| at + 1));
        } else if self.is(kind, &["TABLE"]) {
            // Reserved words, which cannot be names without quotes.
            let leads = |at: &usize| self.is(*at, &["REFERENCES"]) || (self.is(*at, &["LIKE"]) && *at == end(own));
            found.extend((kind..self.tokens.len()).filter(leads).map(|at| at + 1));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::to_mariadb::qualified::*;

    fn done(statement: &str) -> (String, Vec<String>) {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let places = DatabasePlaces {
            here: vec![pair("mice", "trial_mice"), pair("ra`ts", "trial_ra`ts"), pair("trial", "trial")],
            left: vec!["owls".to_owned()],
        };
        let mut told = ChangeCounts::default();
        let text = renamed(statement.as_bytes(), &places, &mut told);
        (String::from_utf8_lossy(&text).into_owned(), told.sentences())
    }

    #[test]
    fn names_are_changed_where_only_a_database_is_possible() {
        for (from, to) in [
            ("CREATE TABLE `mice`.`t` (a int)", "CREATE TABLE `trial_mice`.`t` (a int)"),
            (
                "create temporary table if not exists mice . t like `ra``ts`.u",
                "create temporary table if not exists `trial_mice` . t like `trial_ra``ts`.u",
            ),
            (
                "CREATE TABLE t (mice int, FOREIGN KEY (mice) REFERENCES `mice`.`t` (`mice`), b int references mice.u(b)) COMMENT='REFERENCES mice.t'",
                "CREATE TABLE t (mice int, FOREIGN KEY (mice) REFERENCES `trial_mice`.`t` (`mice`), b int references `trial_mice`.u(b)) COMMENT='REFERENCES mice.t'",
            ),
            (
                "ALTER TABLE mice.t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES trial.u (a)",
                "ALTER TABLE `trial_mice`.t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES trial.u (a)",
            ),
            (
                "/*!40000 ALTER TABLE `mice`.`t` DISABLE KEYS */",
                "/*!40000 ALTER TABLE `trial_mice`.`t` DISABLE KEYS */",
            ),
            ("DROP TABLE IF EXISTS mice.t, u, `mice`.`v`", "DROP TABLE IF EXISTS `trial_mice`.t, u, `trial_mice`.`v`"),
            (
                "INSERT IGNORE INTO `mice`.`t` (mice) VALUES ('mice.t', 'a')",
                "INSERT IGNORE INTO `trial_mice`.`t` (mice) VALUES ('mice.t', 'a')",
            ),
            ("REPLACE mice.t VALUES (1)", "REPLACE `trial_mice`.t VALUES (1)"),
            ("TRUNCATE TABLE mice.t", "TRUNCATE TABLE `trial_mice`.t"),
            (
                "CREATE DEFINER=`a`@`b` TRIGGER mice.g BEFORE INSERT ON mice.t FOR EACH ROW SET NEW.a = 1",
                "CREATE DEFINER=`a`@`b` TRIGGER `trial_mice`.g BEFORE INSERT ON `trial_mice`.t FOR EACH ROW SET NEW.a = 1",
            ),
            ("CREATE TABLE `trial`.`t` (a int)", "CREATE TABLE `trial`.`t` (a int)"),
        ] {
            assert_eq!(done(from), (to.to_owned(), Vec::new()));
        }
    }

    #[test]
    fn ambiguous_names_are_unchanged_and_reported() {
        for statement in [
            "CREATE VIEW v AS SELECT `mice`.`a` FROM `t` AS `mice`",
            "CREATE VIEW v AS SELECT * FROM owls.t",
            "CREATE PROCEDURE p() SELECT 1 FROM mice.t",
            "CREATE TABLE owls.t (a int)",
            "INSERT INTO owls.t VALUES (1)",
        ] {
            let (text, told) = done(statement);
            assert_eq!(text, statement);
            assert!(told.len() == 1 && told[0].contains(statement), "{told:?}");
        }
        // None of these names a database of the dump.
        for statement in
            ["CREATE VIEW v AS SELECT a.b, 'mice.t' FROM cats.t AS a", "SET @x = 1", "INSERT INTO t VALUES (mice.t)"]
        {
            assert_eq!(done(statement).1, Vec::<String>::new(), "{statement}");
        }
    }
}
