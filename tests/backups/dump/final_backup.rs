//! The final backup before a database is deleted.

use mydb::runtime::fault::{Fault, FaultTiming};
use serde_json::json;

use crate::backups::{back_up, cli, nothing_left, object, objects};
use crate::support::{Client, TestPortal};

/// Starts a portal with a user who has a database `lab` with a table.
async fn filled() -> (TestPortal, Client) {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("fills");
    drop(db);
    (portal, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_makes_a_final_backup_that_outlives_the_database() {
    let (portal, ada) = filled().await;
    let page = ada.get("/containers/lab/delete").await.expect(200).text();
    assert!(page.contains("A final backup is made first") && page.contains("without a final backup"), "{page}");
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    let row =
        portal.sql("select id || '|' || status || '|' || reason || '|' || level from backup_log where kind = 'backup'");
    let (id, rest) = row.split_once('|').expect("a row");
    assert!(rest == "succeeded|final|2" || rest == "succeeded|final|5", "{rest}");
    object(&portal, id, "manifest.json");
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "the final backup has a test restore too: {error}");
    // An object in the bucket marks the database as deleted until it is restored from the trash. The audit knows this
    // object.
    let noted = || objects(&portal).iter().filter(|p| p.ends_with("deleted.json")).count();
    assert_eq!(noted(), 1);
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    assert_eq!(noted(), 0);
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    assert_eq!(noted(), 1);
    let (code, said) = cli(&portal, &["backup", "audit"]);
    assert_eq!(code, 0, "{said}");
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("purge").await.0, "succeeded");
    object(&portal, id, "manifest.json");
    let page = ada.get("/backups").await.expect(200).text();
    assert!(page.contains("lab") && page.contains("before deletion"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_backup_that_fails_stops_the_deletion() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    portal.faults.cut_output(100);
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    let (status, error) = portal.ended("delete").await;
    assert!(
        status == "failed" && error.starts_with("The final backup failed, so the database was not deleted"),
        "{error}"
    );
    assert_eq!(ada.state("lab").await, "running");
    portal.connect("lab", "correct-horse").await.expect("the server is still running");
    assert!(objects(&portal).is_empty(), "objects of the backup are left: {:?}", objects(&portal));
    assert_eq!(portal.sql("select status || ' ' || reason from backup_log"), "failed final");
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("The final backup failed") && page.contains("Delete without a backup"), "{page}");
    let page = ada.get("/containers/lab/delete").await.expect(200).text();
    assert!(page.contains("The last attempt failed: The final backup failed"), "{page}");
    // It can still be backed up, and deleted without a final backup.
    back_up(&portal, &ada, "lab").await;
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    assert_eq!(portal.sql("select count(*) from backup_log where reason = 'final'"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_why_no_final_backup_is_made() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("never", &[("backup_freq", "Never")]).await;
    let page = ada.get("/containers/never/delete").await.expect(200).text();
    assert!(page.contains("backup schedule is “Never”") && !page.contains("without a final backup"), "{page}");
    ada.post("/containers/never/delete", &[("confirm", "never")]).await.expect(303);
    ada.wait_for("never", "in the trash").await;
    ada.create("by-api", &[]).await;
    let api = portal.token(&ada).await;
    api.json(
        reqwest::Method::DELETE,
        "/api/v1/containers/by-api?wait=300",
        &json!({"confirm": "by-api", "no_backup": true}),
    )
    .await
    .expect(200);
    assert_eq!(portal.sql("select count(*) from backup_log"), "0");
}

/// The sealed container for a copy cannot be created.
fn refused() -> Fault {
    Fault { operation: "create", strike: FaultTiming::Before, times: 1, transient: false }
}

/// The state of the database `lab`, with the failed step and the reason.
fn state(portal: &TestPortal) -> String {
    portal.sql("select state || '|' || coalesce(failed_step, '') || '|' || coalesce(failed_reason, '') from state")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_database_gets_a_final_backup_from_a_copy() {
    let (portal, ada) = filled().await;
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    let page = ada.get("/containers/lab/delete").await.expect(200).text();
    assert!(page.contains("from a copy of the data") && page.contains("stays stopped"), "{page}");
    assert!(!page.contains("all connections"), "{page}");

    portal.faults.inject(refused());
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    let (status, error) = portal.ended("delete").await;
    assert!(
        status == "failed"
            && error.starts_with("The final backup failed, so the database was not deleted and is unchanged"),
        "{error}"
    );
    assert_eq!(state(&portal), "stopped||");
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("Nothing was deleted"), "{page}");

    // A failed database keeps the reason for its failure.
    portal.sql("update state set state = 'failed', last_state = 'stopped', failed_step = 'Keep it running', failed_reason = 'It fell.'");
    portal.faults.inject(refused());
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("delete").await.0, "failed");
    assert_eq!(state(&portal), "failed|Keep it running|It fell.");
    assert!(objects(&portal).is_empty(), "objects of the backups are left: {:?}", objects(&portal));
    nothing_left(&portal, 1);

    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("delete").await, ("succeeded".to_owned(), String::new()));
    ada.wait_for("lab", "in the trash").await;
    let made =
        "select manifest->>'source' || ' ' || reason from backup_log where kind = 'backup' and status = 'succeeded'";
    assert_eq!(portal.sql(made), "frozen copy final");
    assert_eq!(portal.ended("drill").await.0, "succeeded", "its test restore passes too");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_the_final_backup_cancels_the_deletion() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("fills");
    db.batch_execute("begin; lock table t in access exclusive mode").await.expect("locks");
    let other = portal.connect("lab", "correct-horse").await.expect("signs in");
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    let job = portal.sql("select id from job where kind = 'delete'");
    portal.until("select count(*) from upload", |said| said == "1").await;
    for href in ["/containers/lab".to_owned(), format!("/jobs/{job}")] {
        let page = ada.get(&href).await.expect(200).text();
        assert!(page.contains("Cancel deletion"), "{page}");
    }
    ada.post(&format!("/jobs/{job}/cancel"), &[]).await.expect(303);
    assert_eq!(portal.ended("delete").await, ("cancelled".to_owned(), "Cancelled by ada.".to_owned()));
    drop(db);
    assert_eq!(state(&portal), "running||");
    // Stopping the dump in the container ends no other session.
    other.batch_execute("select 1").await.expect("the server is still running");
    assert_eq!(portal.sql("select status || ' ' || reason from backup_log"), "cancelled final");
    assert!(objects(&portal).is_empty(), "objects of the backup are left: {:?}", objects(&portal));
    // Once the backup has succeeded, the deletion cannot be cancelled.
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(portal.ended("delete").await.0, "succeeded");
    let job = portal.sql("select id from job where kind = 'delete' order by created_at desc limit 1");
    ada.post(&format!("/jobs/{job}/cancel"), &[]).await.expect(303);
    assert_eq!(
        portal.sql("select status from job where kind = 'delete' order by created_at desc limit 1"),
        "succeeded"
    );
    ada.wait_for("lab", "in the trash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_killed_during_a_final_backup_finishes_the_deletion() {
    let mut portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select i, repeat(md5(i::text), 30) as body from generate_series(1, 40000) i")
        .await
        .expect("fills");
    drop(db);
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    portal.kill_during("delete", 3, std::time::Duration::from_millis(400)).await;
    let (status, error) = portal.ended("delete").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(
        portal.sql("select string_agg(status || ' ' || reason, ',') from backup_log where kind = 'backup'"),
        "succeeded final"
    );
    assert_eq!(portal.sql("select state from state"), "trashed");
}
