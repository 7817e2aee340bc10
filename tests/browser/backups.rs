//! Backups with mouse and typing: a new one with its progress, its test restore, a restore to a new database, a restore
//! in place and its undo; and what an administrator can do for a permanently deleted database.

use super::driver::{Browser, JOB, Wish};
use super::whole_way::{psql_line, run_line};
use crate::support::TestPortal;

const PASSWORD: &str = "correct-horse";

/// The content of the database, read with the psql line of its page.
pub(super) async fn words(browser: &Browser, name: &str, password: &str) -> String {
    browser.open(&format!("/containers/{name}")).await;
    let line = psql_line(browser).await;
    run_line(&line, Some(password), "select 'words: ' || string_agg(w, ' ' order by w) from t;\n")
}

/// Writes a word into the database.
pub(super) async fn say(browser: &Browser, name: &str, password: &str, word: &str) {
    browser.open(&format!("/containers/{name}")).await;
    let line = psql_line(browser).await;
    let said = run_line(
        &line,
        Some(password),
        &format!("create table if not exists t (w text);\ninsert into t values ('{word}');\n"),
    );
    assert!(said.contains("INSERT 0 1"), "{said}");
}

/// Reloads the page of backups until it contains this text.
async fn says(browser: &Browser, name: &str, words: &str) {
    browser
        .until(words, JOB, async |b| {
            b.open(&format!("/containers/{name}/backups")).await;
            b.text("main").await.contains(words)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_verified_restored_and_undone_by_clicking() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    say(&browser, "lab", PASSWORD, "before").await;

    browser.open("/containers/lab/backups").await;
    assert!(browser.text("main").await.contains("you would lose everything in it"));
    browser.press("Back up now").await;
    // Without a manual reload, the page shows the steps and then the backup with its level.
    browser.until("the backup appears", JOB, async |b| b.text("tbody").await.contains("stored")).await;
    says(&browser, "lab", "restored, content matches").await;
    says(&browser, "lab", "a test restore passed in").await;

    say(&browser, "lab", PASSWORD, "later").await;
    browser.open("/containers/lab/backups").await;
    browser.click_and_go("tbody a[href$='/restore']").await;
    browser.fill_in("name", "lab-copy").await;
    browser.press("Restore to a new database").await;
    browser.until("the copy's page follows", JOB, async |b| b.path().await == "/containers/lab-copy").await;
    browser.until_state("lab-copy", "running").await;
    browser.open("/containers/lab-copy").await;
    browser.press("Show password").await;
    let password = browser.shown("#password").await;
    let said = words(&browser, "lab-copy", &password).await;
    assert!(said.contains("words: before\n"), "{said}");

    browser.open("/containers/lab/backups").await;
    browser.click_and_go("tbody a[href$='/restore']").await;
    browser.click_and_go("a[href$='/in-place']").await;
    browser.fill_in("confirm", "lab").await;
    browser.press_and_go("Restore in place").await;
    says(&browser, "lab", "Previous data (undo)").await;
    browser.open("/containers/lab").await;
    browser.until_state("lab", "running").await;
    let said = words(&browser, "lab", PASSWORD).await;
    assert!(said.contains("words: before\n"), "{said}");

    browser.open("/containers/lab/backups").await;
    browser.click_and_go("a[href*='/snapshots/']").await;
    browser.press_and_go("Switch to previous data").await;
    says(&browser, "lab", "before switching to previous data").await;
    browser.open("/containers/lab").await;
    browser.until_state("lab", "running").await;
    let said = words(&browser, "lab", PASSWORD).await;
    assert!(said.contains("words: before later\n"), "{said}");

    // An administrator restores a permanently deleted database.
    browser.sign_out().await;
    for (verb, gone) in [("delete", "trashed_at"), ("purge", "purged_at")] {
        ada.post(&format!("/containers/lab/{verb}"), &[("confirm", "lab")]).await.expect(303);
        // A purge is refused as long as the job of the deletion is open.
        let count = format!(
            "select count(*) from container c where c.name = 'lab' and c.{gone} is not null
                and not exists (select from job j where j.container_id = c.id and j.status in ('queued', 'running'))"
        );
        portal.until(&count, |said| said != "0").await;
    }
    browser.sign_in_as_admin().await;
    browser.click(".side a[href='/admin/backups']").await;
    browser.until("the backups follow", JOB, async |b| b.path().await == "/admin/backups").await;
    browser.click_and_go("tbody tr:has(.sub) a.name").await;
    browser.fill_in("name", "lab-again").await;
    browser.press("Restore to a new database").await;
    browser.until("its page follows", JOB, async |b| b.path().await == "/containers/lab-again").await;
    browser.until_state("lab-again", "running").await;
    browser.press("Show password").await;
    let password = browser.shown("#password").await;
    let said = words(&browser, "lab-again", &password).await;
    assert!(said.contains("words: before later\n"), "{said}");
    browser.quit().await;
}
