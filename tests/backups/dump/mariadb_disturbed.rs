//! Dumps of a MariaDB server that are disturbed: programs are killed, tables are dropped, others hold locks or write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use mysql_async::prelude::Queryable;

use super::mariadb::{as_admin, connect, lab};
use crate::backups::{back_up, objects};
use crate::support::{TestPortal, docker};

fn nothing_is_left(portal: &TestPortal, what: &str) {
    assert!(objects(portal).is_empty(), "{what}: {:?}", objects(portal));
    assert_eq!(portal.sql("select count(*) from upload"), "0", "{what}: an upload is still recorded");
    let look = "ls -A /tmp | grep -e db4sci -e tmp; cat /proc/[0-9]*/comm 2>/dev/null | grep -x -e mariadb -e mariadb-dump -e tee -e sha256sum; true";
    let left = docker::docker_ok(&["exec", &portal.container("lab"), "sh", "-c", look]);
    assert_eq!(left.trim(), "", "{what}: files or processes are left in the container");
}

/// Waits for a process with this name in the container and signals all of them; fails if none appears. CONT does not
/// wait, because mariadb-dump may have ended by then.
fn signal(portal: &TestPortal, program: &str, signal: &str) {
    let script = "n=0; until [ $n = 2000 ]; do for p in /proc/[0-9]*; do \
        if read -r name <$p/comm && [ \"$name\" = \"$1\" ]; then kill -s \"$2\" ${p#/proc/} && found=1; fi; done 2>/dev/null; \
        [ -z \"${found:-}\" ] || exit 0; [ $2 != CONT ] || exit 0; n=$((n + 1)); sleep 0.01; done; exit 1";
    let container = portal.container("lab");
    docker::docker_ok(&["exec", "--user", "mysql", &container, "sh", "-c", script, "sh", program, signal]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_disturbed_mariadb_dump_fails_or_is_marked() {
    let (portal, ada, mut db) = lab("docker.io/library/mariadb:11.8").await;
    db.query_drop("create table t as select seq as i, repeat(md5(seq), 30) as body from seq_1_to_60000")
        .await
        .expect("fills");
    for statement in
        ["create table a_kept (i int) engine = MyISAM", "create table u (i int)", "insert into a_kept values (1)"]
    {
        db.query_drop(statement).await.expect("fills");
    }
    // The programs are killed in the middle of a dump.
    for program in ["mariadb-dump", "mariadb", "sha256sum"] {
        ada.post("/containers/lab/backup", &[]).await.expect(303);
        signal(&portal, "mariadb-dump", "STOP");
        signal(&portal, program, "KILL");
        signal(&portal, "mariadb-dump", "CONT");
        let (status, error) = portal.ended("backup").await;
        assert_eq!(status, "failed", "{program} killed: {error}");
        ada.wait_for("lab", "running").await;
        nothing_is_left(&portal, program);
        db.query_drop("insert into u values (1)").await.expect("no lock is left");
    }

    // A table is dropped after the dump has begun and before it reaches that table.
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    signal(&portal, "mariadb-dump", "STOP");
    db.query_drop("drop table u").await.expect("drops");
    signal(&portal, "mariadb-dump", "CONT");
    // It is made again, without that table.
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(portal.sql("select attempt from job where kind = 'backup' order by created_at desc limit 1"), "2");
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));

    // Two tables exchange their names: the dump is made again, because it may contain one twice and the other never.
    for statement in ["create table v (i int)", "create table w (i int)", "insert into v values (1), (2), (3)"] {
        db.query_drop(statement).await.expect("fills");
    }
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    signal(&portal, "mariadb-dump", "STOP");
    db.query_drop("rename table v to x, w to v, x to w").await.expect("renames");
    signal(&portal, "mariadb-dump", "CONT");
    assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()));
    let attempt = "select attempt from job where kind = 'backup' order by created_at desc limit 1";
    assert_eq!(portal.sql(attempt), "2");
    let rows = portal.sql(
        "select string_agg(c->>'rows', ' ' order by c->>'name') from backup_log, jsonb_array_elements(manifest->'counts') c
          where backup_log.kind = 'backup' and status = 'succeeded' and c->>'name' in ('v', 'w')",
    );
    assert_eq!(rows, "0 3");
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    // Another session holds a lock, so that the counts are not exact: the backup succeeds and says so.
    let mut long = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
    long.query_drop("lock tables t write").await.expect("locks");
    ada.wait_for("lab", "running").await;
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    wait_for(&portal, "select count(*) from information_schema.processlist where state like 'Waiting for table metadata lock' and user = 'db4sci_observer' and db = 'trial'").await;
    long.query_drop("unlock tables").await.expect("unlocks");
    let (status, error) = portal.ended("backup").await;
    assert_eq!(status, "succeeded", "{error}");
    let said = portal.sql("select (manifest->>'exact_counts') || ' ' || (manifest->>'notes') from backup_log where status = 'succeeded' and kind = 'backup' order by started_at desc limit 1");
    assert!(said.starts_with("false") && said.contains("Others held locks"), "{said}");
    let newest = "from backup_log where kind = 'backup' and status = 'succeeded' order by started_at desc limit 1";
    let id = portal.sql(&format!("select id {newest}"));
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql(&format!("select level {newest}")), "3");

    // The counts match the dump even while others write.
    let mut writer = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
    let written = Arc::new(AtomicU32::new(0));
    let counter = written.clone();
    let writing = tokio::spawn(async move {
        for i in 1_u32.. {
            let two = [format!("insert into t values ({i}, 'more')"), format!("insert into a_kept values ({i})")];
            for statement in two {
                writer.query_drop(statement).await.expect("the writer can write");
            }
            counter.store(i, Ordering::Relaxed);
        }
    });
    // As if the last test restore were a week ago: only then does the next backup compute fingerprints.
    portal.sql("update backup_log set started_at = started_at - interval '7 days' where kind = 'drill'");
    let before = written.load(Ordering::Relaxed);
    let id = back_up(&portal, &ada, "lab").await;
    assert!(!writing.is_finished(), "the writer was interrupted");
    assert!(written.load(Ordering::Relaxed) > before, "nothing was written during the backup");
    writing.abort();
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
}

/// Waits until the query on the server returns something other than 0.
async fn wait_for(portal: &TestPortal, query: &str) {
    for _ in 0..200 {
        if !matches!(as_admin(portal, "lab", query).as_str(), "0" | "") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the server did not return a count in time: {query}");
}
