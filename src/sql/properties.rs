//! Property tests: statements are split correctly, whatever their strings, names, comments and rows contain and however
//! the dump arrives.

use std::io;
use std::io::Read;

use proptest::prelude::*;

use crate::sql::splitter::Splitter;
use crate::sql::{Dialect, PieceKind};

/// Returns at most this many bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = self.0.len().min(self.1).min(out.len());
        let (now, later) = self.0.split_at(n);
        out[..n].copy_from_slice(now);
        self.0 = later;
        Ok(n)
    }
}

/// The joined pieces without space, each with its line in the dump.
fn split(text: &str, dialect: Dialect, drops: usize) -> Vec<(PieceKind, String, u64)> {
    let mut pieces = Splitter::sized(Drops(text.as_bytes(), drops), dialect, 256, (128, 32));
    let (mut found, mut open) = (Vec::<(PieceKind, String, u64)>::new(), false);
    while let Some(piece) = pieces.next_piece().unwrap() {
        let said = String::from_utf8_lossy(piece.text).into_owned();
        match found.last_mut().filter(|_| open) {
            Some((kind, text, _)) if *kind == piece.kind => text.push_str(&said),
            _ if piece.kind == PieceKind::Space => continue,
            _ => found.push((piece.kind, said, piece.line)),
        }
        open = !piece.last && piece.kind != PieceKind::Command;
    }
    found
}

fn junk() -> impl Strategy<Value = String> {
    let marks = ["'", "\"", "`", ";", "--", "/*", "*/", "$$", "$a$", "\\", "\n", "(", ")", "#", "a", " ", "é", "🐘"];
    prop::collection::vec(prop::sample::select(marks.to_vec()), 0..12).prop_map(|parts| parts.concat())
}

/// Parts of a statement that do not end it.
fn postgres_part() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-d][a-z0-9_$]{0,8}",
        "[0-9]{1,4}",
        junk().prop_map(|j| format!("'{}'", j.replace('\'', "''"))),
        junk().prop_map(|j| format!("E'{}'", j.replace('\\', "\\\\").replace('\'', "\\'"))),
        junk().prop_map(|j| format!("e''\n'{}'", j.replace('\\', "\\\\").replace('\'', "\\'"))),
        junk().prop_map(|j| format!("\"{}\"", j.replace('"', "\"\""))),
        junk().prop_map(|j| format!("$q${j}$q$")),
        junk().prop_map(|j| format!("$${}$$", j.replace('$', ""))),
        junk().prop_map(|j| format!("--{}\n", j.replace('\n', " "))),
        junk().prop_map(|j| format!("/*{}*/", j.replace(['/', '*'], ""))),
        Just("/* a /* ; ' */ ; */".to_owned()),
        Just("(a; b)".to_owned()),
        Just("$1".to_owned()),
    ]
}

fn mysql_part() -> impl Strategy<Value = String> {
    let quoted =
        |q: char| junk().prop_map(move |j| format!("{q}{}{q}", j.replace('\\', "\\\\").replace(q, &format!("\\{q}"))));
    let doubled =
        |q: char| junk().prop_map(move |j| format!("{q}{}{q}", j.replace('\\', "\\\\").replace(q, &format!("{q}{q}"))));
    prop_oneof![
        "[a-c][a-z0-9_]{0,8}",
        quoted('\''),
        quoted('"'),
        doubled('\''),
        doubled('"'),
        junk().prop_map(|j| format!("`{}`", j.replace('`', "``"))),
        junk().prop_map(|j| format!("-- {}\n", j.replace('\n', " "))),
        junk().prop_map(|j| format!("#{}\n", j.replace('\n', " "))),
        junk().prop_map(|j| format!("/*{}*/", j.replace(['/', '*', '!'], ""))),
        Just("/*!40101 'a' */".to_owned()),
        Just("a--b".to_owned()),
    ]
}

fn rows() -> impl Strategy<Value = String> {
    let lines = ["\\connect mice", "\\N\t'", "a;b", "\\.x", " \\.", "$$", "/*", "--", "", "\\\\.", "🐘", "select 1;"];
    prop::collection::vec(prop::sample::select(lines.to_vec()), 0..6)
        .prop_map(|lines| lines.iter().flat_map(|l| [*l, "\n"]).collect())
}

/// The text of part of a dump, and the pieces expected from it.
type Written = (String, Vec<(PieceKind, String)>);

fn postgres_unit() -> impl Strategy<Value = Written> {
    // A word between the parts: PostgreSQL goes on with a literal after a line break, comments or not.
    let statement = |parts: Vec<String>| format!("select {}", parts.join(" w "));
    prop_oneof![
        6 => prop::collection::vec(postgres_part(), 0..6).prop_map(move |parts| {
            let text = statement(parts);
            (format!("{text};\n"), vec![(PieceKind::Statement, text)])
        }),
        2 => rows().prop_map(|rows| {
            let text = "copy t (a, \"from\") from stdin with (null '')".to_owned();
            let mut found = vec![(PieceKind::Statement, text.clone())];
            if !rows.is_empty() {
                found.push((PieceKind::Rows, rows.clone()));
            }
            (format!("{text};\n{rows}\\.\n"), found)
        }),
        1 => Just(("\\connect rats\n".to_owned(), vec![(PieceKind::Command, "\\connect rats\n".to_owned())])),
        1 => junk().prop_map(|j| (format!("/*{}*/ ;\n", j.replace(['/', '*'], "")), Vec::new())),
        1 => Just({
            let text = "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end";
            (format!("{text};"), vec![(PieceKind::Statement, text.to_owned())])
        }),
    ]
}

fn mysql_unit() -> impl Strategy<Value = Written> {
    prop_oneof![
        6 => prop::collection::vec(mysql_part(), 0..6).prop_map(|parts| {
            let text = format!("select {}", parts.join(" "));
            (format!("{text};\n"), vec![(PieceKind::Statement, text)])
        }),
        2 => prop::collection::vec(mysql_part(), 0..3).prop_map(|parts| {
            let text = format!("create procedure p() begin {}; end", parts.join(" "));
            (format!("DELIMITER //\n{text}//\ndelimiter ;\n"), vec![(PieceKind::Statement, text)])
        }),
        1 => junk().prop_map(|j| (format!("/*{}*/ ;\n", j.replace(['/', '*', '!'], "")), Vec::new())),
    ]
}

fn whole(units: &[Written]) -> (String, Vec<(PieceKind, String)>) {
    (units.iter().map(|u| u.0.as_str()).collect(), units.iter().flat_map(|u| u.1.clone()).collect())
}

proptest! {
    #[test]
    fn postgres_statements_are_split(units in prop::collection::vec(postgres_unit(), 0..8), drops in 1usize..200) {
        let (text, wanted) = whole(&units);
        let found: Vec<_> = split(&text, Dialect::Postgres, drops).into_iter().filter(|f| !f.1.is_empty()).map(|f| (f.0, f.1)).collect();
        prop_assert_eq!(found, wanted, "{}", text);
    }

    #[test]
    fn mysql_statements_are_split(units in prop::collection::vec(mysql_unit(), 0..8), drops in 1usize..200) {
        let (text, wanted) = whole(&units);
        let found: Vec<_> = split(&text, Dialect::Mysql, drops).into_iter().map(|f| (f.0, f.1)).collect();
        prop_assert_eq!(found, wanted, "{}", text);
    }

    #[test]
    fn arbitrary_bytes_are_accepted(bytes in prop::collection::vec(any::<u8>(), 0..600), drops in 1usize..200) {
        for dialect in [Dialect::Postgres, Dialect::Mysql] {
            let mut pieces = Splitter::sized(Drops(&bytes, drops), dialect, 256, (128, 32));
            for _ in 0..=2 * bytes.len() + 2 {
                if pieces.next_piece().unwrap().is_none() {
                    return Ok(());
                }
            }
            prop_assert!(false, "it comes to an end");
        }
    }
}

#[test]
fn statements_have_line_numbers() {
    let text = "-- a\nselect 1;\n\ncopy t from stdin;\n1\n2\n\\.\nselect\n2;";
    let found = split(text, Dialect::Postgres, 7);
    assert_eq!(found.iter().map(|f| f.2).collect::<Vec<_>>(), [2, 4, 5, 8]);
}

#[test]
fn mentioning_a_setting_does_not_change_it() {
    let counted = |text: &str, dialect| split(text, dialect, 7).len();
    let maria = "CREATE TABLE t (a text) COMMENT='set sql_mode NO_BACKSLASH_ESCAPES';\nINSERT INTO t VALUES ('it\\'s; x');\n\
                 SET sql_mode = 'NO_BACKSLASH_ESCAPES';\nSELECT 'a\\';\n/*!50003 SET sql_mode = '' */;\nSELECT '\\';'";
    assert_eq!(counted(maria, Dialect::Mysql), 6);
    let postgres = "COMMENT ON TABLE t IS 'SET standard_conforming_strings = off';\nSELECT '\\';\nSET standard_conforming_strings = off;\nSELECT '\\';'";
    assert_eq!(counted(postgres, Dialect::Postgres), 4);
}
