//! Storage tiers that only some people may use.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::ci::program;
use super::{Scripts, settings, settled, sql, update, write};
use crate::backups::back_up;
use crate::support::portal::{Options, store};
use crate::support::{Client, TestPortal};

/// A portal with a second tier, `vault`, and a template on it.
async fn portal() -> TestPortal {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        store(config);
        settings(config);
        config.myaas.listen = Some("127.0.0.1:0".parse().expect("an address"));
        let mut vault = config.storage[0].clone();
        vault.path = config.data_dir.join("tiers/vault");
        vault.seen = Some(config.data_dir.join("tiers-used/vault"));
        "vault".clone_into(&mut vault.name);
        "Vault".clone_into(&mut vault.label);
        config.storage.truncate(1);
        config.storage.push(vault);
        "vault".clone_into(&mut config.templates.storage);
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    std::fs::create_dir_all(super::dumps(&portal)).expect("a directory of dumps");
    portal
}

async fn call(api: &Client, path: &str, body: &Value) -> (u16, String) {
    let reply = api.json(Method::POST, path, body).await;
    (reply.status.as_u16(), reply.text())
}

/// What requests for data write: databases, snapshots, versions of templates, and jobs. Drills come by themselves.
const WRITTEN: &str = "select (select count(*) from container), (select count(*) from template),
    (select count(*) from snapshot where reason = 'user'), (select count(*) from template_version),
    (select count(*) from job where kind in ('create', 'clone', 'restore', 'snapshot', 'restore-snapshot', 'import-template', 'from-template'))";

/// Everything that makes data on a tier for a person refuses one that this person may not use, and says so.
/// A form: its address, its fields, and the status that it answers with.
type PageRequest<'a> = (&'a str, &'a [(&'a str, &'a str)], u16);

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_data_on_a_tier_that_is_for_others() {
    let mut portal = portal().await;
    let (admin, bob) = (portal.admin().await, portal.user("bob").await);
    portal.user("ada").await;
    let admin_secret = portal.token_secret(&admin).await;
    let admin_api = admin.with_token(&admin_secret);
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &admin_api).await;
    // While the tier is for everybody, bob has a database there, with all that can be made of it.
    bob.create("lab", &[("storage", "vault")]).await;
    let token = portal.token_secret(&bob).await;
    let api = bob.with_token(&token);
    api.outcome(Method::POST, "/api/v1/containers/lab/snapshots", &json!({})).await.expect(200);
    api.outcome(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "twin" })).await.expect(201);
    let course = json!({ "name": "course", "source": { "database": "lab" } });
    api.outcome(Method::POST, "/api/v1/templates", &course).await.expect(201);
    let backup = back_up(&portal, &bob, "lab").await;
    let snapshot = portal.sql("select id from snapshot where reason = 'user'");
    // The first test restore would delay the stop.
    assert_eq!(portal.ended("drill").await.0, "succeeded");
    let before = portal.sql(WRITTEN);

    portal.stop().await;
    portal.config.storage[1].users = vec!["ada".to_owned()];
    portal.run().await;
    let (admin, bob, ada) = (portal.admin().await, portal.nobody(), portal.nobody());
    bob.sign_in("bob", "researcher-1").await;
    ada.sign_in("ada", "researcher-1").await;
    let (admin_api, api) = (admin.with_token(&admin_secret), bob.with_token(&token));
    let refused = "bob may not use the storage tier “Vault”";

    let calls: BTreeMap<&str, Value> = [
        ("/api/v1/containers/lab/clone", json!({ "name": "extra" })),
        ("/api/v1/containers/lab/clone?wait=1", json!({ "name": "extra", "snapshot": snapshot })),
        ("/api/v1/containers/lab/snapshots", json!({})),
        ("/api/v1/containers/twin/refresh", json!({ "confirm": "twin" })),
        ("/api/v1/templates", json!({ "name": "extra", "source": { "database": "lab" } })),
        ("/api/v1/templates?wait=1", json!({ "name": "extra", "source": { "backup": backup } })),
        ("/api/v1/templates/course/refresh", json!({})),
        ("/api/v1/templates/course/clone", json!({ "name": "extra" })),
        ("/api/v1/templates/shop/clone", json!({ "name": "extra" })),
    ]
    .into();
    for (path, body) in &calls {
        let (code, said) = call(&api, path, body).await;
        assert!(code == 409 && said.contains(refused), "{path}: {code} {said}");
    }
    // A restore may be on another tier, which is named.
    let restore = format!("/api/v1/backups/{backup}/restore");
    let (code, said) = call(&api, &restore, &json!({ "name": "extra" })).await;
    assert!(code == 409 && said.contains("Choose another one: “standard”."), "{code} {said}");
    let (code, said) = call(&api, &restore, &json!({ "name": "extra", "storage": "vault" })).await;
    assert!(code == 409 && said.contains(refused), "{code} {said}");
    let (code, said) = call(&api, &restore, &json!({ "name": "extra", "storage": "nowhere" })).await;
    assert!(code == 409 && said.contains("There is no storage tier “nowhere”."), "{code} {said}");
    let (code, said) = call(&api, "/api/v1/containers/lab/clone", &json!({ "name": "extra", "backup": backup })).await;
    assert!(code == 409 && said.contains("Choose another one: “standard”."), "{code} {said}");
    let (code, said) =
        call(&api, "/api/v1/containers", &json!({ "engine": "postgres", "name": "extra", "storage": "vault" })).await;
    assert!(code == 422 && said.contains("is not available to you"), "{code} {said}");

    // The same on the pages.
    let pages: [PageRequest<'_>; 5] = [
        ("/containers/lab/clone", &[("name", "extra")], 422),
        ("/templates/shop/clone", &[("name", "extra")], 422),
        ("/templates", &[("source", "database:lab"), ("name", "extra")], 422),
        ("/containers", &[("engine", "postgres"), ("name", "extra"), ("storage", "vault")], 422),
        ("/containers/lab/snapshot", &[], 303),
    ];
    for (path, fields, code) in pages {
        let page = bob.post(path, fields).await.expect(code).text();
        let said = page.contains(refused) || page.contains("is not available to you");
        assert!(said || code == 303, "{path}: {page}");
    }
    let form = format!("/containers/lab/backups/{backup}/restore");
    let page = bob.get(&form).await.expect(200);
    assert!(page.text().contains("You may not use the storage of the original database."), "{}", page.text());
    assert_eq!(page.all("select[name=storage] option").len(), 1, "{}", page.body);
    let page = bob.post(&form, &[("name", "extra"), ("storage", "vault")]).await.expect(422).text();
    assert!(page.contains(refused), "{page}");

    // On port 5001, and on the command line as bob.
    let said = Scripts::of(&portal, Some(&token)).call(Method::POST, "/db/shop/ci", &[], 409).await;
    assert!(said["status"].as_str().is_some_and(|why| why.contains(refused)), "{said}");
    let url = format!("http://127.0.0.1:{}", portal.running().myaas.expect("it listens").port());
    let env = [("DB4SCI_URL", url.as_str()), ("DB4SCI_TOKEN", token.as_str())];
    let made = program(&["db", "new", "shop", "ci"], &env).output().expect("it runs");
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(!made.status.success() && said.contains(refused), "{said}");
    assert_eq!(portal.sql(WRITTEN), before, "something was written");

    // What bob has keeps working; those who may use the tier and administrators may do all of that.
    bob.post("/containers/lab/restart", &[]).await.expect(303);
    bob.wait_for("lab", "running").await;
    let made = api.outcome(Method::POST, &restore, &json!({ "name": "again", "storage": "standard" })).await;
    assert_eq!(made.expect(201).json()["storage"], "standard");
    let clone = "/api/v1/containers/lab/clone";
    let made = admin_api.outcome(Method::POST, clone, &json!({ "name": "by-admin" })).await.expect(201).json();
    assert_eq!((&made["owner"], &made["storage"]), (&json!("bob"), &json!("vault")), "{made}");
    let shop = "/api/v1/templates/shop/clone";
    portal.token(&ada).await.outcome(Method::POST, shop, &json!({ "name": "of-ada" })).await.expect(201);
    admin_api.outcome(Method::POST, shop, &json!({ "name": "of-admin" })).await.expect(201);
    settled(&portal).await;
}
