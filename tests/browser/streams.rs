//! A page has one stream of events, which also brings the lines of a log.

use serde_json::json;

use super::driver::{Browser, JOB, Wish};
use super::live::{changes, hold_restart, mark};
use crate::faults::held;
use crate::support::TestPortal;

/// Runs before the scripts of each page: keeps its streams, and those that were opened before.
const STREAMS: &str = "const Real = window.EventSource;
    window.streams = [];
    window.EventSource = class extends Real { constructor(url) { super(url); window.streams.push(this); } };";

/// The paths of the page's open streams.
async fn streams(browser: &Browser) -> Vec<String> {
    let open = "return window.streams.filter(s => s.readyState !== 2).map(s => new URL(s.url).pathname)";
    serde_json::from_value(browser.script(open).await).expect("paths")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_one_stream_whatever_it_shows() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.command("Page.addScriptToEvaluateOnNewDocument", json!({ "source": STREAMS })).await;
    browser.sign_in("ada", "researcher-1").await;
    for (page, stream) in [("/", "/events"), ("/containers/lab", "/containers/lab/events"), ("/account", "")] {
        browser.open(page).await;
        let expected: Vec<_> = Some(stream.to_owned()).filter(|s| !s.is_empty()).into_iter().collect();
        assert_eq!(streams(&browser).await, expected, "{page}");
    }

    // With a job that begins while the page is open, on a tab that stays as it is when the job ends.
    browser.open("/containers/lab/settings").await;
    mark(&browser).await;
    let place = hold_restart(&portal);
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    changes(&browser, "the steps appear", async |b| b.has("#steps .steps li").await).await;
    assert_eq!(streams(&browser).await, ["/containers/lab/events"], "with the steps of a job");
    held::release(&place);
    changes(&browser, "its result appears", async |b| b.text("#steps").await.contains("took")).await;
    assert_eq!(streams(&browser).await, ["/containers/lab/events"], "after the job");

    // The page of a job, which has no other parts.
    hold_restart(&portal);
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    let job = portal.sql("select id from job where kind = 'restart' order by created_at desc limit 1");
    browser.open(&format!("/jobs/{job}")).await;
    assert_eq!(streams(&browser).await, [format!("/jobs/{job}/events")]);
    held::release(&place);
    browser.until_state("lab", "running").await;

    // A log that is followed.
    browser.open("/containers/lab/logs").await;
    browser.press("Follow log").await;
    assert_eq!(streams(&browser).await, ["/containers/lab/logs/events"]);
    mark(&browser).await;
    portal.sql("update container set description = 'seen in the log'");
    changes(&browser, "the page is current", async |b| b.text(".head").await.contains("seen in the log")).await;
    assert_eq!(streams(&browser).await, ["/containers/lab/logs/events"]);
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    changes(&browser, "the log ends with its server", async |b| b.text("#follow").await == "Follow log").await;
    assert_eq!(streams(&browser).await, ["/containers/lab/events"]);
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_log_counts_new_lines_and_shows_them_when_it_goes_on() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let browser = Browser::start(&portal.base, Wish::default()).await;
    browser.sign_in("ada", "researcher-1").await;
    browser.open("/containers/lab/logs").await;
    browser.press("Follow log").await;
    let db = portal.connect("lab", "correct-horse").await.expect("a connection");
    // The server logs every statement that fails.
    let log = async |word: &str| assert!(db.batch_execute(&format!("select {word}")).await.is_err(), "{word}");
    // The stream may begin a moment later than the button says.
    browser
        .until("a new line appears", JOB, async |b| {
            log("first_line").await;
            b.text("#log").await.contains("first_line")
        })
        .await;
    browser.press("Pause").await;
    log("second_line").await;
    browser
        .until("new lines are counted", JOB, async |b| {
            let button = b.text("#follow").await;
            button.starts_with("Resume (") && button.ends_with(" new)")
        })
        .await;
    assert!(!browser.text("#log").await.contains("second_line"), "it is paused");
    assert_eq!(browser.find("#follow").await.attr("aria-pressed").await.expect("a state").as_deref(), Some("false"));
    browser.click("#follow").await;
    assert!(browser.text("#log").await.contains("second_line"), "nothing is lost");
    assert_eq!(browser.text("#follow").await, "Pause");
    log("third_line").await;
    browser.until("it goes on", JOB, async |b| b.text("#log").await.contains("third_line")).await;
    browser.quit().await;
}
