//! The statements that are checked at compile time: compares `.sqlx` with a new mydb_admin and with the sources.
//! Missing entries already fail the build.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mydb::admin_db::{MIGRATOR, pool};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::support::{admin_db, portal};

/// How to resolve a difference.
const HINT: &str = "`make sqlx` regenerates .sqlx";

/// A file of `.sqlx`.
struct Known {
    file: String,
    statement: String,
    /// The columns with their types and origins, the types of the parameters, and which columns may be null.
    described: Value,
}

fn known() -> Vec<Known> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".sqlx");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder .sqlx") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a file of .sqlx");
        let mut json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file} is not JSON: {e}"));
        let statement = json["query"].as_str().unwrap_or_else(|| panic!("{file} has no statement")).to_owned();
        found.push(Known { file, statement, described: relied_on(json["describe"].take()) });
    }
    assert!(found.len() > 150, "only {} statements are known", found.len());
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

/// Whether a column may be null follows from the server's plan. This is ignored for columns whose name declares it in
/// the statement with `!` or `?`.
fn relied_on(mut described: Value) -> Value {
    let says = |c: &Value| c["name"].as_str().is_some_and(|name| name.contains(['!', '?']));
    let columns: Vec<bool> = described["columns"].as_array().into_iter().flatten().map(says).collect();
    for (nullable, _) in
        described["nullable"].as_array_mut().into_iter().flatten().zip(columns).filter(|(_, says)| *says)
    {
        *nullable = Value::Null;
    }
    described
}

#[tokio::test]
async fn the_committed_statement_descriptions_are_current() {
    let url = admin_db::empty(&format!("{}-statements", portal::prefix()));
    let pool = pool(&url, 1, crate::support::PATIENCE).expect("a pool");
    MIGRATOR.run(&pool).await.expect("the tables are created");
    let mut db = pool.acquire().await.expect("a connection");
    // As the macros do: the plan shows which side of a join may be missing. A plan for null parameters would not show
    // it.
    db.execute("SET plan_cache_mode = force_generic_plan").await.expect("a setting");
    let mut wrong = Vec::new();
    for Known { file, statement, described } in known() {
        match db.describe(AssertSqlSafe(statement.clone()).into_sql_str()).await {
            Ok(now) => {
                let now = relied_on(serde_json::to_value(&now).expect("a description"));
                if now != described {
                    wrong.push(format!("{file}: {statement}\n  .sqlx says: {described}\n  the server: {now}"));
                }
            }
            Err(e) => wrong.push(format!("{file}: {statement}\n  the server refuses it: {e}")),
        }
    }
    assert!(wrong.is_empty(), "{} statements differ ({HINT}):\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_described_statement_exists_in_the_sources() {
    let mut texts = BTreeSet::new();
    read_texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut texts);
    let left: Vec<_> = known().into_iter().filter(|k| !stands(&k.statement, &texts)).map(|k| k.file).collect();
    assert!(left.is_empty(), "these files of .sqlx belong to removed statements ({HINT}): {left:?}");
}

/// Whether a statement is a string in the sources, or a concatenation of several, as macros produce.
fn stands(statement: &str, texts: &BTreeSet<String>) -> bool {
    let (mut reached, mut seen) = (vec![0], BTreeSet::new());
    while let Some(at) = reached.pop() {
        if at == statement.len() {
            return true;
        }
        if seen.insert(at) {
            reached.extend(texts.iter().filter(|t| statement[at..].starts_with(*t)).map(|t| at + t.len()));
        }
    }
    false
}

/// Collects the string literals of all sources, unescaped, except those too short to be a part of a statement.
fn read_texts(at: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(at).expect("a folder of sources") {
        let path: PathBuf = entry.expect("an entry").path();
        if path.is_dir() {
            read_texts(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.extend(texts_of(&fs::read_to_string(&path).expect("a source")).into_iter().filter(|t| t.len() > 6));
        }
    }
}

fn texts_of(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let hashes = rest[..at].len() - rest[..at].trim_end_matches('#').len();
        let raw = rest[..at - hashes].ends_with('r');
        let (quote, after) = rest[at..].split_at(1);
        rest = match quote {
            "/" if after.starts_with('/') => after.split_once('\n').map_or("", |(_, next)| next),
            // The character `"`.
            "'" if after.starts_with("\"'") || after.starts_with("\\\"'") => {
                after.split_once('\'').map_or("", |(_, next)| next)
            }
            "\"" if raw => {
                let (text, next) = after.split_once(&format!("\"{}", "#".repeat(hashes))).expect("an end of the text");
                found.push(text.to_owned());
                next
            }
            "\"" => {
                let mut escaped = false;
                let end = after.find(|c| {
                    let ends = c == '"' && !escaped;
                    escaped = c == '\\' && !escaped;
                    ends
                });
                let (text, next) = after.split_at(end.expect("an end of the text"));
                found.push(text.replace("\\\"", "\"").replace("\\\\", "\\"));
                &next[1..]
            }
            _ => after,
        };
    }
    found
}

#[test]
fn statements_are_extracted_from_sources() {
    let source = "let a = \"one \\\"two\\\"\"; // \"no\nlet b = ('\"', r#\"three \"four\"\"#, '\\\"', r\"five\");\nfn c<'a>(d: &'a str) { \"six\" }";
    assert_eq!(texts_of(source), ["one \"two\"", "three \"four\"", "five", "six"]);
    let texts: BTreeSet<String> =
        ["SELECT a FROM b ", "SELECT a FROM b WHERE ", "WHERE c", "c"].map(str::to_owned).into();
    assert!(stands("SELECT a FROM b WHERE c", &texts) && stands("SELECT a FROM b WHERE WHERE c", &texts));
    assert!(!stands("SELECT a FROM b WHERE d", &texts) && !stands("SELECT a", &texts));
}
