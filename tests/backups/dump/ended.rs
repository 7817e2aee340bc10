//! A backup that ends early, at any instant and for any reason, does not end anything else in the server.

use std::time::Duration;

use crate::support::{Options, TestPortal, docker, store};

/// Fails if the server has ended its sessions since it started.
fn undisturbed(portal: &TestPortal, what: &str) {
    let said = docker::docker_ok(&["logs", &portal.container("lab")]);
    for words in ["terminating any other active server processes", "was terminated by signal", "exited with exit code"]
    {
        let line = said.lines().find(|line| line.contains(words));
        assert_eq!(line, None, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_or_failed_backup_ends_no_other_session() {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        store(config);
        config.backups.lock_wait = Duration::from_secs(1);
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let other = portal.connect("lab", "correct-horse").await.expect("signs in");
    other.batch_execute("create table t as select i from generate_series(1, 100000) i").await.expect("fills");
    // The beginning of a dump has many short commands, so the instants are close to each other.
    for round in 0..24 {
        ada.post("/containers/lab/backup", &[]).await.expect(303);
        let job = portal.sql("select id from job where kind = 'backup' order by created_at desc limit 1");
        portal.until("select count(*) from upload", |said| said != "0").await;
        tokio::time::sleep(Duration::from_millis(round * 12)).await;
        ada.post(&format!("/jobs/{job}/cancel"), &[]).await.expect(303);
        let (status, error) = portal.ended("backup").await;
        assert!(matches!(status.as_str(), "cancelled" | "succeeded"), "{round}: {error}");
        other.batch_execute("select 1").await.unwrap_or_else(|e| panic!("round {round}: the session ended: {e}"));
        undisturbed(&portal, &format!("round {round}"));
    }
    let cancelled = portal.sql("select count(*) from backup_log where status = 'cancelled'");
    assert!(cancelled.parse::<u32>().is_ok_and(|n| n > 8), "only {cancelled} backups were cancelled");

    // A backup that waits too long for a lock fails, and so do the sessions that it has open.
    let holds = portal.connect("lab", "correct-horse").await.expect("signs in");
    holds.batch_execute("begin; lock table t in access exclusive mode").await.expect("locks");
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert!(status == "failed" && error.contains("lock"), "{status}: {error}");
    other.batch_execute("select 1").await.expect("the session continues");
    undisturbed(&portal, "a lock");
}
