//! Times on the pages: in UTC, and with scripting also in local time.

use serde_json::json;

use super::driver::{Browser, Wish};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn times_are_shown_in_utc_and_beside_it_in_local_time() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    portal.sql("update container set created_at = '2026-11-01 23:30:09Z'; update notice set ended_at = now()");
    portal.sql("update state set maintenance_note = 'Since 2026-11-02 08:00 UTC, until 2026-11-02 10:00 UTC.'");
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.command("Emulation.setTimezoneOverride", json!({ "timezoneId": "Asia/Tokyo" })).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/lab").await;
    let page = browser.text("main").await;
    let plain = page.replace('\u{202f}', " ");
    // The day is named if it is another one.
    assert!(plain.contains("2026-11-01 23:30 UTC · Nov 2, 08:30 GMT+9"), "{page}");
    let both = "Since 2026-11-02 08:00 UTC · 17:00 GMT+9, until 2026-11-02 10:00 UTC · 19:00 GMT+9.";
    assert!(plain.contains(both), "within a sentence: {page}");
    browser.script("document.dispatchEvent(new Event('parts'))").await;
    assert_eq!(browser.text("main").await.matches("GMT+9").count(), page.matches("GMT+9").count(), "only once");
    browser.quit().await;

    let browser = Browser::start(&portal.base, Wish { scripting: false, ..Wish::default() }).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/lab").await;
    let page = browser.text("main").await;
    assert!(page.contains("2026-11-01 23:30 UTC") && !page.contains("GMT"), "UTC alone without scripting: {page}");
    browser.quit().await;
}
