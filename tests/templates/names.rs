//! The names of database and user in the copies of a template.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::myaas::place;
use super::{Scripts, portal, settled, sql, write};
use crate::backups::cli;
use crate::engines::sign_in;
use crate::support::{Client, TestPortal};

/// The names in a database made by port 5001, whose user signs in.
async fn made(portal: &TestPortal, template: &str, name: &str) -> (Value, Value) {
    let said = Scripts::of(portal, None).call(Method::POST, &format!("/db/{template}/{name}"), &[], 201).await;
    let password = said["password"].as_str().expect("a password");
    sign_in(&place(EngineKind::Postgres, &said), password).await.expect("its user signs in");
    (said["database"].clone(), said["user"].clone())
}

async fn patch(api: &Client, name: &str, body: Value, code: u16) -> Value {
    api.json(Method::PATCH, &format!("/api/v1/templates/{name}"), &body).await.expect(code).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_names_the_database_and_the_user_of_its_copies() {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    // When it is created.
    let body = json!({ "file": "shop.sql", "dbname": "store", "dbuser": "clerk" });
    let shop = api.outcome(Method::POST, "/api/v1/templates", &body).await.expect(201).json();
    assert_eq!((&shop["dbname"], &shop["versions"][0]["dbuser"]), (&json!("store"), &json!("clerk")), "{shop}");
    assert_eq!(made(&portal, "shop", "one").await, (json!("store"), json!("clerk")));

    // In its settings, from the next import on.
    let said = patch(&api, "shop", json!({ "dbname": "market" }), 200).await;
    assert_eq!((&said["dbname"], &said["dbuser"]), (&json!("market"), &json!("clerk")), "{said}");
    assert_eq!(made(&portal, "shop", "two").await, (json!("store"), json!("clerk")));
    let page = admin.get("/templates/shop").await.expect(200);
    assert!(page.body.contains("value=\"market\"") && page.text().contains("Database store"), "{}", page.text());
    admin.post("/templates/shop", &[("dbuser", "")]).await.expect(303);
    api.outcome(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(200);
    assert_eq!(made(&portal, "shop", "three").await, (json!("market"), json!("shop")));

    // By the rules of a new database, each error at its field.
    for (field, name, words) in
        [("dbname", "a b", "lower-case"), ("dbname", "postgres", "reserved"), ("dbuser", "pg_x", "reserved")]
    {
        let said = patch(&api, "shop", json!({ field: name }), 422).await.to_string();
        assert!(said.contains(field) && said.contains(words), "{name}: {said}");
        let page = admin.post("/templates/shop", &[(field, name)]).await.expect(422);
        assert!(page.text().contains(words), "{name}: {}", page.text());
        write(&portal, "other.sql", sql("create table mice (id int primary key);\n"));
        let body = json!({ "file": "other.sql", field: name });
        let said = api.json(Method::POST, "/api/v1/templates", &body).await.expect(422).text();
        assert!(said.contains(field) && said.contains(words), "{name}: {said}");
    }
    assert_eq!(portal.sql("select count(*) from template"), "1");
    let (code, said) = cli(&portal, &["template", "import", "other.sql", "--dbname", "store", "--dbuser", "clerk"]);
    assert!(code == 0, "{said}");
    settled(&portal).await;
    assert_eq!(made(&portal, "other", "one").await, (json!("store"), json!("clerk")));

    // A template made from a database has the names of that; those of Neo4j are prescribed.
    admin.create("lab", &[]).await;
    let body = json!({ "name": "course", "source": { "database": "lab" }, "dbname": "x" });
    let said = api.json(Method::POST, "/api/v1/templates", &body).await.expect(422).text();
    assert!(said.contains("keeps its names"), "{said}");
    let body = json!({ "name": "course", "source": { "database": "lab" } });
    api.outcome(Method::POST, "/api/v1/templates", &body).await.expect(201);
    let said = patch(&api, "course", json!({ "dbname": "x" }), 422).await.to_string();
    assert!(said.contains("keeps its names"), "{said}");
    let comment = "// a comment that makes the file large enough to be a script ".repeat(3);
    write(&portal, "graph.cypher", format!("{comment}\nCREATE (:Kept);\n"));
    // Its import need not have ended.
    api.json(Method::POST, "/api/v1/templates/update", &json!({})).await.expect(200);
    let said = patch(&api, "graph", json!({ "dbuser": "x" }), 422).await.to_string();
    assert!(said.contains("always uses “neo4j”"), "{said}");
}
