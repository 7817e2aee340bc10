//! The same workflow without scripts: pages that refresh themselves, forms, and no button without effect.

use super::driver::{Browser, JOB, Wish};
use super::whole_way::{psql_line, run_line};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn without_scripting_the_job_page_leads_to_the_database() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let browser = Browser::start(&portal.base, Wish { scripting: false, ..Wish::default() }).await;
    browser.open("data:text/html,<title>off</title><script>document.title='on'</script>").await;
    assert_eq!(browser.title().await, "off", "scripting is off");

    browser.open("/").await;
    browser.fill_in("username", "ada").await;
    browser.fill_in("password", "researcher-1").await;
    browser.press("Sign in").await;
    browser.click("a.engine").await;
    for (id, text) in [("name", "lab"), ("dbname", "trial"), ("dbuser", "ada"), ("dbuserpass", "correct-horse")] {
        browser.fill_in(id, text).await;
    }
    browser.press("Create PostgreSQL 17 database").await;
    browser.find("#steps .steps").await;
    assert!(browser.has("noscript meta[http-equiv='refresh']").await, "it refreshes itself");
    assert!(browser.text("main").await.contains("This page refreshes automatically"), "and says so");

    // From here on the test opens no page: the browser follows the refreshes.
    browser.until("it becomes the database's page", JOB, async |b| b.has(".connect-section").await).await;
    browser.until_state("lab", "running").await;
    assert!(!browser.has("meta[http-equiv='refresh']").await, "it does not refresh when there is nothing to wait for");
    assert!(!browser.find("button[data-copy]").await.is_displayed().await.unwrap_or(true), "no button without effect");
    let line = psql_line(&browser).await;
    let said = run_line(&line, Some("correct-horse"), "select 'I am ' || current_user;\n");
    assert!(said.contains("I am ada"), "{line}: {said}");

    // The other ways to connect are reached by radio buttons, menus by <details>.
    browser.click("label[for='way-python']").await;
    assert!(browser.text("#text-python").await.contains("import psycopg"));
    browser.press("More").await;
    browser.press("Stop database").await;
    // The question is a part of the menu.
    browser.press("Stop database now").await;
    browser.until_state("lab", "stopped").await;
    browser.press("Start").await;
    browser.until_state("lab", "running").await;
    browser.sign_out().await;
    browser.quit().await;
}
