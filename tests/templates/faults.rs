//! Templates that change while they are imported.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::{portal_with, settled, sql, update, write};
use crate::backups::nothing_left;
use crate::support::TestPortal;

const MICE: &str = "create table mice (id int primary key);\ninsert into mice select generate_series(1, 20000);\n";

/// Starts an import of the dump of `shop`.
async fn begin(portal: &TestPortal) {
    portal.admin().await.post("/templates/shop/refresh", &[]).await.expect(303);
}

/// Waits until the import has come to this step, or has ended.
async fn reaches(portal: &TestPortal, step: &str) {
    let there = format!(
        "select exists (select from job_step s join job j on j.id = s.job_id where j.kind = 'import-template' and s.name = '{step}'
                           and s.status <> 'pending' and j.created_at = (select max(created_at) from job where kind = 'import-template'))"
    );
    portal.until(&there, |said| said == "t").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_to_a_template_during_its_import_are_safe() {
    let portal = portal_with(|config| config.templates.hook = Duration::from_secs(3)).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(MICE));
    update(&portal, &api).await;

    // A second import at the same time is refused; the template can be renamed meanwhile.
    begin(&portal).await;
    api.json(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(409);
    api.json(Method::PATCH, "/api/v1/templates/shop", &json!({ "name": "store" })).await.expect(200);
    // Databases made meanwhile are complete, whichever version they are made from.
    for name in ["one", "two", "three"] {
        api.json(Method::POST, "/api/v1/templates/store/clone", &json!({ "name": name })).await.expect(202);
    }
    settled(&portal).await;
    let store = api.get("/api/v1/templates/store").await.expect(200).json();
    assert_eq!(store["version"], json!(2), "{store}");
    portal.until("select count(*) from state where state = 'running'", |said| said == "3").await;

    // A script that never ends is terminated, and the previous version stays in use.
    write(&portal, "shop.post.sql", "select pg_sleep(3600);\n");
    api.json(Method::POST, "/api/v1/templates/store/refresh", &json!({})).await.expect(202);
    settled(&portal).await;
    let store = api.get("/api/v1/templates/store").await.expect(200).json();
    let error = store["versions"][0]["error"].as_str().expect("an error");
    assert!(store["version"] == json!(2) && error.contains("shop.post.sql took longer than"), "{store}");

    // A template that is deleted during its import is not completed.
    std::fs::remove_file(super::dumps(&portal).join("shop.post.sql")).expect("removed");
    api.json(Method::POST, "/api/v1/templates/store/refresh", &json!({})).await.expect(202);
    reaches(&portal, "Import the data").await;
    api.json(Method::DELETE, "/api/v1/templates/store?confirm=store", &json!({})).await.expect(200);
    settled(&portal).await;
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "0").await;
    nothing_left(&portal, 3);
}
