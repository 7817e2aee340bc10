//! Maintenance of one database, and a read-only portal: owners are blocked, administrators are not.

use reqwest::Method;
use serde_json::json;

use crate::support::TestPortal;

const NOTE: &str = "Disks are swapped until 14:00";

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_blocks_the_owner_with_a_note_but_not_admins() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let token = portal.token(&ada).await;
    ada.create("lab", &[]).await;
    let set = [("maintenance", "on"), ("note", NOTE)];
    ada.post("/containers/lab/maintenance", &set).await.expect(403);
    admin.post("/containers/lab/maintenance", &set).await.expect(303);

    assert_eq!(ada.state("lab").await, "maintenance");
    for page in ["/containers/lab", "/containers/lab/logs", "/containers/lab/settings"] {
        let text = ada.get(page).await.expect(200).text();
        assert!(text.contains(NOTE), "{page}: {text}");
    }
    let told = format!("This database is in maintenance: {NOTE}");
    for (verb, fields) in [
        ("start", vec![]),
        ("stop", vec![]),
        ("restart", vec![]),
        ("undelete", vec![]),
        ("delete", vec![("confirm", "lab")]),
        ("purge", vec![("confirm", "lab")]),
        ("settings", vec![("description", "changed")]),
    ] {
        let reply = ada.post(&format!("/containers/lab/{verb}"), &fields).await.expect(403);
        assert!(reply.text().contains(&told), "{verb}: {}", reply.text());
    }
    ada.get("/containers/lab/delete").await.expect(403);
    let problem = token.send(Method::POST, "/api/v1/containers/lab/stop", |r| r).await.expect(403).json();
    assert_eq!(problem["detail"], told);
    token.json(Method::PATCH, "/api/v1/containers/lab", &json!({"description": "changed"})).await.expect(403);
    assert_eq!(token.get("/api/v1/containers/lab").await.expect(200).json()["maintenance"], NOTE);
    portal.connect("lab", "correct-horse").await.expect("the database itself keeps running");
    assert_eq!(portal.sql("select (select count(*) from job), (select description from container)"), "1|");

    admin.post("/containers/lab/restart", &[]).await.expect(303);
    let restarted = "select count(*) from job where status = 'succeeded' and kind = 'restart'";
    portal.until(restarted, |said| said == "1").await;
    admin.post("/containers/lab/maintenance", &[("maintenance", "off")]).await.expect(303);
    assert_eq!(ada.state("lab").await, "running");
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    let log = portal.sql("select string_agg(actor || ' ' || outcome || ' ' || detail, '; ' order by id) from log where action = 'container.maintenance'");
    assert_eq!(log, format!("admin ok on: {NOTE}; admin ok off"));
    assert_eq!(
        portal.sql(
            "select count(*) from log where actor = 'ada' and outcome = 'refused' and detail like '%in maintenance%'"
        ),
        "10"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_portal_shows_a_banner_and_allows_only_admins_to_change_things() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let token = portal.token(&ada).await;
    ada.create("lab", &[("dbuserpass", "")]).await;
    ada.post("/admin/read-only", &[("read_only", "on"), ("message", NOTE)]).await.expect(403);
    admin.post("/admin/read-only", &[("read_only", "on"), ("message", "")]).await.expect(422);
    assert!(!ada.get("/").await.text().contains("Read-only"), "a refused request changes nothing");
    admin.post("/admin/read-only", &[("read_only", "on"), ("message", NOTE)]).await.expect(303);

    for (who, page) in
        [(&ada, "/"), (&ada, "/containers/lab"), (&ada, "/nowhere"), (&admin, "/admin"), (&portal.nobody(), "/login")]
    {
        let banner = who.get(page).await.all(".banner.warn").concat();
        assert!(banner.contains(NOTE), "{page}: {banner:?}");
    }
    for (path, fields) in [
        ("/containers", vec![("name", "second"), ("dbname", "trial"), ("dbuser", "ada")]),
        ("/containers/lab/stop", vec![]),
        ("/containers/lab/restart", vec![]),
        ("/containers/lab/start", vec![]),
        ("/containers/lab/delete", vec![("confirm", "lab")]),
        ("/containers/lab/settings", vec![("description", "changed")]),
        ("/containers/lab/password", vec![]),
        ("/account/tokens", vec![("name", "second"), ("days", "1")]),
    ] {
        let reply = ada.post(path, &fields).await.expect(403);
        assert!(reply.all("main").concat().contains(NOTE), "{path}: {}", reply.text());
    }
    let body = json!({"name": "second", "dbname": "trial", "dbuser": "ada"});
    token.json(Method::POST, "/api/v1/containers", &body).await.expect(403);
    for (method, path) in [(Method::POST, "/stop"), (Method::PATCH, ""), (Method::DELETE, "?confirm=lab")] {
        let reply = token.json(method, &format!("/api/v1/containers/lab{path}"), &json!({})).await.expect(403);
        assert!(reply.body.contains(NOTE), "{}", reply.body);
    }
    assert_eq!(
        portal.sql("select (select count(*) from container), (select count(*) from job), (select count(*) from token)"),
        "1|1|1"
    );
    // Viewing pages and signing in and out still work.
    for page in ["/", "/containers/lab", "/containers/lab/logs", "/account"] {
        ada.get(page).await.expect(200);
    }
    portal.nobody().sign_in("ada", "researcher-1").await;
    admin.submit_create("urgent", &[("owner", "ada")]).await.expect(303);
    admin.post("/containers/lab/restart", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    admin.post("/admin/read-only", &[("read_only", "off")]).await.expect(303);
    assert!(!ada.get("/").await.text().contains(NOTE));
    ada.post("/containers/lab/password", &[]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_mode_survives_a_restart() {
    let mut portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.post("/admin/read-only", &[("read_only", "on"), ("message", NOTE)]).await.expect(303);
    portal.stop().await;
    portal.run().await;
    let page = portal.nobody().get("/login").await.expect(200);
    assert!(page.all(".banner.warn").concat().contains(NOTE), "{}", page.text());
}
