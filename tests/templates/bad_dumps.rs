//! Dumps that are damaged, incomplete, oddly encoded or hostile: each import ends and reports why it failed.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{portal, portal_with, settled, sql, update, write};
use crate::backups::nothing_left;
use crate::support::Client;

/// The latest version of a template.
async fn latest(api: &Client, name: &str) -> Value {
    api.get(&format!("/api/v1/templates/{name}")).await.expect(200).json()["versions"][0].clone()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packer, text.as_bytes()).expect("packed");
    packer.finish().expect("packed")
}

/// Text in Latin-1: each character is a byte.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("a character of Latin-1")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn truncated_or_differently_encoded_dumps_are_loaded_completely_or_not_at_all() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    let word = "create table t (w text);\ninsert into t values ('Café');\n";
    let rows = (0..20_000).map(|n| format!("insert into t values ('{n}');\n")).collect::<Vec<_>>().concat();
    let packed = gzip(&sql(&format!("create table t (w text);\n{rows}")));
    let begin = "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 17.2\n-- Dumped by pg_dump version 17.2\n\n";
    write(&portal, "named.sql", latin1(&sql(&format!("set client_encoding = 'LATIN1';\n{word}"))));
    write(&portal, "unnamed.sql", latin1(&sql(word)));
    write(&portal, "packed.sql.gz", &packed[..packed.len() / 2]);
    write(&portal, "unended.sql", format!("{begin}create table t (w text);\n{}", "-- more\n".repeat(20)));
    write(&portal, "statement.sql", sql("create table t (w text);\ninsert into t values ('a"));
    write(&portal, "rows.sql", sql("create table t (w text);\ncopy t from stdin;\na\nb\n"));
    write(
        &portal,
        "another.sql",
        sql(&format!("create database other;\n\\connect other\ndrop database another;\n{word}")),
    );
    let right = |database: &str| {
        format!(
            "do $$ begin if current_database() <> '{database}' or (select count(*) from t where w = 'Café') <> 1 then \
             raise exception 'not as dumped'; end if; end $$;\n"
        )
    };
    write(&portal, "named.post.sql", right("named"));
    write(&portal, "another.post.sql", right("another"));
    update(&portal, &api).await;
    for name in ["named", "another"] {
        let version = latest(&api, name).await;
        assert_eq!(
            (&version["status"], &version["report"]["rows"]),
            (&json!("complete"), &json!(1)),
            "{name}: {version}"
        );
    }
    let mut wrong = Vec::new();
    for (name, words) in [
        ("unnamed", "unnamed.sql, line 3: invalid byte sequence for encoding"),
        ("packed", "incomplete"),
        ("unended", "truncated"),
        ("statement", "statement.sql, line 3: "),
        ("rows", "ends within the rows of the statement in line 3."),
    ] {
        let version = latest(&api, name).await;
        let error = version["error"].as_str().unwrap_or_default();
        if version["status"] != json!("failed") || !error.contains(words) {
            wrong.push(format!("{name}: {version}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    nothing_left(&portal, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_dumps_of_mariadb_read_no_files_and_run_no_commands() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    let table = "create table `t` (`a` text) engine=InnoDB;\n";
    for (name, statements) in [
        ("infile", "load data infile '/etc/passwd' into table `t`;\n"),
        ("localfile", "load data local infile '/etc/passwd' into table `t`;\n"),
        ("sourced", "source /etc/passwd\n;\n"),
        ("dotted", "\\. /etc/passwd\n;\n"),
        ("shell", "\\! touch /tmp/owned\n;\n"),
        ("systemic", "system touch /tmp/owned\n;\n"),
        ("outfile", "select 'x' into outfile '/tmp/owned';\n"),
    ] {
        write(&portal, &format!("{name}.sql"), sql(&format!("{table}{statements}")));
    }
    // The dump of another database, in Latin-1, which drops the one that it is loaded into.
    let other = "create database `other`;\nuse `other`;\nset names latin1;\n";
    let word = "insert into `t` values ('Café');\ndrop database `another`;\n";
    write(&portal, "another.sql", latin1(&sql(&format!("{other}{table}{word}"))));
    let right = "if(database() = 'another' and hex(a) = '436166C3A9', 1, (select 1 union select 2))";
    write(&portal, "another.post.sql", format!("create table checked as select {right} as ok from t;\n"));
    update(&portal, &api).await;
    let another = latest(&api, "another").await;
    assert_eq!((&another["status"], &another["report"]["tables"]), (&json!("complete"), &json!(2)), "{another}");
    for name in ["infile", "localfile", "sourced", "dotted", "shell", "systemic", "outfile"] {
        let version = latest(&api, name).await;
        let error = version["error"].as_str().unwrap_or_default();
        let place = format!("{name}.sql, line 3: ");
        assert!(version["status"] == json!("failed") && error.starts_with(&place), "{name}: {version}");
    }
    assert!(!std::path::Path::new("/tmp/owned").exists());
    nothing_left(&portal, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_dump_is_aborted_and_the_previous_version_stays_in_use() {
    let mut portal = portal_with(|_| {}).await;
    let longest = portal.config.templates.longest;
    let secret = portal.token_secret(&portal.admin().await).await;
    let api = portal.nobody().with_token(&secret);
    write(&portal, "shop.sql", sql("create table t (i int);\n"));
    update(&portal, &api).await;
    portal.stop().await;
    portal.config.templates.longest = Duration::from_secs(10);
    portal.run().await;
    let api = portal.nobody().with_token(&secret);
    write(&portal, "shop.sql", sql("create table t (i int);\nselect pg_sleep(3600);\n"));
    write(
        &portal,
        "loop.js",
        format!("{}\nwhile (true) {{}}\n", "// a comment of a script that does not end ".repeat(3)),
    );
    update(&portal, &api).await;
    for (name, in_use) in [("shop", json!(1)), ("loop", Value::Null)] {
        let t = api.get(&format!("/api/v1/templates/{name}")).await.expect(200).json();
        let error = t["versions"][0]["error"].as_str().unwrap_or_default();
        assert!(t["version"] == in_use && error.starts_with("The import took longer than 10 s"), "{t}");
    }
    // None of their processes is still running.
    nothing_left(&portal, 1);
    let left = portal.containers();
    assert!(left.is_empty(), "{left:?}");
    portal.stop().await;
    portal.config.templates.longest = longest;
    portal.run().await;
    let api = portal.nobody().with_token(&secret);
    write(&portal, "shop.sql", sql("create table t (i int);\ninsert into t values (1);\n"));
    api.json(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(202);
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["versions"][0]["report"]["rows"]), (&json!(3), &json!(1)), "{shop}");
}
