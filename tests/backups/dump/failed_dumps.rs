//! Failed backups: what must not count as a backup, and what must not be left behind.

use crate::backups::{back_up, objects};
use crate::support::{Client, TestPortal, docker};

async fn lab(rows: u32) -> (TestPortal, Client) {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let fill =
        format!("create table t as select i, repeat(md5(i::text), 30) as body from generate_series(1, {rows}) i");
    db.batch_execute(&fill).await.expect("fills");
    (portal, ada)
}

fn nothing_is_left(portal: &TestPortal, what: &str) {
    assert!(objects(portal).is_empty(), "{what}: {:?}", objects(portal));
    assert_eq!(portal.sql("select count(*) from upload"), "0", "{what}: an upload is still recorded");
    assert_eq!(
        portal.sql("select count(*) from backup_log where status = 'running'"),
        "0",
        "{what}: a backup is still running"
    );
    let look =
        "ls /tmp/ | grep db4sci-dump; cat /proc/[0-9]*/comm 2>/dev/null | grep -x -e pg_dump -e tee -e sha256sum; true";
    // A terminated process may need a moment to end on a busy machine.
    let mut dumps = String::new();
    for _ in 0..50 {
        dumps = docker::docker_ok(&["exec", &portal.container("lab"), "sh", "-c", look]);
        if dumps.is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{what}: a dump is still running in the container: {dumps}");
}

async fn fails(portal: &TestPortal, ada: &Client, what: &str, piece: &str) {
    let (status, error) = portal.ended("backup").await;
    assert_eq!(status, "failed", "{what}");
    assert!(error.contains(piece), "{what}: {error}");
    let row = portal
        .sql("select status || '|' || error from backup_log where kind = 'backup' order by started_at desc limit 1");
    assert!(row.starts_with("failed|") && row.contains(piece), "{what}: {row}");
    nothing_is_left(portal, what);
    ada.wait_for("lab", "running").await;
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("you would lose everything in it"), "{what}: {page}");
}

const LOCK: &str = "begin; lock table t in access exclusive mode";

async fn connected(portal: &TestPortal) -> tokio_postgres::Client {
    portal.connect("lab", "correct-horse").await.expect("signs in")
}

async fn locked(portal: &TestPortal) -> tokio_postgres::Client {
    let db = connected(portal).await;
    db.batch_execute(LOCK).await.expect("locks");
    db
}

/// Waits until at least this many sessions wait for a lock on the table.
async fn until_waiting(portal: &TestPortal, many: i64) {
    let db = connected(portal).await;
    let sql = "select count(*) from pg_locks where not granted and relation = 't'::regclass";
    for _ in 0..600 {
        let waiting: i64 = db.query_one(sql, &[]).await.expect("answers").get(0);
        if waiting >= many {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{many} sessions did not wait for the lock in time");
}

/// Kills all processes with this name in the database's container; there must be at least one.
fn kill(portal: &TestPortal, program: &str) {
    let kill = format!(
        "hit=; for p in /proc/[0-9]*; do [ \"$(cat $p/comm 2>/dev/null)\" = {program} ] && kill -KILL ${{p#/proc/}} && hit=1; done; echo hit=$hit"
    );
    let said = docker::docker(&["exec", "--user", "postgres", &portal.container("lab"), "sh", "-c", &kill]);
    assert_eq!(said, "hit=1", "{program} was not running");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_or_killed_dump_is_not_a_backup() {
    let (portal, ada) = lab(40_000).await;

    // The stream ends early although the exit code is 0.
    portal.faults.cut_output(100);
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    fails(&portal, &ada, "a cut stream", "differ from what the container sent").await;

    // Each program is killed while a lock blocks it in the middle of its work.
    for (what, program, at_work, piece) in [
        ("the definitions' dump killed", "pg_dump", 1, "Killed"),
        ("the dump killed", "pg_dump", 2, "was killed (signal 9)"),
        ("the sum killed", "sha256sum", 2, "signal 13"),
        ("the holder killed", "psql", 2, "The session that held the snapshot ended early."),
    ] {
        let first = locked(&portal).await;
        ada.post("/containers/lab/backup", &[]).await.expect(303);
        until_waiting(&portal, 1).await;
        // A second lock requested now is granted when the definitions have been written, before the rows are.
        let second = connected(&portal).await;
        let second = match at_work {
            1 => None,
            _ => {
                let asked = tokio::spawn(async move {
                    second.batch_execute(LOCK).await.expect("locks");
                    second
                });
                until_waiting(&portal, 2).await;
                first.batch_execute("commit").await.expect("releases the first lock");
                let second = asked.await.expect("has the second lock");
                // The dump and the counts.
                until_waiting(&portal, 2).await;
                Some(second)
            }
        };
        kill(&portal, program);
        first.batch_execute("rollback").await.expect("lets go");
        drop(second);
        fails(&portal, &ada, what, piece).await;
    }

    // A backup still succeeds afterwards.
    back_up(&portal, &ada, "lab").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_backup_leaves_nothing() {
    let (portal, ada) = lab(1000).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("begin; lock table t in access exclusive mode").await.expect("locks");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let job = portal.sql("select id from job where kind = 'backup'");
    portal.until("select count(*) from upload", |said| said != "0").await;
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("Cancel backup"), "{page}");
    ada.post(&format!("/jobs/{job}/cancel"), &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert_eq!((status.as_str(), error.as_str()), ("cancelled", "Cancelled by ada."));
    assert_eq!(portal.sql("select status from backup_log"), "cancelled");
    nothing_is_left(&portal, "cancelled");
    drop(db);
    back_up(&portal, &ada, "lab").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_killed_during_a_backup_makes_a_new_one() {
    let (mut portal, ada) = lab(40_000).await;
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    portal.kill_during("backup", 4, std::time::Duration::from_millis(350)).await;
    let (status, error) = portal.ended("backup").await;
    assert_eq!(status, "succeeded", "{error}");
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql("select count(*) from upload"), "0");
    let id = portal.sql("select id from backup_log where kind = 'backup'");
    let here = |p: &std::path::PathBuf| p.to_string_lossy().contains(&id) && !p.to_string_lossy().contains(".upload");
    assert!(objects(&portal).iter().all(here), "there are other objects: {:?}", objects(&portal));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_is_rejected_by_test_restore_and_restore() {
    let (portal, ada) = lab(5000).await;
    let id = back_up(&portal, &ada, "lab").await;
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    let object = objects(&portal).into_iter().find(|p| p.ends_with("database-1.pgdump.zst")).expect("it is there");
    let whole = std::fs::read(&object).expect("read");

    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let shorter = whole[..whole.len() - 10].to_vec();
    for (what, content) in [("flipped", Some(flipped)), ("truncated", Some(shorter)), ("deleted", None)] {
        match content {
            Some(content) => std::fs::write(&object, content).expect("written"),
            None => std::fs::remove_file(&object).expect("removed"),
        }
        ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
        let (status, error) = portal.ended("drill").await;
        assert!(status == "failed" && error.contains("database-1.pgdump.zst"), "{what}: {status} {error}");
        let page = ada.get("/containers/lab/backups").await.expect(200).text();
        assert!(page.contains("The last test restore failed"), "{what}: {page}");
        let name = format!("copy-{what}");
        ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", name.as_str())]).await.expect(303);
        let (status, error) = portal.ended("restore").await;
        assert!(status == "failed" && error.contains("database-1.pgdump.zst"), "{what}: {status} {error}");
        ada.wait_for(&name, "failed").await;
        assert!(
            !portal.containers().iter().any(|c| c.ends_with(&name) || c.contains("drill")),
            "{what}: {:?}",
            portal.containers()
        );
    }
    std::fs::write(&object, &whole).expect("written");
    assert_eq!(
        portal.sql(&format!("select level from backup_log where id = '{id}'")),
        "5",
        "the level of the earlier test restore remains"
    );

    // The manifest is replaced by that of another backup.
    let second = back_up(&portal, &ada, "lab").await;
    let manifest = |id: &str| {
        objects(&portal).into_iter().find(|p| p.ends_with(format!("{id}/manifest.json"))).expect("it is there")
    };
    std::fs::copy(manifest(&id), manifest(&second)).expect("copied");
    ada.post(&format!("/containers/lab/backups/{second}/restore"), &[("name", "swapped")]).await.expect(303);
    let (status, error) = portal.ended("restore").await;
    let told = error.contains("manifest.json differs from what was stored") && error.contains("mydb_admin has");
    assert!(status == "failed" && told, "{status} {error}");
}
