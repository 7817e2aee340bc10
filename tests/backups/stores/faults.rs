//! Stores that fail briefly, return wrong data, hang, refuse or run full: temporary faults are retried, permanent ones
//! are reported, and nothing is left behind.

use std::time::{Duration, Instant};

use crate::backups::{back_up, nothing_left, objects_in};
use crate::support::store_proxy::{ALL, Op, StoreProxy, WRITES, Wrong, portal};
use crate::support::{Client, TestPortal};

pub async fn lab() -> (TestPortal, StoreProxy, Client) {
    let (portal, proxy) = portal(1).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let fill = "create table t as select i, md5(random()::text) || md5(random()::text) as body from generate_series(1, 30000) i";
    db.batch_execute(fill).await.expect("fills");
    (portal, proxy, ada)
}

/// Files below the store that belong to none of these backups.
pub fn others(proxy: &StoreProxy, good: &[&str]) -> Vec<std::path::PathBuf> {
    let mut found = objects_in(proxy.dir.clone());
    found
        .retain(|p| p.to_string_lossy().contains(".upload") || !good.iter().any(|id| p.to_string_lossy().contains(id)));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_errors_of_a_store_are_retried() {
    let (portal, proxy, ada) = lab().await;
    proxy.fail(&[Op::Begin], Wrong::Says(500, "InternalError"), 1);
    // The upload is begun, but the response is lost.
    proxy.fail(&[Op::Begin], Wrong::ClosesAfter, 1);
    proxy.fail_at("database-1", &[Op::Part], Wrong::Says(503, "SlowDown"), 1);
    proxy.fail_at("database-1", &[Op::Part], Wrong::Closes, 1);
    proxy.fail_at("database-1", &[Op::Get], Wrong::HalfAnswer, 1);
    proxy.fail_at("manifest.json", &[Op::Put], Wrong::Hangs, 1);
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(proxy.heal(), [1, 1, 1, 1, 1, 1], "every fault struck");
    assert_eq!(portal.sql("select max(attempt) from job where kind = 'backup'"), "1", "within one attempt");
    assert_eq!(others(&proxy, &[&id]), Vec::<std::path::PathBuf>::new());
    assert_eq!(portal.sql("select count(*) from upload"), "0");

    // A part that is changed in transit is refused by the store, and the dump is made anew.
    proxy.fail_at("database-1", &[Op::Part], Wrong::FlipsSent, 1);
    let second = back_up(&portal, &ada, "lab").await;
    assert_eq!((proxy.heal(), others(&proxy, &[&id, &second])), (vec![1], Vec::new()));

    // An interrupted read resumes where it stopped.
    proxy.fail_at("manifest.json", &[Op::Get], Wrong::Says(500, "InternalError"), 1);
    proxy.fail_at("roles.json", &[Op::Get], Wrong::StallsHalfway, 1);
    proxy.fail_at("database-1", &[Op::Get], Wrong::HalfAnswer, 2);
    ada.post(&format!("/containers/lab/backups/{second}/drill"), &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(proxy.heal(), [1, 1, 2]);
    nothing_left(&portal, 1);
}

/// Waits for the job to fail and checks that it gives the reason and takes no more than two minutes.
async fn fails(portal: &TestPortal, ada: &Client, what: &str, kind: &str, piece: &str) {
    let begin = Instant::now();
    let (status, error) = portal.ended(kind).await;
    assert!(status == "failed" && error.contains(piece), "{what}: {status} {error}");
    // An unanswered part is waited for as long as it takes over the slowest line, twice.
    assert!(begin.elapsed() < Duration::from_secs(120), "{what}: {:?}", begin.elapsed());
    println!("{what}: {:.1} s: {error}", begin.elapsed().as_secs_f64());
    if kind != "restore" {
        let row = portal.sql("select status || '|' || error from backup_log order by started_at desc limit 1");
        assert!(row.starts_with("failed|") && row.contains(piece), "{what}: {row}");
    }
    ada.wait_for("lab", "running").await;
    nothing_left(portal, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_errors_of_a_store_fail_the_backup_with_a_reason() {
    let (portal, proxy, ada) = lab().await;
    let good = back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    // Jobs are tried twenty times with growing waits; in this test only once.
    portal.sql("alter table job alter max_attempts set default 1");
    for (what, on, wrong, piece) in [
        (
            "it answers 500",
            &[Op::Complete][..],
            Wrong::Says(500, "InternalError"),
            "currently cannot complete an upload",
        ),
        // Before this fault, the store is too busy once and closes the connection once.
        ("it hangs", &[Op::Part], Wrong::Hangs, "currently cannot store a part: request has timed out"),
        (
            "it refuses the credentials",
            WRITES,
            Wrong::Says(403, "AccessDenied"),
            "credentials must be valid and allowed",
        ),
        ("it is full", &[Op::Part], Wrong::Says(507, "XMinioStorageFull"), "It is full: free up space"),
        ("the quota is used up", &[Op::Part], Wrong::Says(403, "QuotaExceeded"), "It is full: free up space"),
        ("it tells another sum", &[Op::Part], Wrong::OtherTag, "reports the part's MD5 as"),
        ("it makes another object", &[Op::Complete], Wrong::Says(400, "InvalidPart"), "InvalidPart"),
        ("it stores a flipped bit", &[Op::Part], Wrong::FlipsSent, "currently cannot store a part"),
        ("it gives back a flipped bit", &[Op::Get], Wrong::FlipsAnswer, "is not readable as a dump"),
    ] {
        if wrong == Wrong::Hangs {
            proxy.fail(on, Wrong::Says(503, "SlowDown"), 1);
            proxy.fail(on, Wrong::Closes, 1);
        }
        proxy.fail(on, wrong, u32::MAX);
        ada.post("/containers/lab/backup", &[]).await.expect(303);
        fails(&portal, &ada, what, "backup", piece).await;
        assert!(proxy.heal().iter().all(|n| *n > 0), "{what}: the fault never struck");
        assert_eq!(others(&proxy, &[&good]), Vec::<std::path::PathBuf>::new(), "{what}");
        assert_eq!(portal.sql("select count(*) from upload"), "0", "{what}");
    }

    // If the store does not allow the cleanup either, the cleanup follows as soon as it does.
    for (what, on, word, piece) in [
        ("the bucket is gone", ALL, "NoSuchBucket", "The bucket does not exist"),
        (
            "the credentials are taken away in the middle",
            &[Op::Complete, Op::Abort, Op::Delete],
            "AccessDenied",
            "credentials must be valid and allowed",
        ),
    ] {
        proxy.fail(on, Wrong::Says(if word == "NoSuchBucket" { 404 } else { 403 }, word), u32::MAX);
        ada.post("/containers/lab/backup", &[]).await.expect(303);
        fails(&portal, &ada, what, "backup", piece).await;
        proxy.heal();
    }
    assert_ne!(
        others(&proxy, &[&good]),
        Vec::<std::path::PathBuf>::new(),
        "an upload is still open because it could not be aborted"
    );
    portal.sql("update schedule set next_run = now() where name = 'prune'");
    portal.until("select count(*) from upload", |said| said == "0").await;
    assert_eq!(portal.ended("prune").await, ("succeeded".to_owned(), String::new()));
    assert_eq!(others(&proxy, &[&good]), Vec::<std::path::PathBuf>::new());

    // Test restores and restores.
    let proof = portal.sql(&format!("select level, (select max(finished_at) from backup_log where drill_of = b.id and status = 'succeeded') from backup_log b where id = '{good}'"));
    let drill = format!("/containers/lab/backups/{good}/drill");
    for (what, wrong, piece) in [
        ("flipped on the way", Wrong::FlipsAnswer, "database-1.pgdump.zst"),
        ("never all of it", Wrong::StallsHalfway, "database-1.pgdump.zst"),
    ] {
        proxy.fail_at("database-1", &[Op::Get], wrong, u32::MAX);
        ada.post(&drill, &[]).await.expect(303);
        fails(&portal, &ada, what, "drill", piece).await;
        assert!(proxy.heal()[0] > 0, "{what}: the fault never struck");
    }
    for (n, (what, at, wrong, piece)) in [
        ("flipped for a restore", "database-1", Wrong::FlipsAnswer, "database-1.pgdump.zst"),
        ("a manifest that hangs", "manifest.json", Wrong::Hangs, "currently cannot return an object"),
        ("refused", "manifest.json", Wrong::Says(403, "AccessDenied"), "credentials must be valid and allowed"),
    ]
    .into_iter()
    .enumerate()
    {
        proxy.fail_at(at, &[Op::Get], wrong, u32::MAX);
        let name = format!("copy-{n}");
        let path = format!("/containers/lab/backups/{good}/restore");
        ada.post(&path, &[("name", name.as_str())]).await.expect(303);
        fails(&portal, &ada, what, "restore", piece).await;
        ada.wait_for(&name, "failed").await;
        assert!(proxy.heal()[0] > 0, "{what}: the fault never struck");
    }
    assert_eq!(portal.sql(&format!("select level, (select max(finished_at) from backup_log where drill_of = b.id and status = 'succeeded') from backup_log b where id = '{good}'")), proof);
    ada.post(&drill, &[]).await.expect(303);
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()));
}
