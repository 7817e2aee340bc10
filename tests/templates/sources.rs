//! Templates that are made from databases, snapshots and uploaded dumps.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::origins::the_script_of_an_administrator_stays_secret;
use super::{dumps, portal, settled, sql, update, write};
use crate::backups::cli;
use crate::backups::dump::frozen_copy::place;
use crate::backups::import::load::staged;
use crate::engines::{Session, sign_in};
use crate::support::{Client, TestPortal};

async fn sign(portal: &TestPortal, name: &str, password: &str) -> Box<dyn Session> {
    sign_in(&place(portal, EngineKind::Postgres, name), password).await.expect("its user signs in")
}

/// Makes a database from a template, and returns its password.
async fn copy(api: &Client, template: &str, name: &str) -> String {
    let path = format!("/api/v1/templates/{template}/clone");
    let made = api.outcome(Method::POST, &path, &json!({ "name": name })).await.expect(201).json();
    made["password"].as_str().expect("a password").to_owned()
}

async fn template(api: &Client, name: &str, source: Value) -> Value {
    let body = json!({ "name": name, "source": source });
    api.outcome(Method::POST, "/api/v1/templates", &body).await.expect(201).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_and_its_snapshot_become_templates() {
    let portal = portal().await;
    let (admin, ada, bob) = (portal.admin().await, portal.user("ada").await, portal.user("bob").await);
    let (admin_api, api, bob_api) = (portal.token(&admin).await, portal.token(&ada).await, portal.token(&bob).await);
    ada.create("lab", &[("storage", &portal.config.templates.storage)]).await;
    let mut lab = sign(&portal, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    lab.put("secret", "a name").await.expect("writes");

    // Nobody makes a template from another person's database.
    let body = json!({ "name": "stolen", "source": { "database": "lab" } });
    bob_api.json(Method::POST, "/api/v1/templates", &body).await.expect(404);
    api.json(Method::POST, "/api/v1/templates", &json!({ "name": "x", "file": "x.sql" })).await.expect(422);

    let one = template(&api, "course", json!({ "database": "lab" })).await;
    assert_eq!((&one["version"], &one["source"]), (&json!(1), &json!("database lab")), "{one}");
    assert_eq!((&one["versions"][0]["report"]["rows"], &one["users"]), (&json!(2), &json!(["ada"])), "{one}");
    // The page of the job is about the template, and no page of the administration.
    let job = ada.get(&format!("/jobs/{}", one["versions"][0]["job"].as_str().expect("a job"))).await.expect(200);
    assert_eq!(job.all("h1"), ["Import template: course"]);
    assert!(!job.text().contains("the portal") && !job.body.contains("/admin"), "{}", job.text());
    assert!(job.body.contains("href=\"/templates/course\""), "{}", job.body);
    let password = copy(&api, "course", "mine").await;
    let at = place(&portal, EngineKind::Postgres, "mine");
    assert!(sign_in(&at, "correct-horse").await.is_err(), "the password of the source opens the copy");
    let mut mine = sign(&portal, "mine", &password).await;
    assert_eq!(mine.get("word").await, Ok(Some("first".to_owned())));
    assert_eq!(mine.get("secret").await, Ok(Some("a name".to_owned())));
    mine.put("own", "written").await.expect("its owner writes");
    assert_eq!(lab.get("own").await, Ok(None), "the source only was paused");

    // It is for its creator only, until that is changed.
    bob_api.get("/api/v1/templates/course").await.expect(404);
    api.json(Method::PATCH, "/api/v1/templates/course", &json!({ "users": [] })).await.expect(200);
    bob_api.json(Method::PATCH, "/api/v1/templates/course", &json!({ "description": "x" })).await.expect(403);
    bob_api.json(Method::POST, "/api/v1/templates/course/refresh", &json!({})).await.expect(403);
    copy(&bob_api, "course", "of-bob").await;

    // Each import copies the current data of the database; a snapshot does not change.
    let taken = api.outcome(Method::POST, "/api/v1/containers/lab/snapshots", &json!({})).await;
    taken.expect(200);
    let list = api.get("/api/v1/containers/lab/snapshots").await.expect(200).json();
    let snapshot = list["items"][0]["id"].clone();
    lab.put("later", "second").await.expect("writes");
    let two = api.outcome(Method::POST, "/api/v1/templates/course/refresh", &json!({})).await.expect(200).json();
    assert_eq!(two["version"], json!(2), "{two}");
    let password = copy(&api, "course", "newer").await;
    assert_eq!(sign(&portal, "newer", &password).await.get("later").await, Ok(Some("second".to_owned())));
    let page = admin.get("/templates?database=lab").await.expect(200).body;
    assert!(page.contains("database:lab"), "{page}");
    let page = ada.get("/templates").await.expect(200).body;
    let value = format!("snapshot:{}", snapshot.as_str().expect("an id"));
    assert!(page.contains("database:lab") && page.contains(&value), "{page}");
    ada.post("/templates", &[("source", value.as_str()), ("name", "fixed")]).await.expect(303);
    ada.post("/templates", &[("source", value.as_str()), ("name", "fixed")]).await.expect(422);
    settled(&portal).await;
    let fixed = admin_api.get("/api/v1/templates/fixed").await.expect(200).json();
    assert_eq!((&fixed["version"], &fixed["versions"][0]["report"]["rows"]), (&json!(1), &json!(2)), "{fixed}");
    let password = copy(&api, "fixed", "older").await;
    let mut older = sign(&portal, "older", &password).await;
    assert_eq!(older.get("word").await, Ok(Some("first".to_owned())));
    assert_eq!(older.get("later").await, Ok(None));

    // Copies taken for imports are removed; the user's snapshot stays. A dump of the same name does not replace a template.
    portal.sql("update schedule set next_run = now() where name = 'snapshots'");
    portal.until("select count(*) from snapshot where removed_at is null", |said| said == "1").await;
    write(&portal, "course.sql", sql("create table mice (id int primary key);\n"));
    let done = update(&portal, &admin_api).await;
    assert_eq!(done["importing"], json!([]), "{done}");
    the_script_of_an_administrator_stays_secret(&portal, &api, &json!({ "database": "lab" })).await;
    // The script of an administrator's template runs before the version is complete.
    write(&portal, "from-shell.post.sql", "delete from kept where key = 'secret';\n");
    let (code, said) = cli(&portal, &["template", "import", "database:lab", "--name", "from-shell"]);
    assert!(code == 0 && said.contains("importing from-shell"), "{said}");
    settled(&portal).await;
    let made = admin_api.get("/api/v1/templates/from-shell").await.expect(200).json();
    assert_eq!((&made["version"], &made["versions"][0]["report"]["rows"]), (&json!(1), &json!(2)), "{made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_uploaded_dump_becomes_a_template() {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    let send = async |name: &str, content: &str| {
        let form = format!(
            "--x\r\ncontent-disposition: form-data; name=\"name\"\r\n\r\n{name}\r\n--x\r\n\
             content-disposition: form-data; name=\"dump\"; filename=\"mice.sql\"\r\n\r\n{content}\r\n--x--\r\n"
        );
        let header = ("content-type", "multipart/form-data; boundary=x");
        let same = ("sec-fetch-site", "same-origin");
        admin
            .send(Method::POST, "/templates/from-dump", |r| {
                r.header(same.0, same.1).header(header.0, header.1).body(form)
            })
            .await
    };
    let dump = sql("create table mice (id int primary key);\ninsert into mice values (1), (2);\n");
    send("shop", &dump).await.expect(303);
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["source"]), (&json!(1), &json!("shop.sql")), "{shop}");
    assert_eq!(shop["versions"][0]["report"]["rows"], json!(2), "{shop}");

    // Nothing is replaced, and nothing else is stored.
    for (name, content, words) in [
        ("shop", dump.as_str(), "already contains shop.sql"),
        ("../x", dump.as_str(), "letters"),
        ("from-dump", dump.as_str(), "reserved"),
        ("shop.post", dump.as_str(), "Choose another name"),
        ("text", "hello", "not recognised"),
    ] {
        let page = send(name, content).await.expect(422).text();
        assert!(page.contains(words), "{name}: {page}");
    }
    let files: Vec<_> = std::fs::read_dir(dumps(&portal)).expect("read").flatten().map(|e| e.file_name()).collect();
    assert_eq!(files, ["shop.sql"]);
    assert_eq!(staged(&portal), 0);
    // The dump is like any other in the directory.
    let done = update(&portal, &api).await;
    assert_eq!((&done["importing"], &done["unchanged"]), (&json!([]), &json!(["shop"])), "{done}");
}
