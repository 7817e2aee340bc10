//! Input that one engine accepts and another rejects; broken images and data directories.

use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;

use super::fields;
use crate::support::{Client, Options, PATIENCE, TestPortal, docker::docker, http};

const MARIADB: &str = "docker.io/library/mariadb:11.8";
const MONGODB: &str = "docker.io/library/mongo:6.0";
const NEO4J: &str = "docker.io/library/neo4j:5.26-community";

/// Submits the form with this field changed; returns the error of the field, or nothing if the value was accepted.
async fn fault(client: &Client, engine: EngineKind, image: &str, field: &'static str, value: &str) -> String {
    let mut form = fields(engine, image);
    form.retain(|(name, _)| *name != field);
    form.push((field, value.to_owned()));
    // This memory is above every limit, so that nothing is ever created.
    form.retain(|(name, _)| *name != "memory" || field == "memory");
    if field != "memory" {
        form.push(("memory", "900g".to_owned()));
    }
    let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let page = client.submit_create("lab", &form).await.expect(422);
    let beside = page.all(&format!("#{field}-error")).concat().trim().to_owned();
    // The request to type the password again is not an error of the password.
    let beside = if beside.contains("Enter the password again") { String::new() } else { beside };
    // The error of a field that this engine's form does not have is shown above the form.
    if beside.is_empty() { page.all("#errors .body > p").concat().trim().to_owned() } else { beside }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_rejected_by_the_rules_of_their_engine() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let (pg, maria, mongo) = (EngineKind::Postgres, EngineKind::Mariadb, EngineKind::Mongodb);
    let images = |e: EngineKind| match e {
        EngineKind::Postgres => "docker.io/library/postgres:17",
        EngineKind::Mariadb => MARIADB,
        EngineKind::Mongodb => MONGODB,
        EngineKind::Neo4j => NEO4J,
    };
    let (long64, long65, wide) = ("a".repeat(64), "a".repeat(65), "ä".repeat(32));
    for (engine, field, value, taken) in [
        (maria, "dbname", "mysql", false),
        (maria, "dbname", "information_schema", false),
        (maria, "dbname", "sys", false),
        (pg, "dbname", "mysql", true),
        (maria, "dbuser", "root", false),
        (maria, "dbuser", "mysql", false),
        (maria, "dbname", "postgres", true),
        (pg, "dbname", "postgres", false),
        (mongo, "dbname", "admin", false),
        (mongo, "dbname", "local", false),
        (mongo, "dbname", "config", false),
        (maria, "dbname", "admin", true),
        // A dot and a dollar sign have a meaning in MongoDB, and MariaDB folds case, so these are refused.
        (mongo, "dbname", "a.b", false),
        (mongo, "dbname", "a$b", false),
        (mongo, "dbuser", "$where", false),
        (maria, "dbname", "Trial", false),
        // Bytes, not characters.
        (pg, "dbname", long64.as_str(), false),
        (mongo, "dbname", long64.as_str(), false),
        (maria, "dbname", long64.as_str(), true),
        (maria, "dbname", long65.as_str(), false),
        (maria, "dbname", wide.as_str(), false),
        (EngineKind::Neo4j, "dbname", "trial", false),
        (EngineKind::Neo4j, "dbname", "neo4j", true),
        (EngineKind::Neo4j, "dbuser", "ada", false),
    ] {
        let said = fault(&ada, engine, images(engine), field, value).await;
        assert_eq!(said.is_empty(), taken, "{engine} {field} {value}: {said}");
    }
    // Passwords.
    for (engine, value, taken) in [
        (mongo, "emoji 💧 inside", false),
        (maria, "emoji 💧 inside", true),
        (EngineKind::Neo4j, "emoji 💧 inside", true),
        (EngineKind::Neo4j, "with/slash/in", true),
        (EngineKind::Neo4j, "7 chars", false),
        (mongo, "@:/%?#[] ok", true),
    ] {
        let said = fault(&ada, engine, images(engine), "dbuserpass", value).await;
        assert_eq!(said.is_empty(), taken, "{engine} {value}: {said}");
        assert!(!said.contains(value));
    }
    // Memory.
    let said = fault(&ada, EngineKind::Neo4j, NEO4J, "memory", "512m").await;
    assert!(said.contains("at least 1 GiB"), "{said}");
    let said = fault(&ada, mongo, MONGODB, "memory", "256m").await;
    assert!(said.contains("at least 384 MiB"), "{said}");
    assert!(fault(&ada, pg, images(pg), "extensions", "postgis").await.contains("is not available for"));
    assert_eq!(portal.sql("select count(*) from container"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_the_tools_is_named_and_leaves_nothing() {
    let tag = format!("{}-no-tools", crate::support::portal::prefix());
    let recipe = "FROM db4sci-dev/base:trixie\nRUN printf '#!/bin/sh\\nexec sleep 600\\n' > /usr/local/bin/mariadbd && chmod 755 /usr/local/bin/mariadbd\n";
    let folder = std::env::temp_dir().join(&tag);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("Dockerfile"), recipe).expect("a recipe");
    docker(&["build", "--force-rm", "-t", &tag, &folder.display().to_string()]);
    let image = tag.clone();
    let configure = move |c: &mut mydb::config::Config| {
        c.images.replace.insert(MARIADB.to_owned(), image);
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let ada = portal.user("ada").await;
    ada.submit_create("lab", &[("engine", "mariadb"), ("image", MARIADB)]).await.expect(303);
    ada.wait_for("lab", "failed").await;
    let page = ada.get("/containers/lab").await.text();
    assert!(page.contains("lacks mariadb, which the portal needs"), "{page}");
    assert!(portal.containers().is_empty(), "no container is left: {:?}", portal.containers());
    drop(portal);
    docker(&["image", "rm", &tag]);
    let _ = std::fs::remove_dir_all(&folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_another_version_is_refused_before_the_server_touches_it() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    for (name, engine, image) in [("maria", EngineKind::Mariadb, MARIADB), ("mongo", EngineKind::Mongodb, MONGODB)] {
        let mut form = fields(engine, image);
        form.push(("memory", "384m".to_owned()));
        let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ada.create(name, &form).await;
        ada.post(&format!("/containers/{name}/stop"), &[]).await.expect(303);
        ada.wait_for(name, "stopped").await;
        let id = portal.sql(&format!("select id from container where name = '{name}'"));
        let root = portal.config.storage[0].path.join(&portal.instance).join(id);
        // MariaDB records its version in the directory; for MongoDB, only the portal's note next to it does.
        let (file, text) = match engine {
            EngineKind::Mariadb => (root.join("data/mariadb_upgrade_info"), "10.5.29-MariaDB"),
            _ => (root.join("made-by"), "MongoDB 5.0\n"),
        };
        assert!(file.is_file(), "{} is there", file.display());
        std::fs::write(&file, text).expect("another version");
        ada.post(&format!("/containers/{name}/start"), &[]).await.expect(303);
        ada.wait_for(name, "failed").await;
        let page = ada.get(&format!("/containers/{name}")).await.text();
        assert!(page.contains("The data directory was written by") && page.contains("Nothing was changed"), "{page}");
        let running = docker(&["inspect", "-f", "{{.State.Running}}", &portal.container(name)]);
        assert_eq!(running, "false", "the server was not started");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_connection_does_not_break_a_new_neo4j() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let form = fields(EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community");
    let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.submit_create("lab", &form).await.expect(303);
    // Three wrong passwords in a row lock an account for five seconds, and a password that is not set yet is wrong.
    let sql = "select 'https://localhost:' || port from port where purpose = 'http' and container_id is not null";
    let client = http().danger_accept_invalid_certs(true).build().expect("a client");
    let (mut refused, begin) = (0, Instant::now());
    while refused < 4 {
        let state = ada.state("lab").await;
        if state == "running" {
            break;
        }
        assert!(state != "failed" && begin.elapsed() < PATIENCE, "{state}, {refused} refused");
        let url = format!("{}/db/neo4j/tx/commit", portal.sql(sql));
        let ask = client.post(url).timeout(Duration::from_secs(10)).body("{\"statements\":[]}");
        let ask = ask.basic_auth("neo4j", Some("correct-horse"));
        if ask.header("content-type", "application/json").send().await.is_ok_and(|a| a.status().as_u16() == 401) {
            refused += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refused >= 3, "there were attempts while the server ran without the password: {refused}");
    ada.wait_for("lab", "running").await;
}
