//! Tests of what is sent of a dump.

use super::*;
use crate::sql::to_mariadb::{DatabasePlaces, StatementScope};
use std::time::Duration;
use tokio::sync::mpsc;

/// The text received for the database `source` of `text`, and the skipped statements.
fn sent(text: &str, dialect: Dialect, source: &str) -> (String, LeftOut) {
    tried(text, dialect, source).unwrap()
}

fn tried(text: &str, dialect: Dialect, source: &str) -> Result<(String, LeftOut), String> {
    by_rules(text, dialect, source, None)
}

fn by_rules(
    text: &str,
    dialect: Dialect,
    source: &str,
    rules: Option<RewriteRules>,
) -> Result<(String, LeftOut), String> {
    let (out, mut pieces) = mpsc::channel(5000);
    let (progress, what) = (
        LoadProgress::default(),
        SendOptions { dialect, source: source.to_owned(), lock: "0123456789abcdef".to_owned(), rules },
    );
    // Acts as a tool that accepts everything.
    let left = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(text.as_bytes(), &what, &progress, &out));
        while !sending.is_finished() {
            let probe = progress.inner_question();
            if let Some(probe) = probe {
                progress.said(probe, false);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        sending.join().unwrap()
    })?;
    drop(out);
    let mut all = Vec::new();
    while let Ok(piece) = pieces.try_recv() {
        all.extend(piece.unwrap());
    }
    Ok((String::from_utf8(all).unwrap(), left))
}

fn case(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn only_the_selected_database_is_sent() {
    let (text, left) = sent(&case("pg-dumpall/cluster.sql"), Dialect::Postgres, "mice");
    assert!(text.starts_with("\\restrict 0123456789abcdef\n") && text.contains("2\t21\n3\t22\n\\.\n"), "{text}");
    let other = ["300", "ROLE", "DATABASE", "connect", "aaaa"];
    assert!(other.iter().all(|w| !text.contains(w)), "{text}");
    assert!(left.count >= 6 && left.first[0].contains("CREATE ROLE postgres"), "{left:?}");
    let (text, _) = sent(&case("two-databases/dump.sql"), Dialect::Mysql, "rats");
    assert!(text.starts_with("DELIMITER $$0123456789ab\nDROP TABLE IF EXISTS `samples`$$0123456789ab\n"), "{text}");
    assert!(
        text.contains("(1,300)") && !text.contains("(1,20)") && !text.contains("USE") && !text.contains("DATABASE")
    );
}

#[test]
fn unterminated_rows_are_rejected_as_truncated() {
    let rows = "create table t (i int);\ncopy t from stdin;\n1\n2\n";
    assert!(sent(&format!("{rows}\\.\n"), Dialect::Postgres, "").0.contains("1\n2\n\\.\n"));
    assert!(sent("create table t (i int);\ncopy t from stdin;\n\\.\n", Dialect::Postgres, "").0.contains(";\n\\.\n"));
    let head = "create table t (i int);\ncopy t from stdin;";
    for cut in [rows, rows.trim_end(), head, &format!("{head}\n"), &format!("{head} -- all\n")] {
        let why = tried(cut, Dialect::Postgres, "").unwrap_err();
        assert!(why.contains("ends within the rows of the statement in line 2."), "{why}");
    }
}

#[test]
fn long_statements_without_rows_are_rewritten_as_a_whole() {
    let rules = || RewriteRules {
        account: ("ada".to_owned(), "%".to_owned()),
        collations: true,
        pass: StatementScope::All,
        places: DatabasePlaces::default(),
        last_moment: None,
    };
    let columns = "  `column` int COMMENT 'of no use',\n".repeat(60_000);
    let table = format!("CREATE TABLE `t` (\n{columns}  `b` int\n) COLLATE=utf8mb4_0900_ai_ci");
    let body = "SET @a = 'a long body';\n".repeat(60_000);
    let code = format!("CREATE DEFINER=`root`@`localhost` PROCEDURE p()\nBEGIN\n{body}END");
    let rows = format!("INSERT INTO `t` VALUES ('utf8mb4_0900_ai_ci'){}", ",('DEFINER=`root`')".repeat(100_000));
    assert!(table.len() > 2 << 20 && code.len() > 1 << 20 && rows.len() > 1 << 20);
    let text = format!("{table};\nDELIMITER ;;\n{code} ;;\nDELIMITER ;\n{rows};\n");
    let (text, left) = by_rules(&text, Dialect::Mysql, "", Some(rules())).unwrap();
    assert!(!text.contains("COLLATE=utf8mb4_0900_ai_ci") && !text.contains("root`@"), "{:?}", left.told);
    assert!(text.contains(&body) && text.contains(&columns) && text.contains(&rows), "nothing is lost");
    assert!(left.told.len() >= 2, "{:?}", left.told);
    let endless = format!("CREATE TABLE t (a int) COMMENT='{}'", "x".repeat(LONGEST));
    let why = by_rules(&format!("\n{endless};"), Dialect::Mysql, "", Some(rules())).unwrap_err();
    assert_eq!(why, "The statement in line 2 is longer than 64 MiB.");
}

#[test]
fn client_commands_are_never_sent() {
    let text = "select 1 \\g |touch /tmp/x\n\\! touch /tmp/x\n\\copy t from '/etc/passwd'\nselect '\n\\! kept\n';\n\\i /x\nselect 2 -- a";
    let (text, _) = sent(text, Dialect::Postgres, "");
    assert_eq!(text, "\\restrict 0123456789abcdef\nselect 1 \n;\nselect '\n\\! kept\n';\nselect 2 -- a\n;\n");
}
