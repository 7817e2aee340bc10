//! A database is cloned while a script writes to it, and the clone is changed, reset, refreshed and promoted by clicking.

use super::backups::{say, words};
use super::driver::{Browser, JOB, Wish};
use crate::support::TestPortal;

const PASSWORD: &str = "correct-horse";

/// Chooses an action of the clone, confirms it and waits until its job has ended.
async fn choose(browser: &Browser, portal: &TestPortal, label: &str) {
    browser.open("/containers/lab-clone/snapshots").await;
    browser.press(label).await;
    browser.press_and_go(&format!("{label} clone")).await;
    browser.until("the tab follows", JOB, async |b| b.path().await == "/containers/lab-clone/snapshots").await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    browser.until("the clone runs", JOB, async |b| b.text(".head .chip").await == "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_cloned_reset_refreshed_and_promoted_by_clicking() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("storage", "cow")]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    say(&browser, "lab", PASSWORD, "first").await;
    let db = portal.connect("lab", PASSWORD).await.expect("signs in");
    let script = tokio::spawn(async move {
        db.batch_execute("create table log (n int)").await.expect("writes");
        let mut n = 0;
        while db.execute("insert into log values ($1)", &[&n]).await.is_ok() {
            n += 1;
        }
    });

    browser.click(".tabs-row a[href$='/snapshots']").await;
    browser.until("the snapshots follow", JOB, async |b| b.path().await == "/containers/lab/snapshots").await;
    assert!(browser.text("main").await.contains("the database is paused only for milliseconds"));
    browser.press("Clone this database").await;
    browser.press("Create clone").await;
    browser.until("the clone's page follows", JOB, async |b| b.path().await == "/containers/lab-clone").await;
    browser.until_state("lab-clone", "running").await;
    assert!(!script.is_finished(), "the script is not disturbed");
    script.abort();
    browser.press("Show password").await;
    let password = browser.shown("#password").await;
    let said = words(&browser, "lab-clone", &password).await;
    assert!(said.contains("words: first\n"), "{said}");
    assert!(browser.text("main").await.contains("lab as of "));
    say(&browser, "lab-clone", &password, "mine").await;

    choose(&browser, &portal, "Reset").await;
    let said = words(&browser, "lab-clone", &password).await;
    assert!(said.contains("words: first\n"), "{said}");
    say(&browser, "lab", PASSWORD, "later").await;
    choose(&browser, &portal, "Refresh").await;
    let said = words(&browser, "lab-clone", &password).await;
    assert!(said.contains("words: first later\n"), "{said}");
    choose(&browser, &portal, "Promote").await;
    browser.open("/containers/lab-clone/snapshots").await;
    assert!(!browser.text("main").await.contains("This is a clone of"));
    let said = words(&browser, "lab-clone", &password).await;
    assert!(said.contains("words: first later\n"), "{said}");

    // A snapshot with a note, and back to it.
    browser.open("/containers/lab/snapshots").await;
    browser.fill_in("note", "before the mistake").await;
    browser.press("Take snapshot").await;
    browser.until("the snapshot appears", JOB, async |b| b.text("main").await.contains("before the mistake")).await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    say(&browser, "lab", PASSWORD, "mistake").await;
    browser.open("/containers/lab/snapshots").await;
    browser.click("tbody a[href$='/restore']").await;
    browser.press("Restore snapshot").await;
    browser.until("the tab follows", JOB, async |b| b.path().await == "/containers/lab/snapshots").await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    browser.until("the database runs", JOB, async |b| b.text(".head .chip").await == "running").await;
    let said = words(&browser, "lab", PASSWORD).await;
    assert!(said.contains("words: first later\n"), "{said}");
    browser.quit().await;
}
