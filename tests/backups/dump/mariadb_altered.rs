//! Dumps of a MariaDB server whose definitions change meanwhile, and of text that mariadb-dump changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mysql_async::prelude::Queryable;

use super::mariadb::{connect, lab};
use crate::backups::back_up;
use crate::support::TestPortal;

const ATTEMPT: &str = "select attempt from job where kind = 'backup' order by created_at desc limit 1";

/// Notes in the manifest of the newest backup.
fn notes(portal: &TestPortal) -> String {
    portal.sql(
        "select coalesce(string_agg(n, ' | '), '') from (
           select manifest from backup_log where kind = 'backup' and status = 'succeeded' order by started_at desc limit 1) b,
           jsonb_array_elements_text(b.manifest->'notes') n",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_that_change_during_a_dump_are_not_called_a_difference() {
    let (portal, ada, mut db) = lab("docker.io/library/mariadb:11.8").await;
    for statement in [
        "create table a (i int)",
        "insert into a values (1)",
        "create table z as select seq as i, repeat(md5(seq), 30) as body from seq_1_to_20000",
    ] {
        db.query_drop(statement).await.expect("fills");
    }
    let going = Arc::new(AtomicBool::new(true));
    let mut other = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
    let alters = Arc::clone(&going);
    let altering = tokio::spawn(async move {
        let mut round = 0;
        while alters.load(Ordering::Relaxed) {
            round += 1;
            // It waits while the dump holds the table.
            other.query_drop(format!("alter table a comment '{round}'")).await.expect("alters");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        round
    });
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    going.store(false, Ordering::Relaxed);
    let rounds = altering.await.expect("alters");
    assert!(rounds > 2, "only {rounds} alterations");
    // It was made again, and accepted then.
    assert_eq!(portal.sql(ATTEMPT), "2");
    let said = notes(&portal);
    assert!(said.contains("Definitions in trial were changed while it was dumped. They are not compared"), "{said}");
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");

    // Nothing changes: nothing is said, and everything is compared.
    back_up(&portal, &ada, "lab").await;
    assert_eq!((portal.sql(ATTEMPT), notes(&portal)), ("1".to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_a_table_that_was_rebuilt_is_made_again() {
    let (portal, ada, mut db) = lab("docker.io/library/mariadb:11.8").await;
    for statement in ["create table a (i int)", "insert into a values (1)", "create table b (i int)"] {
        db.query_drop(statement).await.expect("fills");
    }
    let calm = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&calm);
    let rebuilding = tokio::spawn(async move {
        // Its rows are in no older snapshot afterwards, so reading it there fails.
        while !stop.load(Ordering::Relaxed) {
            db.query_drop("alter table a force").await.expect("alters");
            db.query_drop("create or replace procedure p() select 1").await.expect("replaces");
        }
    });
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    portal.until(ATTEMPT, |attempt| attempt == "2").await;
    calm.store(true, Ordering::Relaxed);
    rebuilding.await.expect("alters");
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_a_dump_changes_is_named() {
    let (portal, ada, mut db) = lab("docker.io/library/mariadb:11.8").await;
    for statement in [
        "create table paths (p varchar(20) character set sjis, q varchar(20) character set cp932)",
        "insert into paths values (x'433a5c746d70', x'8790')",
        "create table letters (c varchar(5) character set cp1251, g varchar(5) character set greek)",
        "insert into letters values (x'98', x'ae')",
        "create table states (e enum('a',''))",
        "set sql_mode = ''",
        "insert into states values ('zz'), (''), ('a')",
        // Nothing is wrong with these.
        "create table fine (s varchar(20) character set sjis, l varchar(9) character set latin1, u text, w varchar(9) character set ucs2, e enum('a','b'), k varchar(9) character set cp1251)",
        "insert into fine values ('表示', 'é', '🐘', 'ж', 'zz', 'жук')",
    ] {
        db.query_drop(statement).await.expect("fills");
    }
    back_up(&portal, &ada, "lab").await;
    let said = notes(&portal);
    for named in [
        "changes text in trial.paths (values: 2)",
        "changes text in trial.letters (values: 2)",
        "changes text in trial.states (values: 1)",
    ] {
        assert!(said.contains(named), "{named}: {said}");
    }
    assert!(!said.contains("trial.fine"), "{said}");
}
