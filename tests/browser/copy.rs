//! The buttons that copy to the clipboard.

use thirtyfour::prelude::*;

use super::driver::{Browser, JOB, Wish};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_button_copies_its_text() {
    let portal = TestPortal::start().await;
    portal.user("ada").await.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/lab").await;
    browser.script("for (const fold of document.querySelectorAll('details')) fold.open = true;").await;
    let shown =
        "[...document.querySelectorAll('button[data-copy]')].filter(b => b.offsetParent).map(b => b.dataset.copy)";
    let buttons = browser.script(&format!("return {shown};")).await;
    let buttons: Vec<String> = serde_json::from_value(buttons).expect("names");
    assert!(buttons.len() >= 4 && buttons.iter().any(|id| id == "text-psql"), "{buttons:?}");
    for id in &buttons {
        browser.click(&format!("button[data-copy='{id}']")).await;
        let says = format!("return document.querySelector(\"button[data-copy='{id}']\").textContent;");
        browser.until("it says so", JOB, async |b| b.script(&says).await == "Copied").await;
        // A field of one line, in which line breaks become spaces.
        browser.script("const field = document.getElementById('find'); field.value = ''; field.focus();").await;
        // Only the keys of an element hold a modifier down.
        browser.find("#find").await.send_keys(Key::Control + "v").await.expect("it is pasted");
        let pasted = browser.script("return document.getElementById('find').value;").await;
        let source = browser.script(&format!("return document.getElementById('{id}').textContent;")).await;
        let bare = |text: &serde_json::Value| text.as_str().unwrap_or_default().replace('\n', " ");
        assert!(!bare(&source).is_empty(), "{id}");
        assert_eq!(bare(&pasted), bare(&source), "{id}");
    }
    browser.quit().await;
}
