//! A new password: the old one is rejected, the new one works and is shown once.

use crate::support::{PATIENCE, TestPortal};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_replaces_the_old_one() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let open = portal.connect("lab", "correct-horse").await.expect("the old one works");

    let menu = ada.get("/containers/lab").await.expect(200);
    assert_eq!(menu.all("a[href='/containers/lab/rotate-password']"), ["Set new password"]);
    assert!(menu.all("form[action='/containers/lab/rotate-password']").is_empty(), "not with a single click");
    let asks = ada.get("/containers/lab/rotate-password").await.expect(200);
    assert!(asks.text().contains("The old password stops working immediately"), "{}", asks.text());
    assert_eq!(asks.all("form[action='/containers/lab/rotate-password'] input").len(), 0, "no name is typed");

    ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    let begin = std::time::Instant::now();
    let page = loop {
        let page = ada.get("/containers/lab").await.expect(200);
        if page.text().contains("Your password is ready") {
            break page;
        }
        assert!(begin.elapsed() < PATIENCE, "the page offers no new password: {}", page.text());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    // The sentence about the possible loss has the word too.
    let others = page.text().replace("If this server failed now", "");
    assert!(!others.contains("failed"), "{others}");
    assert!(portal.connect("lab", "correct-horse").await.is_err(), "the old one is refused");
    let shown = ada.post("/containers/lab/password", &[]).await.expect(200);
    let password = shown.all("#password").concat().trim().to_owned();
    portal.connect("lab", &password).await.expect("the new one works");
    open.simple_query("select 1").await.expect("an open session continues");

    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    let refused = ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    assert!(ada.get(&refused.location).await.text().contains("not possible while the database is stopped"));
    assert_eq!(
        portal.sql("select count(*) from credential where kind = 'user'"),
        "0",
        "no password is waiting to be shown"
    );
}
