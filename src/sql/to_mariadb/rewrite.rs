//! Rewrites statements of a dump so that the owner of a database can run them in MariaDB. Only the beginning of
//! statements and names of collations are changed, never data or strings.

use std::borrow::Cow;

use crate::sql::to_mariadb::attributes::attributes;
use crate::sql::to_mariadb::changes::ChangeCounts;
use crate::sql::to_mariadb::collations::mapped;
use crate::sql::to_mariadb::history::LastMoment;
use crate::sql::to_mariadb::lexer::{LexToken, TokenKind, tokens};
use crate::sql::to_mariadb::qualified::{DatabasePlaces, renamed};

/// Selects the statements that are passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatementScope {
    /// All.
    All,
    /// Databases and sequences only.
    Sequences,
    /// All except views, routines, triggers and events.
    Data,
    /// Views, routines, triggers and events only.
    Code,
}

/// How statements are rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewriteRules {
    /// The account that runs them: user and host. It cannot create objects with another definer.
    pub account: (String, String),
    /// Whether collations of MySQL 8 are replaced by MariaDB's.
    pub collations: bool,
    /// Which statements are passed on.
    pub pass: StatementScope,
    /// The names that the databases of the dump have here.
    pub places: DatabasePlaces,
    /// The last moment that the server here can represent, if the ends of current rows are changed to it.
    pub last_moment: Option<LastMoment>,
}

/// Kinds of objects that run with their definer's privileges, or refer to other objects.
const CODE: &[&str] = &["VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"];

/// Kinds of objects that contain data.
const OTHERS: &[&str] = &["TABLE", "DATABASE", "SCHEMA", "SEQUENCE", "INDEX"];

/// First words of statements that are examined. All others are passed on unchanged.
const LOOKED_INTO: &[&str] =
    &["CREATE", "ALTER", "DROP", "SET", "LOCK", "UNLOCK", "CHANGE", "START", "STOP", "RESET", "FLUSH", "PURGE"];

/// Maximum number of tokens in the head of a statement.
const HEAD: usize = 48;

/// Rewrites a statement; `None` if it is left out.
pub fn rewrite<'a>(statement: &'a [u8], rules: &RewriteRules, told: &mut ChangeCounts) -> Option<Cow<'a, [u8]>> {
    match passed(statement, rules, told)? {
        Cow::Borrowed(text) => Some(renamed(text, &rules.places, told)),
        Cow::Owned(text) => Some(Cow::Owned(renamed(&text, &rules.places, told).into_owned())),
    }
}

/// Rewrites a statement except for the names of databases.
fn passed<'a>(statement: &'a [u8], rules: &RewriteRules, told: &mut ChangeCounts) -> Option<Cow<'a, [u8]>> {
    let head: Vec<LexToken> = visible(statement).take(HEAD).collect();
    let Some(first) = head.first() else { return Some(Cow::Borrowed(statement)) };
    if !first.is_any(statement, LOOKED_INTO) {
        let passes =
            matches!(rules.pass, StatementScope::All | StatementScope::Data) || first.is_any(statement, &["USE"]);
        return passes.then_some(Cow::Borrowed(statement));
    }
    let is = |at: usize, words: &[&str]| head.get(at).is_some_and(|t| t.is_any(statement, words));
    if is(0, &["LOCK", "UNLOCK"]) && is(1, &["TABLES", "TABLE"]) {
        // Locks speed up a load, but they do not cover objects that defaults refer to.
        return None;
    }
    if of_the_server(statement, &head) {
        told.of_the_server += 1;
        return None;
    }
    if is(0, &["SET"]) {
        return Some(collations(statement, rules, told));
    }
    let kind = head
        .iter()
        .take_while(|t| !t.is_mark(statement, b'('))
        .find(|t| t.is_any(statement, CODE) || t.is_any(statement, OTHERS));
    let is_kind = |kinds: &[&str]| kind.is_some_and(|t| t.is_any(statement, kinds));
    let code = is_kind(CODE);
    let passes = match rules.pass {
        StatementScope::All => true,
        StatementScope::Sequences => is_kind(&["DATABASE", "SCHEMA", "SEQUENCE"]),
        StatementScope::Data => !code,
        StatementScope::Code => code,
    };
    if !passes {
        return None;
    }
    if is_kind(&["TABLE"]) && is(0, &["CREATE"]) {
        return Some(match attributes(statement, told) {
            Cow::Borrowed(text) => collations(text, rules, told),
            Cow::Owned(text) => Cow::Owned(collations(&text, rules, told).into_owned()),
        });
    }
    if !code {
        return Some(collations(statement, rules, told));
    }
    match definer(statement, &head, rules) {
        None => Some(collations(statement, rules, told)),
        Some((at, who)) => {
            told.definer(&who);
            let mut changed = statement.to_vec();
            changed.splice(at, std::iter::empty());
            Some(Cow::Owned(collations(&changed, rules, told).into_owned()))
        }
    }
}

/// The tokens without comments and without the delimiters of executable comments.
fn visible(statement: &[u8]) -> impl Iterator<Item = LexToken> {
    tokens(statement).filter(|t| !matches!(t.what, TokenKind::Comment | TokenKind::Executed))
}

/// Whether a statement is server-wide: replication, binary log, global settings.
fn of_the_server(statement: &[u8], head: &[LexToken]) -> bool {
    const REPLICATION: &[&str] = &["MASTER", "SLAVE", "REPLICA", "ALL", "REPLICATION", "BINARY", "GROUP_REPLICATION"];
    let is = |at: usize, words: &[&str]| head.get(at).is_some_and(|t| t.is_any(statement, words));
    if is(0, &["CHANGE", "STOP", "RESET", "PURGE", "FLUSH"]) || (is(0, &["START"]) && is(1, REPLICATION)) {
        return true;
    }
    if !is(0, &["SET"]) {
        return false;
    }
    if is(1, &["PASSWORD", "GLOBAL", "PERSIST", "PERSIST_ONLY"]) || (is(1, &["DEFAULT"]) && is(2, &["ROLE"])) {
        return true;
    }
    let log = [
        "SQL_LOG_BIN",
        "@@SQL_LOG_BIN",
        "GTID_PURGED",
        "@@GTID_PURGED",
        "@MYSQLDUMP_TEMP_LOG_BIN",
        "GTID_NEXT",
        "@@GTID_NEXT",
        "@@GLOBAL",
        "@@PERSIST",
        "GLOBAL",
    ];
    head.iter().any(|t| t.is_any(statement, &log))
}

/// Position and name of the definer in the head of a statement, if the account cannot use it.
fn definer(statement: &[u8], head: &[LexToken], rules: &RewriteRules) -> Option<(std::ops::Range<usize>, String)> {
    let until = head.iter().position(|t| t.is_any(statement, CODE))?;
    let at = head.iter().take(until).position(|t| t.is(statement, "DEFINER"))?;
    let (begin, equals, user) = (head.get(at)?, head.get(at + 1)?, head.get(at + 2)?);
    if !equals.is_mark(statement, b'=') || user.is(statement, "CURRENT_USER") {
        return None;
    }
    // `user`@`host`, 'user'@'host', user@host or user. In the last two, the @ is part of the word.
    let name = user.value(statement)?;
    let (name, host, end) = match head.get(at + 3).filter(|t| user.what != TokenKind::Word && t.what == TokenKind::Word)
    {
        Some(mark) if mark.bytes(statement) == b"@" => {
            let host = head.get(at + 4)?;
            (name, host.value(statement)?, host.at.end)
        }
        Some(mark) if mark.bytes(statement).starts_with(b"@") => {
            (name, mark.bytes(statement).get(1..).unwrap_or_default().to_vec(), mark.at.end)
        }
        _ => match name.iter().position(|b| *b == b'@').filter(|_| user.what == TokenKind::Word) {
            // An address contains dots; a quoted host is a separate token.
            Some(n) => {
                let (mut host, mut end) = (name.get(n + 1..).unwrap_or_default().to_vec(), user.at.end);
                for t in head.get(at + 3..until).unwrap_or_default() {
                    if t.at.start != end
                        || t.what == TokenKind::Mark
                            && !t.is_mark(statement, b'.')
                            && !t.is_mark(statement, b'-')
                            && !t.is_mark(statement, b'%')
                    {
                        break;
                    }
                    host.extend(t.value(statement).unwrap_or_else(|| t.bytes(statement).to_vec()));
                    end = t.at.end;
                }
                (name.get(..n).unwrap_or_default().to_vec(), host, end)
            }
            None => (name, Vec::new(), user.at.end),
        },
    };
    let (account, at_host) = &rules.account;
    if name == account.as_bytes() && host.eq_ignore_ascii_case(at_host.as_bytes()) {
        return None;
    }
    let who = format!("{}@{}", String::from_utf8_lossy(&name), String::from_utf8_lossy(&host));
    Some((begin.at.start..end, who.trim_end_matches('@').to_owned()))
}

/// Replaces MySQL's collations by MariaDB's.
fn collations<'a>(statement: &'a [u8], rules: &RewriteRules, told: &mut ChangeCounts) -> Cow<'a, [u8]> {
    if !rules.collations {
        return Cow::Borrowed(statement);
    }
    let (mut changed, mut done, mut before) = (Vec::new(), 0, [None::<LexToken>, None]);
    for token in visible(statement) {
        let [last, behind] = &before;
        // A string is a collation only where the syntax requires one.
        let stands = |t: &Option<LexToken>, words: &[&str]| t.as_ref().is_some_and(|t| t.is_any(statement, words));
        let named = stands(last, &["COLLATE"])
            || (last.as_ref().is_some_and(|t| t.is_mark(statement, b'='))
                && stands(behind, &["COLLATE", "COLLATION_CONNECTION", "@@COLLATION_CONNECTION"]));
        let fine = token.what == TokenKind::Word || (matches!(token.what, TokenKind::Text | TokenKind::Name) && named);
        if fine
            && let Some(value) = token.value(statement)
            && let Some(new) = mapped(&value)
        {
            told.collation(&value, &new);
            changed.extend_from_slice(statement.get(done..token.at.start).unwrap_or_default());
            changed.extend_from_slice(new.as_bytes());
            done = token.at.end;
        }
        let [last, _] = before;
        before = [Some(token), last];
    }
    if done == 0 {
        return Cow::Borrowed(statement);
    }
    changed.extend_from_slice(statement.get(done..).unwrap_or_default());
    Cow::Owned(changed)
}

#[cfg(test)]
mod tests {
    use crate::sql::to_mariadb::rewrite::*;

    fn rules(pass: StatementScope) -> RewriteRules {
        RewriteRules {
            account: ("ada".to_owned(), "%".to_owned()),
            collations: true,
            pass,
            places: DatabasePlaces::default(),
            last_moment: None,
        }
    }

    fn done(statement: &str) -> (Option<String>, Vec<String>) {
        let mut told = ChangeCounts::default();
        let text = rewrite(statement.as_bytes(), &rules(StatementScope::All), &mut told);
        (text.map(|t| String::from_utf8_lossy(&t).into_owned()), told.sentences())
    }

    #[test]
    fn other_definers_are_removed_everywhere() {
        for (from, to) in [
            (
                "CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()\nSELECT 'DEFINER=`x`@`y`'",
                "CREATE  PROCEDURE `p`()\nSELECT 'DEFINER=`x`@`y`'",
            ),
            (
                "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a=1 */",
                "/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a=1 */",
            ),
            (
                "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`a``b`@`h` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select 1 */",
                "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013  SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select 1 */",
            ),
            (
                "CREATE OR REPLACE DEFINER = 'bob'@'10.0.0.%' EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
                "CREATE OR REPLACE  EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1",
            ),
            (
                "create definer=bob@localhost function f() returns int return 1",
                "create  function f() returns int return 1",
            ),
            ("create definer=bob@10.0.0.1 view v as select 1", "create  view v as select 1"),
            ("create definer=bob view v as select 1", "create  view v as select 1"),
            ("CREATE DEFINER=`editors` VIEW v AS SELECT 1", "CREATE  VIEW v AS SELECT 1"),
        ] {
            let (text, told) = done(from);
            assert_eq!(text.as_deref(), Some(to), "{from}");
            assert_eq!(told.len(), 1, "{from}: {told:?}");
        }
    }

    #[test]
    fn other_statements_are_unchanged() {
        for same in [
            "CREATE DEFINER=`ada`@`%` PROCEDURE p() SELECT 1",
            "CREATE DEFINER=CURRENT_USER() VIEW v AS SELECT 1",
            "INSERT INTO t VALUES ('CREATE DEFINER=`root`@`localhost` VIEW', 'utf8mb4_0900_ai_ci', 'SET GLOBAL x')",
            "CREATE TABLE t (a varchar(9) DEFAULT 'utf8mb4_0900_ai_ci' COMMENT 'DEFINER=`root`@`x`')",
            "CREATE TABLE `utf8mb4_0900_ai_ci` (`DEFINER` int)",
            "SET @x = 'utf8mb4_0900_ai_ci'",
            "REPLACE INTO t VALUES (1)",
            "DO SETVAL(`s`, 5, 0)",
            "START TRANSACTION",
            "USE `a`",
        ] {
            assert_eq!(done(same), (Some(same.to_owned()), Vec::new()));
        }
    }

    #[test]
    fn collations_are_mapped_only_where_they_are_collations() {
        for (from, to) in [
            (
                "CREATE TABLE t (a varchar(9) COLLATE utf8mb4_0900_ai_ci) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci COMMENT='utf8mb4_0900_ai_ci'",
                "CREATE TABLE t (a varchar(9) COLLATE utf8mb4_uca1400_nopad_ai_ci) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_nopad_ai_ci COMMENT='utf8mb4_0900_ai_ci'",
            ),
            (
                "/*!50003 SET collation_connection = utf8mb4_0900_ai_ci */ ",
                "/*!50003 SET collation_connection = utf8mb4_uca1400_nopad_ai_ci */ ",
            ),
            ("SET NAMES utf8mb4 COLLATE 'utf8mb4_0900_as_cs'", "SET NAMES utf8mb4 COLLATE utf8mb4_uca1400_nopad_as_cs"),
            (
                "CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci */ /*!80016 DEFAULT ENCRYPTION='N' */",
                "CREATE DATABASE `d` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci */ /*!80016 DEFAULT ENCRYPTION='N' */",
            ),
            (
                "/*!50001 CREATE VIEW v AS select (`a` collate utf8mb4_0900_ai_ci) AS `a` */",
                "/*!50001 CREATE VIEW v AS select (`a` collate utf8mb4_uca1400_nopad_ai_ci) AS `a` */",
            ),
        ] {
            let (text, told) = done(from);
            assert_eq!(text.as_deref(), Some(to));
            assert_eq!(told.len(), 1, "{told:?}");
        }
    }

    #[test]
    fn server_wide_statements_are_skipped() {
        for statement in [
            "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47:1-5'",
            "SET @@SESSION.SQL_LOG_BIN= 0",
            "SET @MYSQLDUMP_TEMP_LOG_BIN = @@SESSION.SQL_LOG_BIN",
            "SET GLOBAL max_allowed_packet = 1",
            "/*!50530 SET @@SESSION.x=1, GLOBAL y = 2*/",
            "CHANGE MASTER TO MASTER_LOG_FILE='x'",
            "CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='x'",
            "START SLAVE",
            "FLUSH PRIVILEGES",
            "SET PASSWORD FOR root = ''",
        ] {
            let (text, told) = done(statement);
            assert_eq!((text, told.len()), (None, 1), "{statement}");
        }
        assert_eq!(done("LOCK TABLES `a` WRITE"), (None, Vec::new()));
        assert_eq!(done("/*!40000 UNLOCK TABLES */"), (None, Vec::new()));
    }

    #[test]
    fn code_and_data_can_be_passed_separately() {
        let mut told = ChangeCounts::default();
        let mut passes = |statement: &str| {
            [StatementScope::Sequences, StatementScope::Data, StatementScope::Code]
                .map(|p| rewrite(statement.as_bytes(), &rules(p), &mut told).is_some())
        };
        for data in [
            "CREATE TABLE t (a int)",
            "INSERT INTO t VALUES (1)",
            "DROP TABLE IF EXISTS `view`",
            "CREATE SEQUENCE s",
            "ALTER DATABASE d CHARACTER SET utf8mb4",
            "DO SETVAL(s, 1)",
        ] {
            assert_eq!(passes(data), [data.contains("SEQUENCE") || data.contains("DATABASE"), true, false], "{data}");
        }
        for code in [
            "/*!50001 DROP VIEW IF EXISTS `v`*/",
            "/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1 */",
            "DROP FUNCTION IF EXISTS f",
            "CREATE OR REPLACE ALGORITHM=MERGE VIEW v AS SELECT 1",
            "CREATE PACKAGE BODY p AS x INT; END",
        ] {
            assert_eq!(passes(code), [false, false, true], "{code}");
        }
        for both in [
            "USE d",
            "SET @x = 1",
            "/*M!999999\\- enable the sandbox mode */ \n-- x\n/*!40101 SET @x = 1 */",
            "/*!50003 SET sql_mode = '' */",
        ] {
            assert_eq!(passes(both), [true, true, true], "{both}");
        }
    }
}
