//! Templates that are made from backups, and from dumps in a backup target.

use bytes::Bytes;
use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::{portal_with, settled, sql, write};
use crate::backups::dump::frozen_copy::place;
use crate::backups::{back_up, cli, nothing_left};
use crate::engines::{Session, sign_in};
use crate::support::portal::store;
use crate::support::{Client, TestPortal};

async fn sign(portal: &TestPortal, engine: EngineKind, name: &str, password: &str) -> Box<dyn Session> {
    sign_in(&place(portal, engine, name), password).await.expect("its user signs in")
}

async fn template(api: &Client, name: &str, source: Value, code: u16) -> Value {
    let body = json!({ "name": name, "source": source });
    api.outcome(Method::POST, "/api/v1/templates", &body).await.expect(code).json()
}

/// Makes a database from a template, and returns its password.
async fn copy(api: &Client, template: &str, name: &str) -> String {
    let path = format!("/api/v1/templates/{template}/clone");
    let made = api.outcome(Method::POST, &path, &json!({ "name": name })).await.expect(201).json();
    made["password"].as_str().expect("a password").to_owned()
}

/// Hidden directories of loads.
fn scratch(portal: &TestPortal) -> usize {
    let tiers = portal.config.storage.iter().map(|t| t.path.join(&portal.instance));
    let names = tiers.filter_map(|d| std::fs::read_dir(d).ok()).flat_map(|d| d.flatten().map(|e| e.file_name()));
    names.filter(|n| n.to_string_lossy().starts_with(".dump-")).count()
}

/// A researcher cannot create a template with the name of a script: its creator could read the script in the data afterwards.
pub async fn the_script_of_an_administrator_stays_secret(portal: &TestPortal, api: &Client, source: &Value) {
    write(portal, "patients.post.sql", "comment on database trial is 'what only administrators know';\n");
    let made = template(api, "patients", source.clone(), 422).await;
    let failed = &made["versions"][0];
    assert_eq!((&made["version"], &failed["status"]), (&Value::Null, &json!("failed")), "{made}");
    assert!(failed["error"].as_str().is_some_and(|e| e.contains("an administrator created")), "{made}");
    assert!(!made.to_string().contains("what only administrators know"), "{made}");
    // Under another name the template is created.
    api.json(Method::PATCH, "/api/v1/templates/patients", &json!({ "name": "people" })).await.expect(200);
    let made = api.outcome(Method::POST, "/api/v1/templates/people/refresh", &json!({})).await.expect(200).json();
    assert_eq!(made["version"], json!(2), "{made}");
    api.json(Method::DELETE, "/api/v1/templates/people?confirm=people", &json!({})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_becomes_a_template_for_its_owner_only() {
    let portal = portal_with(|config| {
        store(config);
        config.limits.containers_per_user = 3;
    })
    .await;
    let (ada, bob) = (portal.user("ada").await, portal.user("bob").await);
    let (api, bob_api) = (portal.token(&ada).await, portal.token(&bob).await);
    ada.create("lab", &[]).await;
    let mut lab = sign(&portal, EngineKind::Postgres, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    lab.put("secret", "a name").await.expect("writes");
    let backup = back_up(&portal, &ada, "lab").await;
    lab.put("later", "second").await.expect("writes");

    // For anybody else it does not exist.
    let theirs = json!({ "name": "stolen", "source": { "backup": backup } });
    let none = json!({ "name": "stolen", "source": { "backup": uuid::Uuid::now_v7() } });
    let theirs = bob_api.json(Method::POST, "/api/v1/templates", &theirs).await.expect(404).json();
    let none = bob_api.json(Method::POST, "/api/v1/templates", &none).await.expect(404).json();
    let said = |problem: &Value| (problem["title"].clone(), problem["detail"].clone());
    assert!(theirs["title"].is_string() && said(&theirs) == said(&none), "{theirs} {none}");
    bob.post("/templates", &[("source", &format!("backup:{backup}")), ("name", "stolen")]).await.expect(404);
    let page = bob.get(&format!("/templates?backup={backup}")).await.expect(200).body;
    assert!(!page.contains(&format!("backup:{backup}")), "{page}");

    // Its owner chooses it on the page.
    let page = ada.get("/templates").await.expect(200).body;
    assert!(page.contains(&format!("backup:{backup}")), "{page}");
    ada.post("/templates", &[("source", &format!("backup:{backup}")), ("name", "course")]).await.expect(303);
    settled(&portal).await;
    let course = api.get("/api/v1/templates/course").await.expect(200).json();
    let one = &course["versions"][0];
    assert_eq!((&course["version"], &course["users"]), (&json!(1), &json!(["ada"])), "{course}");
    assert_eq!(one["report"]["rows"], json!(2), "{course}");
    assert!(course["source"].as_str().is_some_and(|said| said.starts_with("backup of lab from ")), "{course}");
    let password = copy(&api, "course", "mine").await;
    let at = place(&portal, EngineKind::Postgres, "mine");
    assert!(sign_in(&at, "correct-horse").await.is_err(), "the password of the source opens the copy");
    let mut mine = sign(&portal, EngineKind::Postgres, "mine", &password).await;
    assert_eq!(mine.get("word").await, Ok(Some("first".to_owned())));
    assert_eq!((mine.get("secret").await, mine.get("later").await), (Ok(Some("a name".to_owned())), Ok(None)));
    mine.put("own", "written").await.expect("its owner writes");
    // It is not backed up, so its pages do not promise the trash.
    for page in ["", "/settings", "/extend"] {
        let text = ada.get(&format!("/containers/mine{page}")).await.expect(200).text();
        let gone = text.contains("deleted permanently; there is no trash for it");
        assert!(gone && !text.contains("moves to the trash"), "{page}: {text}");
    }
    bob_api.get("/api/v1/templates/course").await.expect(404);
    // Its owner follows its import; nobody else does.
    let import = format!("/api/v1/jobs/{}", portal.sql("select job_id from template_version"));
    assert_eq!(api.get(&import).await.expect(200).json()["status"], json!("succeeded"));
    bob_api.get(&import).await.expect(404);

    // The template counts as a database: two databases and one template are all that ada may have.
    let said = ada.submit_create("fourth", &[]).await.expect(409).text();
    assert!(said.contains("A template made from a database counts as one"), "{said}");
    let said = template(&api, "fourth", json!({ "database": "lab" }), 409).await;
    assert!(said.to_string().contains("maximum number of databases (3)"), "{said}");
    let page = ada.get("/account").await.expect(200).text();
    assert!(page.contains("2 and 1 template of 3"), "{page}");

    // The same data again, although the database has changed and is gone.
    drop(lab);
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "true")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    ada.wait_until_gone("lab").await;
    let two = api.outcome(Method::POST, "/api/v1/templates/course/refresh", &json!({})).await.expect(200).json();
    assert_eq!((&two["version"], &two["versions"][0]["report"]["rows"]), (&json!(2), &json!(2)), "{two}");

    // On the command line, administrators can choose any backup. The script of their template runs before the version is complete.
    write(&portal, "from-shell.post.sql", "delete from kept where key = 'secret';\n");
    let (code, said) = cli(&portal, &["template", "import", &format!("backup:{backup}"), "--name", "from-shell"]);
    assert!(code == 0 && said.contains("importing from-shell"), "{said}");
    settled(&portal).await;
    let made = portal.token(&portal.admin().await).await.get("/api/v1/templates/from-shell").await.expect(200).json();
    assert_eq!((&made["version"], &made["users"]), (&json!(1), &json!([])), "{made}");
    assert_eq!(made["versions"][0]["report"]["rows"], json!(1), "{made}");
    the_script_of_an_administrator_stays_secret(&portal, &api, &json!({ "backup": backup })).await;
    assert_eq!(scratch(&portal), 0);

    // The import of a backup with a damaged object fails and reports why.
    let object = crate::backups::object(&portal, &backup, "database-1.pgdump.zst");
    std::fs::write(object, b"damaged").expect("written");
    let failed = api.outcome(Method::POST, "/api/v1/templates/course/refresh", &json!({})).await.expect(422).json();
    assert_eq!((&failed["version"], &failed["versions"][0]["status"]), (&json!(2), &json!("failed")), "{failed}");
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "3").await;
    nothing_left(&portal, 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_backup_of_mongodb_becomes_a_template() {
    let portal = portal_with(store).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("engine", "mongodb"), ("image", "docker.io/library/mongo:6.0")]).await;
    let mut lab = sign(&portal, EngineKind::Mongodb, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    let backup = back_up(&portal, &ada, "lab").await;
    let made = template(&api, "course", json!({ "backup": backup }), 201).await;
    assert_eq!((&made["version"], &made["versions"][0]["report"]["rows"]), (&json!(1), &json!(1)), "{made}");
    let password = copy(&api, "course", "mine").await;
    assert!(sign_in(&place(&portal, EngineKind::Mongodb, "mine"), "correct-horse").await.is_err());
    let mut mine = sign(&portal, EngineKind::Mongodb, "mine", &password).await;
    assert_eq!(mine.get("word").await, Ok(Some("first".to_owned())));
    mine.put("own", "written").await.expect("its owner writes");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_in_a_target_becomes_a_template_for_administrators() {
    let portal = portal_with(store).await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    let (api, ada_api) = (portal.token(&admin).await, portal.token(&ada).await);
    let target = portal.config.targets[0].name.clone();
    let objects = portal.app().app.stores.first().expect("a target").clone();
    let put = async |key: &str, content: Vec<u8>| {
        objects.put(key, Bytes::from(content), "application/octet-stream").await.expect("stored");
    };
    let dump = sql("create table mice (id int primary key);\ninsert into mice values (1), (2);\n");
    put("dumps/shop.sql.zst", zstd::encode_all(dump.as_bytes(), 1).expect("packed")).await;
    let source = json!({ "object": format!("{target}/dumps/shop.sql.zst") });

    // Only administrators: a target contains the backups of everybody.
    let refused = template(&ada_api, "shop", source.clone(), 403).await;
    assert!(refused.to_string().contains("Only administrators"), "{refused}");
    let object = format!("{target}/dumps/shop.sql.zst");
    ada.post("/templates", &[("object", &object), ("object_name", "shop")]).await.expect(403);
    assert!(!ada.get("/templates").await.expect(200).body.contains("name=\"object\""));

    let shop = template(&api, "shop", source, 201).await;
    assert_eq!((&shop["version"], &shop["source"]), (&json!(1), &json!(object)), "{shop}");
    assert_eq!((&shop["engine"], &shop["versions"][0]["report"]["rows"]), (&json!("postgres"), &json!(2)), "{shop}");
    // Everybody may use it, but not change it.
    copy(&ada_api, "shop", "mine").await;
    ada_api.json(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(403);

    // Each import reads the current object. If that is no longer a dump, the previous version stays in use.
    put(
        "dumps/shop.sql.zst",
        zstd::encode_all(format!("{dump}insert into mice values (3);\n").as_bytes(), 1).expect("packed"),
    )
    .await;
    let two = api.outcome(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(200).json();
    assert_eq!((&two["version"], &two["versions"][0]["report"]["rows"]), (&json!(2), &json!(3)), "{two}");
    put("dumps/shop.sql.zst", format!("{dump}insert into rats values (3);\n").into_bytes()).await;
    let three = api.outcome(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(422).json();
    let error = three["versions"][0]["error"].as_str().expect("an error");
    assert!(three["version"] == json!(2) && error.starts_with("shop.sql.zst, line 4: "), "{three}");

    // An object that does not exist or is not a dump is rejected at once.
    for (object, words) in [
        (format!("{target}/dumps/none.sql"), "does not exist"),
        ("nowhere/dumps/shop.sql".to_owned(), "no backup target “nowhere”"),
        (format!("{target}/dumps/picture.png"), "ending of its name"),
        (format!("{target}/dumps/text.sql"), "not recognised"),
    ] {
        put("dumps/picture.png", vec![0; 200]).await;
        put("dumps/text.sql", b"hello, this is a letter and not a dump. ".repeat(10)).await;
        let page = admin.post("/templates", &[("object", &object), ("object_name", "other")]).await.expect(422).text();
        assert!(page.contains(words), "{object}: {page}");
    }
    let page = admin.post("/templates", &[("object", "nothing"), ("object_name", "other")]).await.expect(422).text();
    assert!(page.contains("a slash and the key"), "{page}");
    put("dumps/rats.sql", dump.into_bytes()).await;
    let (code, said) = cli(&portal, &["template", "import", &format!("object:{target}/dumps/rats.sql")]);
    assert!(code == 0 && said.contains("importing rats"), "{said}");
    settled(&portal).await;
    assert_eq!(api.get("/api/v1/templates/rats").await.expect(200).json()["version"], json!(1));
    assert_eq!(scratch(&portal), 0);
}
