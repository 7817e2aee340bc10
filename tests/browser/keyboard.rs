//! Keyboard-only use: everything can be reached with Tab, and the focus is always visible.

use serde_json::Value;
use thirtyfour::prelude::*;

use super::driver::{Browser, JOB, Wish};
use crate::support::TestPortal;

/// The element that has the focus, and whether that is visible. A hidden radio button shows its focus on its label.
const FOCUS: &str = "
const e = document.activeElement;
if (!e || e === document.body) return null;
const label = e.matches('.tabs > input') ? e.nextElementSibling : e;
const style = getComputedStyle(label), box = label.getBoundingClientRect();
const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
const covered = (() => {
  const at = document.elementFromPoint(Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1), Math.min(Math.max(box.top + Math.min(box.height / 2, 12), 0), innerHeight - 1));
  return !(at && (label.contains(at) || at.contains(label)));
})();
return { id: e.id, href: e.getAttribute('href'), text: (e.textContent || e.name || '').trim().slice(0, 60), tag: e.tagName,
         ring, small: e.matches('a, button, summary') && !e.closest('p, dd, li, td, th, .foot, .prose') && box.height < 24,
         inside: box.bottom > 0 && box.top < innerHeight, covered, menu: !!e.closest('details.menu:not([open]) .sheet') };
";

/// Ctrl-K as an event: the driver presses and releases one key after the other.
const CONTROL_K: &str =
    "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }));";

/// Presses Tab until `there` has the focus; every stop on the way must be visible.
async fn tab_to(browser: &Browser, what: &str, mut there: impl FnMut(&Value) -> bool) -> usize {
    for presses in 1..80 {
        browser.keys(Key::Tab).await;
        let focus = browser.script(FOCUS).await;
        if focus.is_null() {
            continue;
        }
        assert!(
            focus["ring"] == true && focus["inside"] == true && focus["covered"] == false,
            "the focus is visible: {focus}"
        );
        assert!(focus["small"] == false, "large enough to click: {focus}");
        if there(&focus) {
            return presses;
        }
    }
    panic!("{what} is not reached by Tab on {}", browser.path().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_reachable_by_keyboard_with_visible_focus() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish::default()).await;

    browser.open("/login").await;
    assert_eq!(browser.script("return document.activeElement.id").await, "username", "one can type at once");
    browser.keys("ada").await;
    browser.keys(Key::Tab).await;
    browser.keys("researcher-1").await;
    browser.keys(Key::Enter).await;
    browser.until("signed in", JOB, async |b| b.path().await == "/").await;

    // The first stop is the link that skips the navigation.
    let presses = tab_to(&browser, "the skip link", |f| f["href"] == "#content").await;
    assert_eq!(presses, 1);
    browser.keys(Key::Enter).await;
    tab_to(&browser, "an engine", |f| f["href"].as_str().is_some_and(|h| h.starts_with("/containers/new?"))).await;
    browser.keys(Key::Enter).await;
    browser.until("the form follows", JOB, async |b| b.path().await == "/containers/new").await;

    assert_eq!(browser.script("return document.activeElement.id").await, "name", "one can type at once");
    browser.keys("Lab").await;
    for (id, text) in [("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")] {
        tab_to(&browser, id, |f| f["id"] == id).await;
        browser.keys(text).await;
    }
    // A refused form begins with its errors, and the name and the password are typed again.
    browser.keys(Key::Enter).await;
    browser.until("it is refused", JOB, async |b| b.has("#errors").await).await;
    assert_eq!(browser.script("return document.activeElement.id").await, "errors", "the errors have the focus");
    for (id, text) in [("name", "lab"), ("dbuserpass", "correct-horse")] {
        tab_to(&browser, id, |f| f["id"] == id).await;
        browser.keys(text).await;
    }
    // "More settings" opens by keyboard too, and Tab then reaches its fields.
    tab_to(&browser, "More settings", |f| f["tag"] == "SUMMARY").await;
    browser.keys(Key::Enter).await;
    tab_to(&browser, "the description", |f| f["id"] == "description").await;
    browser.keys("by keyboard").await;
    tab_to(&browser, "the button", |f| f["id"] == "create").await;
    browser.keys(Key::Enter).await;
    browser.until_state("lab", "running").await;

    // The search for a database, from any page.
    browser.script(CONTROL_K).await;
    assert_eq!(browser.script("return document.activeElement.id").await, "find", "Ctrl-K finds a database");
    browser.script("document.activeElement.blur()").await;

    // On the database's page: arrow keys for the ways to connect, Enter and Escape for the menu, Tab to the footer.
    tab_to(&browser, "the menu", |f| f["tag"] == "SUMMARY" && f["text"] == "More").await;
    browser.keys(Key::Enter).await;
    assert!(browser.has("details.menu.framed[open]").await, "the menu opens");
    tab_to(&browser, "its first item", |f| f["text"] == "Stop database").await;
    browser.keys(Key::Escape).await;
    assert!(!browser.has("details.menu.framed[open]").await, "the menu closes");
    tab_to(&browser, "the ways to connect", |f| f["id"] == "way-psql").await;
    browser.keys(Key::Right).await;
    assert!(browser.find("#text-url").await.is_displayed().await.unwrap_or(false), "the next way is shown");
    tab_to(&browser, "Delete", |f| f["href"].as_str().is_some_and(|h| h.ends_with("/delete"))).await;
    tab_to(&browser, "the footer", |f| f["text"] == "Help" && f["tag"] == "A").await;
    browser.quit().await;
}
