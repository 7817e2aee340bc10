//! PATCH: fields that are sent change, others stay the same, and new limits take effect.

use reqwest::Method;
use serde_json::json;

use crate::support::docker::docker;
use crate::support::{Client, Reply, TestPortal};

async fn patch(api: &Client, query: &str, body: serde_json::Value) -> Reply {
    api.json(Method::PATCH, &format!("/api/v1/containers/lab{query}"), &body).await
}

/// Memory and CPU limits as set in the container engine.
fn in_force(portal: &TestPortal) -> String {
    docker(&["inspect", "-f", "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}", &portal.container("lab")])
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_and_limits_change_and_limits_take_effect() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("memory", "256m"), ("cpus", "1"), ("contact", "ada@example.org")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("it runs");
    db.batch_execute("create table kept as select 7 as x").await.expect("and works");
    let buffers: String = db.query_one("show shared_buffers", &[]).await.expect("a setting").get(0);

    let changed =
        patch(&api, "", json!({"description": "Reads of run 8", "department": "Genetics"})).await.expect(200).json();
    assert_eq!((&changed["description"], &changed["department"]), (&json!("Reads of run 8"), &json!("Genetics")));
    assert_eq!(changed["contact"], "ada@example.org", "a field that was not sent stays");
    assert_eq!(patch(&api, "", json!({"contact": "", "department": null})).await.expect(200).json()["contact"], "");
    assert_eq!(api.get("/api/v1/containers/lab").await.json()["department"], "Genetics", "null counts as not sent");
    assert!(db.query_one("select 1", &[]).await.is_ok(), "changed texts close no connection");
    assert_eq!(portal.sql("select count(*) from job"), "1");

    let job = patch(&api, "", json!({"memory": "512m"})).await.expect(202);
    let done = api.get(&format!("{}?wait=300", job.location)).await.expect(200).json();
    assert_eq!((&done["kind"], &done["status"]), (&json!("resize"), &json!("succeeded")), "{done}");
    assert_eq!(in_force(&portal), format!("{} 1000000000", 512 << 20));
    let both = patch(&api, "?wait=300", json!({"memory": 400 << 20, "cpus": 0.5})).await.expect(200).json();
    assert_eq!((&both["memory"], &both["cpus"], &both["state"]), (&json!(400 << 20), &json!(0.5), &json!("running")));
    assert_eq!(in_force(&portal), format!("{} 500000000", 400 << 20));
    let db = portal.connect("lab", "correct-horse").await.expect("the same password");
    let x: i32 = db.query_one("select x from kept", &[]).await.expect("the same data").get(0);
    assert_eq!(x, 7);
    let larger: String = db.query_one("show shared_buffers", &[]).await.expect("a setting").get(0);
    assert_ne!(larger, buffers, "the server adapts to its limit");

    // The same values are not a change, and a stopped database gets its new limits when it starts.
    assert_eq!(patch(&api, "", json!({"memory": "400m", "cpus": "0.5"})).await.expect(200).json()["job"], json!(null));
    let post = async |verb: &str| {
        api.send(Method::POST, &format!("/api/v1/containers/lab/{verb}?wait=300"), |r| r).await.expect(200)
    };
    post("stop").await;
    assert_eq!(patch(&api, "", json!({"memory": "300m"})).await.expect(200).json()["state"], "stopped");
    post("start").await;
    assert_eq!(in_force(&portal), format!("{} 500000000", 300 << 20));
    let told = portal
        .sql("select string_agg(detail, '; ' order by id) from log where action = 'container.edit' and outcome = 'ok'");
    assert!(told.contains("memory 256 MiB → 512 MiB") && told.contains("description"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_fields_are_named_and_nothing_changes() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let (api, root) = (portal.token(&ada).await, portal.token(&admin).await);
    let eve = portal.token(&portal.user("eve").await).await;
    ada.create("lab", &[]).await;
    let before = api.get("/api/v1/containers/lab").await.expect(200).json();
    for (body, field, piece) in [
        (json!({"memory": "100m"}), "memory", "at least 128 MiB"),
        (json!({"memory": "64g"}), "memory", "maximum is 4 GiB"),
        (json!({"memory": true}), "memory", "a string or a number"),
        (json!({"cpus": 0}), "cpus", "at least 0.01 CPUs"),
        (json!({"cpus": -1}), "cpus", "at least 0.01 CPUs"),
        (json!({"cpus": 99}), "cpus", "maximum is 4"),
        (json!({"contact": 7}), "contact", "must be a string"),
        (json!({"description": "a\u{7}b"}), "description", "control"),
        (json!({"name": "other"}), "name", "Unknown field"),
        (json!({"state": "stopped"}), "state", "Unknown field"),
        (json!({"dbuserpass": "correct-horse"}), "dbuserpass", "Unknown field"),
    ] {
        let problem = patch(&api, "", body.clone()).await.expect(422).json();
        assert!(problem["errors"][field].as_str().is_some_and(|s| s.contains(piece)), "{body}: {problem}");
    }
    let all =
        patch(&api, "", json!({"memory": "x", "cpus": "x", "colour": "red", "contact": "c"})).await.expect(422).json();
    let mut named: Vec<_> = all["errors"].as_object().expect("errors").keys().collect();
    named.sort_unstable();
    assert_eq!(named, ["colour", "cpus", "memory"], "all errors at once");
    patch(&api, "", json!({"owner": "eve"})).await.expect(403);
    patch(&eve, "", json!({"description": "mine"})).await.expect(404);
    assert_eq!(
        patch(&root, "", json!({"owner": "none"})).await.expect(422).json()["errors"]["owner"],
        "There is no account “none”."
    );
    assert_eq!(api.get("/api/v1/containers/lab").await.expect(200).json(), before);
    // An administrator may change the owner; the previous owner then has no access.
    assert_eq!(patch(&root, "", json!({"owner": "eve"})).await.expect(200).json()["owner"], "eve");
    eve.get("/api/v1/containers/lab").await.expect(200);
    api.get("/api/v1/containers/lab").await.expect(404);
    ada.get("/containers/lab").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn saving_unchanged_settings_changes_nothing() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    // An amount that is not a round number in any unit, as a script may send it.
    ada.create("lab", &[("memory", "300000007"), ("cpus", "0.333")]).await;
    let page = ada.get("/containers/lab/settings").await.expect(200);
    let html = scraper::Html::parse_document(&page.body);
    let field = |name: &str| {
        let selector = scraper::Selector::parse(&format!("#{name}")).expect("a selector");
        html.select(&selector).next().and_then(|e| e.attr("value")).expect("a value").to_owned()
    };
    let (memory, cpus) = (field("memory"), field("cpus"));
    let form = [
        ("memory", memory.as_str()),
        ("cpus", &cpus),
        ("description", "of run 8"),
        ("contact", ""),
        ("department", ""),
    ];
    ada.post("/containers/lab/settings", &form).await.expect(303);
    let now = api.get("/api/v1/containers/lab").await.json();
    assert_eq!(
        (&now["memory"], &now["cpus"], &now["description"]),
        (&json!(300_000_007), &json!(0.333), &json!("of run 8"))
    );
    assert_eq!(
        portal.sql("select count(*) from job where kind <> 'create'"),
        "0",
        "a new description restarts nothing"
    );
}
