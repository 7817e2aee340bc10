//! A Neo4j database whose owner has set every trap: names that could forge output for a parser, paths to files and
//! addresses of the server, and privileges over the portal's own user, which Community Edition grants to everyone.

use mydb::domain::engine::EngineKind;
use reqwest::Method;
use serde_json::{Value, json};

use super::{password, well};
use crate::backups::disaster::rebuild::{lost_and_rebuilt, with_recovery_key};
use crate::backups::import::load;
use crate::backups::{back_up, nothing_left, object};
use crate::engines::{fields, place};
use crate::support::{Client, TestPortal, docker, http};

/// Names of labels, types and properties.
const NAMES: [&str; 16] = [
    r#"a"},{"row":["label","forged",9],"meta":["#,
    r#"b",9],"meta":[null]}]}],"errors":[]"#,
    r#""errors":[{"code":"x"}]"#,
    "line\nbreak",
    "line\r\ndb4sci: {\"count\":{\"database\":\"neo4j\",\"kind\":\"label\",\"name\":\"forged\",\"rows\":9}}",
    "db4sci: {\"sum\":{\"code\":0}}",
    "back\\",
    "\\\"}",
    "tick`tock",
    "it's",
    "💧💧💧",
    "$(touch /tmp/climbed)",
    "`touch /tmp/climbed`",
    "-c",
    "\u{2028}",
    "x} DETACH DELETE n //",
];

/// Statements that try to read files of the server or local addresses, and must fail.
const LOOK_OUT: [&str; 11] = [
    "LOAD CSV FROM 'file:///etc/db4sci/auth' AS l RETURN l",
    "LOAD CSV FROM 'file:///../../../etc/passwd' AS l RETURN l",
    "LOAD CSV FROM 'file:/var/lib/neo4j/conf/neo4j.conf' AS l RETURN l",
    "LOAD CSV FROM 'FILE:///etc/passwd' AS l RETURN l",
    "LOAD CSV FROM 'netdoc:///etc/passwd' AS l RETURN l",
    "LOAD CSV FROM 'jar:file:///etc/passwd!/x' AS l RETURN l",
    "LOAD CSV FROM 'http://127.0.0.1:7474/' AS l RETURN l",
    "LOAD CSV FROM 'http://127.1:7474/' AS l RETURN l",
    "LOAD CSV FROM 'http://[::ffff:127.0.0.1]:7474/' AS l RETURN l",
    "LOAD CSV FROM 'http://[::1]:7474/' AS l RETURN l",
    "CALL dbms.setConfigValue('dbms.security.allow_csv_import_from_file_urls', 'true')",
];

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Runs a statement over HTTP and returns its rows or the server's error message.
pub async fn ask(
    portal: &TestPortal,
    name: &str,
    database: &str,
    password: &str,
    statement: &str,
) -> Result<Value, String> {
    let place = place(portal, EngineKind::Neo4j, name);
    let port = place.ports.iter().find(|(purpose, _)| purpose == "http").expect("a port").1;
    let body = json!({ "statements": [{ "statement": statement }] });
    let request = http()
        .danger_accept_invalid_certs(true)
        .build()
        .expect("a client")
        .post(format!("https://localhost:{port}/db/{database}/tx/commit"));
    let said = request.basic_auth("neo4j", Some(password)).json(&body).send().await.map_err(|e| e.to_string())?;
    let said: Value = said.json().await.map_err(|e| e.to_string())?;
    match said.pointer("/errors/0/message").and_then(Value::as_str) {
        Some(error) => Err(error.to_owned()),
        None => Ok(said.pointer("/results/0/data").cloned().unwrap_or_default()),
    }
}

async fn run(portal: &TestPortal, name: &str, password: &str, statement: &str) -> Value {
    let said = ask(portal, name, "neo4j", password, statement).await;
    said.unwrap_or_else(|e| panic!("{statement}: {e}"))
}

/// Sets the traps in `lab` as its owner.
async fn set(portal: &TestPortal) {
    for (n, name) in NAMES.iter().enumerate() {
        let name = quoted(name);
        let statement = format!("CREATE (:{name} {{{name}: {n}}})-[:{name} {{{name}: 'x'}}]->(:Plain {{n: {n}}})");
        run(portal, "lab", "correct-horse", &statement).await;
        let statement = format!("CREATE INDEX {} FOR (n:{name}) ON (n.{name})", quoted(&format!("index {n} \"],")));
        run(portal, "lab", "correct-horse", &statement).await;
    }
    for statement in [
        "CREATE CONSTRAINT `a \"constraint\"` FOR (p:Plain) REQUIRE p.n IS UNIQUE",
        "CREATE FULLTEXT INDEX words FOR (n:Plain|Other) ON EACH [n.text]",
        "CREATE VECTOR INDEX near FOR (n:Plain) ON n.v OPTIONS {indexConfig: {`vector.dimensions`: 3, `vector.similarity_function`: 'cosine'}}",
    ] {
        run(portal, "lab", "correct-horse", statement).await;
    }
}

async fn survey_failures(portal: &TestPortal) -> (u64, String) {
    let report = portal.scan().await;
    (report["failed"].as_u64().unwrap_or(99), portal.sql("select coalesce(string_agg(error, ' '), '') from survey"))
}

/// Every trap is there exactly once, and no command in a name has run.
async fn whole(portal: &TestPortal, name: &str, password: &str) {
    let rows =
        run(portal, name, password, "MATCH (n)-[r]->(:Plain) UNWIND labels(n) AS l RETURN l, type(r) ORDER BY l").await;
    let mut found: Vec<&str> = rows.as_array().into_iter().flatten().filter_map(|r| r["row"][0].as_str()).collect();
    let mut wanted = NAMES.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(found, wanted, "{name}");
    let files = docker::docker_ok(&["exec", &portal.container(name), "ls", "-A", "/tmp", "/"]);
    assert!(!files.contains("climbed"), "{files}");
}

/// Creates `lab`, a Neo4j database.
pub async fn lab(portal: &TestPortal) -> Client {
    let ada = portal.user("ada").await;
    let more = fields(EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community");
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    ada
}

#[tokio::test(flavor = "multi_thread")]
async fn neo4j_owners_cannot_forge_responses_or_read_server_files() {
    let portal = TestPortal::with_store().await;
    let ada = lab(&portal).await;
    let token = portal.token(&ada).await;
    set(&portal).await;
    for statement in LOOK_OUT {
        let said = ask(&portal, "lab", "neo4j", "correct-horse", statement).await;
        assert!(said.is_err(), "{statement}: {said:?}");
    }
    let (failed, why) = survey_failures(&portal).await;
    assert_eq!(failed, 0, "{why}");
    let page = ada.get("/containers/lab/metrics").await.expect(200).text();
    assert!(page.contains("tick`tock") && page.contains("$(touch /tmp/climbed)"), "{page}");

    let id = back_up(&portal, &ada, "lab").await;
    well(&portal, "drill").await;
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let counted = portal.sql(&format!(
        "select count(*) filter (where c->>'kind' = 'label') || ' ' || count(*) filter (where c->>'name' = 'forged') || ' ' ||
                count(*) filter (where c->>'kind' = 'relationship' and (c->>'rows')::int = 1)
           from backup_log, jsonb_array_elements(manifest->'counts') c where id = '{id}'"
    ));
    assert_eq!(counted, format!("{} 0 {}", NAMES.len() + 1, NAMES.len()), "names are data and forge no counts");

    let defined = portal.sql(&format!(
        "select count(*) filter (where d->>'kind' = 'index') >= {} and count(*) filter (where d->>'kind' = 'constraint') = 1
            and count(*) filter (where d->>'name' = 'neo4j') = 1
           from backup_log, jsonb_array_elements(manifest->'definitions') d where id = '{id}'",
        NAMES.len() + 2
    ));
    assert_eq!(defined, "t", "the definitions are in the manifest");
    let path = format!("/api/v1/backups/{id}/restore");
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "lab-2")]).await.expect(303);
    well(&portal, "restore-copy").await;
    let secret = password(&ada, "lab-2").await;
    whole(&portal, "lab-2", &secret).await;
    token.json(Method::POST, &path, &json!({ "in_place": true, "confirm": "lab" })).await.expect(202);
    well(&portal, "restore-in-place").await;
    ada.wait_for("lab", "running").await;
    whole(&portal, "lab", "correct-horse").await;
    ada.post("/containers/lab/rotate-password", &[]).await.expect(303);
    well(&portal, "rotate-password").await;
    let secret = password(&ada, "lab").await;
    whole(&portal, "lab", &secret).await;
    // A final backup would be made like the one above.
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "on")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    // The database in the trash, the restored one, and the previous data of the restore in place.
    nothing_left(&portal, 3);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn neo4j_owners_never_gain_privileges_in_a_load_or_rebuild() {
    let (mut portal, key) = with_recovery_key().await;
    let ada = lab(&portal).await;
    set(&portal).await;
    let id = back_up(&portal, &ada, "lab").await;
    // The part with the graph is a dump of neo4j-admin with a second layer of compression.
    let file = object(&portal, &id, "neo4j.dump.zst");
    let fields = [("engine", "neo4j"), ("dbuserpass", "correct-horse")];
    let token = load::token(&ada).await;
    let (_, status, said) = load::send(&portal, &token, &load::named("loaded", &fields), &file, &[]);
    assert_eq!(status, "201", "{said}");
    whole(&portal, "loaded", "correct-horse").await;
    for statement in LOOK_OUT {
        let said = ask(&portal, "loaded", "neo4j", "correct-horse", statement).await;
        assert!(said.is_err(), "{statement}: {said:?}");
    }
    users(&portal, "loaded").await;

    lost_and_rebuilt(&mut portal, &key, "lab").await;
    portal.admin().await.wait_for("lab", "running").await;
    whole(&portal, "lab", "correct-horse").await;
    users(&portal, "lab").await;
}

/// Only the owner and the portal have accounts.
async fn users(portal: &TestPortal, name: &str) {
    let statement = "SHOW USERS YIELD user RETURN user ORDER BY user";
    let rows = ask(portal, name, "system", "correct-horse", statement).await.expect("an answer");
    let found: Vec<&str> = rows.as_array().into_iter().flatten().filter_map(|r| r["row"][0].as_str()).collect();
    assert_eq!(found, ["db4sci_admin", "neo4j"], "{name}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn the_portal_recovers_its_user_in_neo4j() {
    let portal = TestPortal::with_store().await;
    let ada = lab(&portal).await;
    run(&portal, "lab", "correct-horse", "CREATE (:Kept {key: 'kept'})").await;
    // Attempts with wrong passwords lock out neither the portal nor the owner.
    let place = place(&portal, EngineKind::Neo4j, "lab");
    let port = place.ports.iter().find(|(purpose, _)| purpose == "http").expect("a port").1;
    for _ in 0..10 {
        for user in ["db4sci_admin", "neo4j"] {
            let request = http()
                .danger_accept_invalid_certs(true)
                .build()
                .expect("a client")
                .post(format!("https://localhost:{port}/db/neo4j/tx/commit"));
            let said = request.basic_auth(user, Some("wrong")).body("{}").send().await.expect("an answer");
            assert_eq!(said.status(), 401);
        }
    }
    let (failed, why) = survey_failures(&portal).await;
    assert_eq!(failed, 0, "{why}");
    run(&portal, "lab", "correct-horse", "RETURN 1").await;

    for statement in [
        "DROP USER db4sci_admin",
        "ALTER USER db4sci_admin SET PASSWORD 'mine-mine' CHANGE NOT REQUIRED",
        "RENAME USER db4sci_admin TO other",
    ] {
        ask(&portal, "lab", "system", "correct-horse", statement)
            .await
            .expect("Community Edition allows it for every user");
        let (failed, why) = survey_failures(&portal).await;
        assert!(failed == 1 && why.contains("Restart the database"), "{statement}: {why}");
        if statement.starts_with("DROP") {
            // A backup is made from a copy, in which the portal's user is created again. Once, because it takes a minute.
            let id = back_up(&portal, &ada, "lab").await;
            well(&portal, "drill").await;
            assert_eq!(portal.sql(&format!("select status from backup_log where id = '{id}'")), "succeeded");
        }
        ada.post("/containers/lab/restart", &[]).await.expect(303);
        well(&portal, "restart").await;
        ada.wait_for("lab", "running").await;
        let (failed, why) = survey_failures(&portal).await;
        assert_eq!(failed, 0, "{statement}: {why}");
        let rows = run(&portal, "lab", "correct-horse", "MATCH (k:Kept) RETURN count(k)").await;
        assert_eq!(rows[0]["row"][0], 1, "the owner's password and data are unchanged");
    }
    nothing_left(&portal, 1);
}
