//! The longest and the default time to live of a site, by role and engine.

use mydb::config::{TtlRule, TtlRules};
use reqwest::Method;
use serde_json::json;

use super::{ends_in, let_end, page, reaping_with};
use crate::support::{Client, POSTGRES_17};

fn rules(entries: &[&str]) -> TtlRules {
    let mut rules = TtlRules::default();
    for entry in entries {
        assert!(rules.add(TtlRule::parse(entry).expect("an entry")), "{entry}");
    }
    rules
}

/// Creates a database by the API with this time to live, and expects this status.
async fn create(api: &Client, name: &str, ttl: Option<&str>, status: u16) -> String {
    let mut body = json!({ "engine": "postgres", "image": POSTGRES_17, "name": name, "dbname": "x", "dbuser": "ada" });
    if let Some(ttl) = ttl {
        body["ttl"] = json!(ttl);
    }
    api.json(Method::POST, "/api/v1/containers", &body).await.expect(status).text()
}

#[tokio::test(flavor = "multi_thread")]
async fn times_to_live_are_limited_by_role_and_engine() {
    let portal = reaping_with(|config| {
        config.limits.ttl.longest = rules(&["2d", "neo4j=1d", "admin:postgres=30d"]);
        config.limits.ttl.default = rules(&["8h"]);
    })
    .await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let (api, root) = (portal.token(&ada).await, portal.token(&admin).await);
    let form = ada.get("/containers/new?engine=postgres").await.expect(200);
    assert!(form.text().contains("At most 2 days from now.") && form.body.contains("value=\"8h\""), "{}", form.text());
    let form = ada.get("/containers/new?engine=neo4j").await.expect(200).text();
    assert!(form.contains("At most 1 day from now."), "{form}");
    let form = admin.get("/containers/new?engine=neo4j").await.expect(200).text();
    assert!(form.contains("If you leave it empty, the database does not expire."), "{form}");

    assert!(
        create(&api, "lab", Some(""), 422)
            .await
            .contains("Databases must expire here. The longest time to live is 2 days.")
    );
    assert!(create(&api, "lab", Some("49h"), 422).await.contains("The longest time to live is 2 days."));
    let asked = [("engine", "neo4j"), ("image", ""), ("dbname", ""), ("dbuser", ""), ("ttl", "2d")];
    let reply = ada.submit_create("graph", &asked).await.expect(422);
    assert!(reply.all("#ttl-error").concat().contains("The longest time to live is 1 day."), "{}", reply.text());
    create(&api, "lab", None, 202).await;
    ends_in(&portal, "lab", 8 * 3600);
    let extend = |ttl: &str| json!({ "ttl": ttl });
    api.json(Method::POST, "/api/v1/containers/lab/extend", &extend("2d")).await.expect(200);
    ends_in(&portal, "lab", 2 * 86_400);
    for ttl in ["3d", "", "never", "2099-01-01"] {
        api.json(Method::POST, "/api/v1/containers/lab/extend", &extend(ttl)).await.expect(422);
    }
    // Without a value, the default applies.
    api.json(Method::POST, "/api/v1/containers/lab/extend", &json!({})).await.expect(200);
    ends_in(&portal, "lab", 8 * 3600);

    // Administrators are limited only by entries for them. What they allowed stays when the owner saves the settings.
    root.json(Method::POST, "/api/v1/containers/lab/extend", &extend("31d")).await.expect(422);
    let made = root.json(Method::POST, "/api/v1/containers/lab/extend", &extend("30d")).await.expect(200).json();
    api.json(Method::PATCH, "/api/v1/containers/lab", &json!({ "ttl": made["expires_at"] })).await.expect(200);
    ends_in(&portal, "lab", 30 * 86_400);

    // Restored from the trash after its expiry, it gets the default.
    ada.wait_for("lab", "running").await;
    let_end(&portal, "lab");
    ada.wait_for("lab", "in the trash").await;
    let shown = page(&ada, "lab").await;
    assert!(shown.contains("If you restore it now, it expires again in 8 h unless you extend it."), "{shown}");
    ada.post("/containers/lab/undelete", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    ends_in(&portal, "lab", 8 * 3600);

    // So does a new database restored from a backup.
    let id = portal.sql("select id from backup_log where reason = 'final'");
    api.json(Method::POST, &format!("/api/v1/backups/{id}/restore"), &json!({ "name": "again" })).await.expect(202);
    ends_in(&portal, "again", 8 * 3600);
    ada.wait_for("again", "running").await;
}
