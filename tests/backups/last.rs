//! The final backup before a deletion.

use serde_json::json;

use super::{back_up, ended, object, objects};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_makes_a_final_backup_that_outlives_the_database() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 7 as x").await.expect("fills");
    drop(db);
    let page = ada.get("/containers/lab/delete").await.expect(200).text();
    assert!(page.contains("A final backup is made first") && page.contains("without a final backup"), "{page}");
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    let row =
        portal.sql("select id || '|' || status || '|' || reason || '|' || level from backup_log where kind = 'backup'");
    let (id, rest) = row.split_once('|').expect("a row");
    assert!(rest == "succeeded|final|2" || rest == "succeeded|final|5", "{rest}");
    object(&portal, id, "manifest.json");
    let (status, error) = ended(&portal, "drill").await;
    assert_eq!(status, "succeeded", "also the final one is proven: {error}");
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    assert_eq!(ended(&portal, "purge").await.0, "succeeded");
    object(&portal, id, "manifest.json");
    let page = ada.get("/backups").await.expect(200).text();
    assert!(page.contains("lab") && page.contains("before its deletion"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_backup_that_fails_stops_the_deletion() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    portal.faults.cut_output(100);
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    let (status, error) = ended(&portal, "delete").await;
    assert!(
        status == "failed" && error.starts_with("The final backup failed, so the database was not deleted"),
        "{error}"
    );
    assert_eq!(ada.state("lab").await, "running");
    portal.connect("lab", "correct-horse").await.expect("it runs on");
    assert!(objects(&portal).is_empty(), "nothing is left of it: {:?}", objects(&portal));
    assert_eq!(portal.sql("select status || ' ' || reason from backup_log"), "failed final");
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("The final backup failed") && page.contains("Delete it without a backup"), "{page}");
    let page = ada.get("/containers/lab/delete").await.expect(200).text();
    assert!(page.contains("The last try stopped: The final backup failed"), "{page}");
    // It can be backed up, and deleted without.
    back_up(&portal, &ada, "lab").await;
    assert_eq!(ended(&portal, "drill").await.0, "succeeded");
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    assert_eq!(portal.sql("select count(*) from backup_log where reason = 'final'"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_none_is_made_the_page_says_why() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("never", &[("backup_freq", "Never")]).await;
    ada.create("halted", &[]).await;
    ada.post("/containers/halted/stop", &[]).await.expect(303);
    ada.wait_for("halted", "stopped").await;
    for (name, why) in [("never", "backup policy is “Never”"), ("halted", "its server does not run")] {
        let page = ada.get(&format!("/containers/{name}/delete")).await.expect(200).text();
        assert!(page.contains(why) && !page.contains("without a final backup"), "{page}");
        ada.post(&format!("/containers/{name}/delete"), &[("confirm", name)]).await.expect(303);
        ada.wait_for(name, "in the trash").await;
    }
    ada.create("by-api", &[]).await;
    let api = portal.token(&ada).await;
    api.json(
        reqwest::Method::DELETE,
        "/api/v1/containers/by-api?wait=60",
        &json!({"confirm": "by-api", "no_backup": true}),
    )
    .await
    .expect(200);
    assert_eq!(portal.sql("select count(*) from backup_log"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_that_dies_in_a_final_backup_finishes_the_deletion() {
    let mut portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select i, repeat(md5(i::text), 30) as body from generate_series(1, 40000) i")
        .await
        .expect("fills");
    drop(db);
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(400)).await;
        portal.kill();
        portal.run().await;
    }
    let (status, error) = ended(&portal, "delete").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(
        portal.sql("select string_agg(status || ' ' || reason, ',') from backup_log where kind = 'backup'"),
        "succeeded final"
    );
    assert_eq!(portal.sql("select state from state"), "trashed");
}
