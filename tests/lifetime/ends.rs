//! Databases that expire: shown, extended, announced, moved to the trash, and restored from it.

use reqwest::Method;
use serde_json::json;

use super::{ends_in, let_end, next_run, page, reaping, seconds_left};
use crate::backups::cli;

#[tokio::test(flavor = "multi_thread")]
async fn a_database_expires_and_leaves_a_final_backup() {
    let portal = reaping().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("ttl", "8h")]).await;
    ends_in(&portal, "lab", 8 * 3600);
    let shown = page(&ada, "lab").await;
    assert!(shown.contains("Expires in 8 h (") && shown.contains("Extend"), "{shown}");
    for (client, path) in [(&ada, "/"), (&portal.admin().await, "/admin/containers")] {
        let list = client.get(path).await.expect(200).text();
        assert!(list.contains("expires in 8 h"), "{list}");
    }
    let expires = api.get("/api/v1/containers/lab").await.expect(200).json()["expires_at"].to_string();
    let (code, said) = cli(&portal, &["container", "show", "lab"]);
    assert!(code == 0 && said.contains("expires        in 8 h, at 20"), "{said}");
    let date = expires.trim_matches('"').split('T').next().unwrap_or_default().to_owned();
    let (code, said) = cli(&portal, &["container", "list"]);
    assert!(code == 0 && said.contains("EXPIRES") && said.contains(&date), "{date}: {said}");

    // An extension counts from now. The settings show the expiry in a format that they also accept.
    ada.post("/containers/lab/extend", &[("ttl", "2d")]).await.expect(303);
    ends_in(&portal, "lab", 2 * 86_400);
    let before = portal.sql("select expires_at from container");
    let settings = ada.get("/containers/lab/settings").await.expect(200);
    let field = scraper::Selector::parse("#ttl").expect("a selector");
    let html = scraper::Html::parse_document(&settings.body);
    let value = html.select(&field).next().and_then(|f| f.attr("value")).expect("the present end").to_owned();
    drop(html);
    ada.post("/containers/lab/settings", &[("ttl", &value), ("description", "of run 7")]).await.expect(303);
    assert_eq!(portal.sql("select expires_at from container"), before, "{value}");
    ada.post("/containers/lab/settings", &[("ttl", "")]).await.expect(303);
    assert_eq!(seconds_left(&portal, "lab"), None);
    assert!(!page(&ada, "lab").await.contains("Expires in"));
    let patched = api.json(Method::PATCH, "/api/v1/containers/lab", &json!({ "ttl": 7200 })).await.expect(200).json();
    assert!(patched["expires_at"].is_string(), "{patched}");
    ends_in(&portal, "lab", 7200);
    let changes = portal.sql(
        "select string_agg(action || ' ' || detail, E'\\n' order by id) from log where action like 'container.e%'",
    );
    assert!(changes.contains("container.extend expires 20") && changes.contains("→ never"), "{changes}");

    // While an administrator works on the database, it is not deleted.
    let admin = portal.admin().await;
    admin.post("/containers/lab/maintenance", &[("maintenance", "on"), ("note", "moving")]).await.expect(303);
    let_end(&portal, "lab");
    next_run(&portal).await;
    assert_eq!(portal.sql("select state from state"), "running");
    admin.post("/containers/lab/maintenance", &[("maintenance", "off")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    assert_eq!(portal.sql("select reason || ' ' || status from backup_log where kind = 'backup'"), "final succeeded");
    let deleted = portal.sql("select actor || ' ' || detail from log where action = 'container.delete'");
    assert!(deleted.starts_with("reaper expired at 20"), "{deleted}");
    let shown = page(&ada, "lab").await;
    assert!(shown.contains("The database has expired. If you restore it, it does not expire again."), "{shown}");
    let refused =
        api.json(Method::POST, "/api/v1/containers/lab/extend", &json!({ "ttl": "1d" })).await.expect(409).text();
    assert!(refused.contains("while the database is in the trash"), "{refused}");

    // With the old expiry, it would be deleted again at once.
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    assert_eq!(seconds_left(&portal, "lab"), None);
    next_run(&portal).await;
    assert_eq!(portal.sql("select state from state"), "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_databases_expire_and_the_policy_never_makes_no_backup() {
    let portal = reaping().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("ttl", "1h"), ("backup_freq", "Never")]).await;
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    portal.sql("update state set state = 'failed', failed_step = 'Start', failed_reason = 'It broke.'");
    let_end(&portal, "lab");
    ada.wait_for("lab", "in the trash").await;
    assert_eq!(portal.sql("select count(*) from backup_log"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_failed_is_not_repeated_at_once() {
    let portal = reaping().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("ttl", "1h")]).await;
    portal.faults.cut_output(100);
    let_end(&portal, "lab");
    let (status, error) = portal.ended("delete").await;
    assert!(status == "failed" && error.starts_with("The final backup failed"), "{error}");
    assert_eq!(ada.state("lab").await, "running");
    next_run(&portal).await;
    assert_eq!(portal.sql("select count(*) from job where kind = 'delete'"), "1");
    let told = portal.sql("select count(*) from notice where kind = 'backup_failed' and ended_at is null");
    assert_eq!(told, "1", "its owner knows");
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_are_warned_once_and_not_after_extending() {
    let portal = reaping().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.submit_create("lab", &[("ttl", "20h")]).await.expect(303);
    let open = "select count(*) filter (where owner_seen_at is null) || ' ' || count(*) from notice
                 where kind = 'expires_soon' and ended_at is null";
    next_run(&portal).await;
    assert_eq!(portal.sql(open), "0 0", "eighteen hours are left until the warning");

    // For a short time to live, the warning comes when a tenth of it is left.
    portal.sql(
        "update container set expires_at = now() + interval '1 hour', expiry_set_at = now() - interval '19 hours'",
    );
    portal.until(open, |said| said == "1 1").await;
    let home = ada.get("/").await.expect(200);
    let text = home.text();
    assert!(text.contains("lab expires soon") && text.contains("The database expires at 20"), "{text}");
    assert!(home.body.contains("href=\"/containers/lab/extend\""), "{text}");
    let overview = portal.admin().await.get("/admin").await.expect(200).text();
    assert!(!overview.contains("expires soon"), "{overview}");
    let notices = api.get("/api/v1/containers/lab/notices").await.expect(200).json();
    assert_eq!(notices["items"][0]["kind"], "expires_soon", "{notices}");
    let id = notices["items"][0]["id"].as_str().expect("an id").to_owned();
    ada.post(&format!("/containers/lab/notices/{id}/seen"), &[]).await.expect(303);
    next_run(&portal).await;
    assert_eq!(portal.sql(open), "0 1", "a warning that was dismissed is not repeated");

    // The second of two warnings is raised again.
    portal.sql(
        "update container set expires_at = now() + interval '50 minutes', expiry_set_at = now() - interval '30 days',
                expiry_warned_at = now() - interval '20 hours'",
    );
    portal.until(open, |said| said == "1 1").await;

    let made =
        api.json(Method::POST, "/api/v1/containers/lab/extend", &json!({ "ttl": "7d" })).await.expect(200).json();
    assert!(made["expires_at"].is_string(), "{made}");
    ends_in(&portal, "lab", 7 * 86_400);
    assert_eq!(portal.sql(open), "0 0");
    assert!(!ada.get("/").await.text().contains("expires soon"));
    next_run(&portal).await;
    assert_eq!(portal.sql(open), "0 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_has_its_own_expiry() {
    let portal = reaping().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[]).await;
    assert_eq!(seconds_left(&portal, "lab"), None);
    ada.post("/containers/lab/clone", &[("name", "copy"), ("ttl", "3d")]).await.expect(303);
    ends_in(&portal, "copy", 3 * 86_400);
    let body = json!({ "name": "copy-2", "ttl": "90m" });
    api.json(Method::POST, "/api/v1/containers/lab/clone", &body).await.expect(202);
    ends_in(&portal, "copy-2", 90 * 60);
    ada.wait_for("copy", "running").await;
    ada.wait_for("copy-2", "running").await;
    // The clone expires like any other database, but without a final backup, because its policy is Never.
    let_end(&portal, "copy");
    ada.wait_for("copy", "in the trash").await;
    assert_eq!(portal.sql("select count(*) from backup_log where kind = 'backup'"), "0");
    assert_eq!(ada.state("copy-2").await, "running");
    assert_eq!(ada.state("lab").await, "running");
}
