//! The interface on port 5001, used as the clients of the predecessor use it.

use mydb::domain::engine::EngineKind;
use mydb::runtime::fault::{Fault, FaultTiming};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Scripts, portal, portal_with, sql, update, write};
use crate::engines::{Place, sign_in};
use crate::support::TestPortal;

/// How to connect to a database that the interface describes.
pub(super) fn place(engine: EngineKind, said: &Value) -> Place {
    let text = |key: &str| said[key].as_str().unwrap_or_else(|| panic!("{key}: {said}")).to_owned();
    let port = u16::try_from(said["port"].as_u64().expect("a port")).expect("a port");
    Place { engine, ports: vec![(engine.to_string(), port)], dbname: text("database"), dbuser: text("user") }
}

/// The value stored under `key` in a database that the interface describes.
async fn word(engine: EngineKind, said: &Value, key: &str) -> Option<String> {
    let password = said["password"].as_str().expect("a password");
    let mut session = sign_in(&place(engine, said), password).await.expect("its user signs in");
    session.get(key).await.expect("the table is there")
}

const SHOP: &str = "create table kept (key text primary key, value text not null);\n\
                    insert into kept values ('word', 'from the dump');\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_script_creates_uses_and_removes_a_database() {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(&portal, "shop.sql", sql(SHOP));
    let done = update(&portal, &api).await;
    assert_eq!(done["importing"], json!(["shop"]), "{done}");

    // In dev mode on this machine no token is needed: the databases are the first administrator's.
    let scripts = Scripts::of(&portal, None);
    let status = scripts.get("/").await;
    assert_eq!(status, json!({ "status": "Service is running", "templates": ["shop"], "databases": [] }));
    assert_eq!(scripts.get("/templates").await, json!({ "templates": ["shop"] }));
    assert_eq!(scripts.get("/v1/templates").await, json!({ "templates": ["shop"] }));
    assert_eq!(scripts.get("/db").await, json!({ "databases": [] }));
    assert_eq!(scripts.call(Method::GET, "/db/shop/ci-1", &[], 404).await, json!({ "status": "Not found" }));

    // It responds when the server accepts the login, not before.
    let made = scripts.call(Method::POST, "/db/shop/ci-1", &[("ttl", "3600")], 201).await;
    assert_eq!((&made["running"], &made["status"], &made["name"]), (&json!(true), &json!("running"), &json!("ci-1")));
    assert_eq!(word(EngineKind::Postgres, &made, "word").await.as_deref(), Some("from the dump"));
    let ends = made["expires_at"].as_i64().expect("an end");
    let now = chrono::Utc::now().timestamp();
    assert!((now + 3500..=now + 3600).contains(&ends), "{ends} {now}");
    assert_eq!(scripts.get("/db/shop/ci-1").await, made);
    assert_eq!(scripts.get("/").await["databases"], json!(["shop,ci-1"]));
    let row = &scripts.get("/db").await["databases"][0];
    assert_eq!((&row["template"], &row["name"], &row["state"]), (&json!("shop"), &json!("ci-1"), &json!("running")));
    let raw = &scripts.get("/db/shop/ci-1?all=1").await["container"];
    assert_eq!(raw["State"]["Running"], json!(true), "{raw}");
    assert!(!raw.to_string().contains(made["password"].as_str().expect("a password")), "{raw}");

    // A second request finds the same one.
    let again = scripts.send(Method::POST, "/db/shop/ci-1", &[("ttl", "60")]).await;
    assert_eq!(again.status(), 304);
    assert_eq!(scripts.get("/db/shop/ci-1").await, made);

    // It is a database like any other on the pages, and changes in it reach neither the template nor its other copies.
    let page = admin.get("/containers/shop-ci-1").await.expect(200).text();
    assert!(page.contains("From the template shop"), "{page}");
    let password = made["password"].as_str().expect("a password");
    let mut session = sign_in(&place(EngineKind::Postgres, &made), password).await.expect("its user signs in");
    session.put("another word", "changed").await.expect("writes");
    drop(session);
    let other = scripts.call(Method::POST, "/db/shop/ci-2", &[("ttl", "0")], 201).await;
    assert_eq!(other.get("expires_at"), None, "{other}");
    assert_eq!(word(EngineKind::Postgres, &other, "word").await.as_deref(), Some("from the dump"));
    assert_ne!(other["password"], made["password"]);

    let gone = scripts.send(Method::DELETE, "/db/shop/ci-1", &[]).await;
    assert_eq!(gone.status(), 204);
    assert_eq!(scripts.call(Method::DELETE, "/db/shop/ci-1", &[], 404).await, json!({ "status": "Not found" }));
    assert_eq!(portal.sql("select count(*) from container where name = 'shop-ci-1' and purged_at is null"), "0");
    let new = scripts.call(Method::POST, "/db/shop/ci-1", &[], 201).await;
    assert_eq!(word(EngineKind::Postgres, &new, "word").await.as_deref(), Some("from the dump"));
    assert!(new["expires_at"].is_i64(), "without a time to live the template's applies: {new}");
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_requests_are_rejected() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    let scripts = Scripts::of(&portal, None);
    let said = scripts.call(Method::POST, "/db/none/ci", &[], 404).await;
    assert_eq!(said, json!({ "status": "Template none does not exist." }));
    // Its first import fails, so there is no version to copy.
    write(&portal, "broken.sql", sql("create table t (i int);\ninsert into nowhere values (1);\n"));
    update(&portal, &api).await;
    let said = scripts.call(Method::POST, "/db/broken/ci", &[], 409).await;
    assert_eq!(said, json!({ "status": "Template broken has no data: its import failed." }));
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    for ttl in ["-1", "1e3", "1000000000000000000", "soon", "1.5", "2020-01-01"] {
        let said = scripts.call(Method::POST, "/db/shop/ci", &[("ttl", ttl)], 400).await;
        assert!(said["status"].as_str().is_some_and(|text| text.len() > 10), "{ttl}: {said}");
    }
    for name in ["-x", "a%20b", "a%2Fb", "%2e%2e", &"a".repeat(300)] {
        let code = scripts.send(Method::POST, &format!("/db/shop/{name}"), &[]).await.status();
        assert!(code == 400 || code == 404, "{name}: {code}");
    }
    assert_eq!(scripts.get("/db").await, json!({ "databases": [] }));
    // A page of another site cannot use it, neither by a form nor by a name that points here.
    let http = crate::support::http().build().expect("a client");
    let address = portal.running().myaas.expect("it listens");
    let url = format!("http://127.0.0.1:{}/db/shop/ci", address.port());
    let sent = http.post(&url).header("origin", "https://evil.example.org").send().await.expect("a response");
    assert_eq!(sent.status(), 403);
    let sent = http.get(&url).header("host", "evil.example.org").send().await.expect("a response");
    assert_eq!(sent.status(), 401);
    let sent = http.get(&url).bearer_auth("wrong").send().await.expect("a response");
    assert_eq!(sent.status(), 401);
}

/// Names are unique per person, and everybody sees only their own databases.
#[tokio::test(flavor = "multi_thread")]
async fn different_people_can_use_the_same_name() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let mut made = Vec::new();
    for name in ["ada", "bob"] {
        let user = portal.user(name).await;
        let scripts = Scripts::of(&portal, Some(&secret(&portal, &user).await));
        let database = scripts.call(Method::POST, "/db/shop/ci", &[], 201).await;
        assert_eq!(scripts.get("/").await["databases"], json!(["shop,ci"]));
        made.push(database);
    }
    assert_ne!(made[0]["port"], made[1]["port"]);
    let (port, password) = (&made[0]["port"], made[1]["password"].as_str().expect("a password"));
    let mixed = json!({ "port": port, "database": made[0]["database"], "user": made[0]["user"] });
    assert!(sign_in(&place(EngineKind::Postgres, &mixed), password).await.is_err(), "bob signs in to ada's database");
    assert_eq!(portal.sql("select string_agg(a.username, ',' order by a.username) from container c join account a on a.id = c.account_id"), "ada,bob");
}

/// Two requests at the same instant create one database, and only the listed users can use a template.
#[tokio::test(flavor = "multi_thread")]
async fn two_simultaneous_requests_create_one_database() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let ada = portal.user("ada").await;
    let (ada, bob) = (portal.token_secret(&ada).await, portal.token_secret(&portal.user("bob").await).await);
    let (ada, bob) = (Scripts::of(&portal, Some(&ada)), Scripts::of(&portal, Some(&bob)));
    let (one, other) =
        tokio::join!(ada.send(Method::POST, "/db/shop/ci", &[]), ada.send(Method::POST, "/db/shop/ci", &[]));
    let mut codes = [one.status().as_u16(), other.status().as_u16()];
    codes.sort_unstable();
    assert_eq!(codes, [201, 304]);
    assert_eq!(portal.sql("select count(*) from container"), "1");
    assert_eq!(ada.get("/db/shop/ci").await["running"], json!(true));

    let edit = api.json(Method::PATCH, "/api/v1/templates/shop", &json!({ "users": ["ada"], "ttl": "2h" })).await;
    assert_eq!(edit.expect(200).json()["ttl"], json!(7200));
    assert_eq!(bob.get("/templates").await, json!({ "templates": [] }));
    bob.call(Method::POST, "/db/shop/ci", &[], 404).await;
    let made = ada.call(Method::POST, "/db/shop/ci-2", &[], 201).await;
    let left = made["expires_at"].as_i64().expect("an end") - chrono::Utc::now().timestamp();
    assert!((7000..=7200).contains(&left), "{left}");

    // When it expires it is deleted permanently, at once.
    portal.sql("update container set expires_at = now() - interval '1 second' where instance_name = 'ci-2'");
    portal.sql("update schedule set next_run = now() where name = 'reaper'");
    portal.until("select purged_at is not null from container where instance_name = 'ci-2'", |said| said == "t").await;
    ada.call(Method::GET, "/db/shop/ci-2", &[], 404).await;
}

/// Jobs that make databases from templates wait.
const LATER: &str = "create function later() returns trigger language plpgsql as $$ begin
      new.run_at = now() + interval '4 minutes'; return new; end $$;
    create trigger later before insert on job for each row when (new.kind = 'from-template') execute function later()";

#[tokio::test(flavor = "multi_thread")]
async fn databases_can_be_removed_during_creation_and_retried_after_failure() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let scripts = Scripts::of(&portal, None);
    portal.sql(LATER);
    let waiting = Scripts::of(&portal, None);
    let making = tokio::spawn(async move { waiting.send(Method::POST, "/db/shop/ci", &[]).await.status() });
    portal.until("select count(*) from container", |said| said == "1").await;
    assert_eq!(scripts.send(Method::DELETE, "/db/shop/ci", &[]).await.status(), 204);
    assert_eq!(making.await.expect("the request ends"), 500);
    assert_eq!(portal.sql("select count(*) from container where purged_at is null"), "0");
    portal.sql("drop trigger later on job");

    let fault = Fault { operation: "create", strike: FaultTiming::Before, times: 1, transient: false };
    portal.faults.inject(fault);
    let said = scripts.call(Method::POST, "/db/shop/ci", &[], 500).await;
    assert!(said["status"].as_str().is_some_and(|why| why.contains("injected fault")), "{said}");
    assert_eq!(scripts.get("/db/shop/ci").await["running"], json!(false));
    let made = scripts.call(Method::POST, "/db/shop/ci", &[], 201).await;
    assert_eq!(word(EngineKind::Postgres, &made, "word").await.as_deref(), Some("from the dump"));

    // A database in the trash keeps its name, and waiting does not change that.
    let keep = api.json(Method::PATCH, "/api/v1/containers/shop-ci", &json!({ "backup_freq": "Daily" })).await;
    keep.expect(200);
    assert_eq!(scripts.send(Method::DELETE, "/db/shop/ci", &[]).await.status(), 204);
    let said = scripts.call(Method::POST, "/db/shop/ci", &[], 409).await;
    assert!(said["status"].as_str().is_some_and(|why| why.contains("is in the trash")), "{said}");
}

/// The version of a database that could not be made may be gone at the next attempt, and its time to live is another.
#[tokio::test(flavor = "multi_thread")]
async fn another_attempt_has_the_time_to_live_and_the_version_of_now() {
    let portal = portal_with(|config| config.templates.keep = 0).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let scripts = Scripts::of(&portal, None);
    let fault = Fault { operation: "create", strike: FaultTiming::Before, times: 1, transient: false };
    portal.faults.inject(fault);
    scripts.call(Method::POST, "/db/shop/ci", &[("ttl", "3600")], 500).await;
    let left = |said: &Value| said["expires_at"].as_i64().expect("an end") - chrono::Utc::now().timestamp();
    let failed = scripts.get("/db/shop/ci").await;
    assert!((3500..=3600).contains(&left(&failed)), "{failed}");

    // Another version, with another name of the database; the first one is removed.
    api.json(Method::PATCH, "/api/v1/templates/shop", &json!({ "dbname": "market", "dbuser": "clerk" }))
        .await
        .expect(200);
    write(&portal, "shop.sql", sql(&SHOP.replace("from the dump", "from the second dump")));
    update(&portal, &api).await;
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "1").await;
    let made = scripts.call(Method::POST, "/db/shop/ci", &[("ttl", "7200")], 201).await;
    assert!((7100..=7200).contains(&left(&made)), "{made}");
    assert_eq!((&made["database"], &made["user"]), (&json!("market"), &json!("clerk")), "{made}");
    assert_eq!(word(EngineKind::Postgres, &made, "word").await.as_deref(), Some("from the second dump"));
    let page = portal.admin().await.get("/containers/shop-ci").await.expect(200).text();
    assert!(page.contains("market"), "{page}");

    // The same with “Try again” on the page, which keeps its end.
    portal.faults.inject(Fault { operation: "create", strike: FaultTiming::Before, times: 1, transient: false });
    scripts.call(Method::POST, "/db/shop/two", &[("ttl", "3600")], 500).await;
    write(&portal, "shop.sql", sql(&SHOP.replace("from the dump", "from the third dump")));
    update(&portal, &api).await;
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "1").await;
    let admin = portal.admin().await;
    admin.post("/containers/shop-two/start", &[]).await.expect(303);
    admin.wait_for("shop-two", "running").await;
    let made = scripts.get("/db/shop/two").await;
    assert!((3000..=3600).contains(&left(&made)), "{made}");
    assert_eq!(word(EngineKind::Postgres, &made, "word").await.as_deref(), Some("from the third dump"));
}

/// A token of this user.
async fn secret(portal: &TestPortal, user: &crate::support::Client) -> String {
    portal.token_secret(user).await
}
