//! Uploads a dump of several databases in the browser: it is sent once, and the page then asks which database to load.

use serde_json::json;

use super::driver::{Browser, JOB, Wish};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_two_databases_is_asked_about_and_sent_once() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/new/from-dump?engine=postgres").await;
    for (id, text) in [("name", "mice"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")] {
        browser.fill_in(id, text).await;
    }
    let file = format!("{}/tests/cases/pg-dumpall/cluster.sql", env!("CARGO_MANIFEST_DIR"));
    browser.find("#dump").await.send_keys(file.as_str()).await.expect("the file is chosen");
    browser.press("Create PostgreSQL 17 database").await;
    browser.until("it asks", JOB, async |b| b.has("#source input[value='rats']").await).await;
    let asked = browser.text("main").await;
    assert!(asked.contains("contains the databases mice, rats") && asked.contains("cluster.sql"), "{asked}");
    assert!(!browser.has("#dump").await, "the file need not be sent again");
    browser.click("#source input[value='rats']").await;
    browser.fill_in("dbuserpass", "correct-horse").await;
    browser.press("Create PostgreSQL 17 database").await;
    browser.until("it is loaded", JOB, async |b| b.text("main").await.contains("Loaded")).await;
    let db = portal.connect("mice", "correct-horse").await.expect("it opens");
    let row = db.query_one("select sum(weight) from samples", &[]).await.expect("it is there");
    assert_eq!(row.get::<_, i64>(0), 610);
    let job = portal.sql("select id from job where kind = 'load' order by created_at desc limit 1");
    browser.open(&format!("/jobs/{job}")).await;
    let page = browser.text("main").await;
    assert!(page.contains("Loaded 1 table with 2 rows") && page.contains("also contains mice"), "{page}");
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_shows_how_far_it_is_and_leads_to_its_job() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let file = portal.config.data_dir.join("mice.sql");
    let long = "-- a comment that makes the file take a few seconds to send\n".repeat(50_000);
    let dump = format!("create table mice (id int);\n{long}insert into mice values (1), (2);\n");
    std::fs::write(&file, dump).expect("a dump");
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/new/from-dump?engine=postgres").await;
    browser.fill_in("name", "mice").await;
    browser.find("#dump").await.send_keys(file.to_string_lossy().as_ref()).await.expect("the file is chosen");
    browser.command("Network.enable", json!({})).await;
    let slow = json!({ "offline": false, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 500_000 });
    browser.command("Network.emulateNetworkConditions", slow).await;
    browser.press("Create PostgreSQL 17 database").await;
    let shown = async |b: &Browser| b.text("#sending").await;
    browser
        .until("the bar says how far it is", JOB, async |b| {
            let text = shown(b).await;
            text.contains(" MiB of ") && text.contains(" left")
        })
        .await;
    browser.until("the job follows", JOB, async |b| b.path().await.starts_with("/jobs/")).await;
    browser.until("it is loaded", JOB, async |b| b.text("main").await.contains("Loaded 1 table with 2 rows")).await;
    browser.script("history.back()").await;
    browser
        .until("the form is back", JOB, async |b| b.path().await == "/containers/new/from-dump" && b.has("#dump").await)
        .await;
    browser.quit().await;
}
