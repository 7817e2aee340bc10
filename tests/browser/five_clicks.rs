//! From the list of databases to the answer of a new one, with one field filled in.

use serde_json::json;
use thirtyfour::prelude::*;

use super::driver::{Browser, JOB, Wish};
use crate::engines::snippets::typed_in_terminal;
use crate::support::TestPortal;

/// The most clicks that it may take.
const MOST: u64 = 5;
/// Runs before the scripts of each page: counts what is pressed with the mouse, over all pages.
const COUNT: &str = "addEventListener('pointerdown', event => {
    if (event.isTrusted) sessionStorage.clicks = 1 + Number(sessionStorage.clicks || 0);
}, true);";

async fn clicks(browser: &Browser) -> u64 {
    browser.script("return Number(sessionStorage.clicks || 0)").await.as_u64().expect("a number")
}

/// What the clipboard contains. Pasted into a field that the page does not have, with the keyboard.
async fn clipboard(browser: &Browser) -> String {
    let field = "const field = document.createElement('textarea'); field.id = 'pasted';
        document.getElementById('pasted')?.remove(); document.querySelector('main').append(field); field.focus();";
    browser.script(field).await;
    browser.find("#pasted").await.send_keys(Key::Control + "v").await.expect("it is pasted");
    browser.script("return document.getElementById('pasted').value").await.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_alone_leads_to_an_answer_in_five_clicks() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": COUNT })).await;
    browser.sign_in("ada", "researcher-1").await;
    let before = clicks(&browser).await;

    browser.click("a.engine[href$='postgres']").await;
    // The field has the focus: one can type at once.
    browser.until("the form follows", JOB, async |b| b.path().await == "/containers/new").await;
    browser.find("#name").await;
    browser.keys("my-mice").await;
    browser.press("Create PostgreSQL 17 database").await;
    browser.until("the database is created", JOB, async |b| b.has("form[action$='/password']").await).await;
    browser.press("Show password").await;
    browser.find("#password").await;
    browser.click("button[data-copy='shell']").await;
    let line = clipboard(&browser).await;
    browser.click("button[data-copy='password']").await;
    let password = clipboard(&browser).await;
    let used = clicks(&browser).await - before;
    assert!((1..=MOST).contains(&used), "it took {used} clicks");

    assert!(line.contains("sslmode=verify-full") && !line.contains(&password), "{line}");
    let said = typed_in_terminal(&portal.dir, &line, &password, "select 'I am ' || current_user;\n\\q\n");
    assert!(said.contains("I am my_mice"), "{line}: {said}");
    browser.quit().await;
}
