//! Backups from a frozen copy of the data: for engines that cannot be dumped while running, and for stopped databases.

use mydb::domain::engine::EngineKind;

use crate::backups::import::archives;
use crate::backups::restore::restore_script;
use crate::backups::{back_up, nothing_left, objects};
use crate::engines::{Place, fields, sign_in};
use crate::support::{Client, TestPortal, docker};

/// The ports, database and user for connecting to a database.
pub fn place(portal: &TestPortal, engine: EngineKind, name: &str) -> Place {
    let ports = portal.sql(&format!(
        "select string_agg(purpose || ' ' || port, ',' order by purpose) from port
           join container on container.id = container_id where name = '{name}'"
    ));
    let fixed = engine.engine().fixed_names();
    Place {
        engine,
        ports: ports
            .split(',')
            .filter_map(|p| p.split_once(' '))
            .map(|(purpose, port)| (purpose.to_owned(), port.parse().expect("a port")))
            .collect(),
        dbname: fixed.map_or("trial", |f| f.dbname).to_owned(),
        dbuser: fixed.map_or("ada", |f| f.dbuser).to_owned(),
    }
}

/// Restores a backup into a new database and returns its password.
async fn restore(portal: &TestPortal, ada: &Client, of: &str, id: &str, name: &str) -> String {
    ada.post(&format!("/containers/{of}/backups/{id}/restore"), &[("name", name)]).await.expect(303);
    let kind = portal.sql("select kind from job where kind like 'restore%' order by created_at desc limit 1");
    let (status, error) = portal.ended(&kind).await;
    assert_eq!(status, "succeeded", "{error}");
    let shown = ada.post(&format!("/containers/{name}/password"), &[]).await.expect(200);
    shown.all("#password").first().map(|t| t.trim().to_owned()).expect("the password is shown")
}

async fn there_and_back(engine: EngineKind, image: &str, storage: &str) {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let mut more = fields(engine, image);
    more.push(("storage", storage.to_owned()));
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    let mut session = sign_in(&place(&portal, engine, "lab"), "correct-horse").await.expect("signs in");
    session.prepare().await.expect("the objects are created");
    session.put("kept", "value 🐘 'with' \"quotes\"").await.expect("writes");
    for n in 0..200 {
        session.put(&format!("key {n}"), &"x".repeat(n)).await.expect("writes");
    }

    let id = back_up(&portal, &ada, "lab").await;
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5");
    let note = portal.sql(&format!("select manifest->'notes'->>0 from backup_log where id = '{id}'"));
    assert!(note.contains("was paused for"), "{note}");
    let counted = portal.sql(&format!(
        "select count(*) from backup_log, jsonb_array_elements(manifest->'counts') c
          where id = '{id}' and c ? 'fingerprint' and (c->>'rows')::int >= 201"
    ));
    assert_ne!(counted, "0", "no table has a row count and a fingerprint");
    nothing_left(&portal, 1);

    // The server was only frozen: the existing session continues.
    session.put("after", "not in it").await.expect("the session continues");
    let password = restore(&portal, &ada, "lab", &id, "lab-2").await;
    let at = place(&portal, engine, "lab-2");
    let mut again = sign_in(&at, &password).await.expect("the new password opens the new database");
    assert_eq!(again.get("kept").await, Ok(Some("value 🐘 'with' \"quotes\"".to_owned())));
    assert_eq!(again.get("key 150").await.map(|v| v.map_or(0, |v| v.len())), Ok(150));
    assert_eq!(again.get("after").await, Ok(None));
    again.put("mine", "too").await.expect("the user owns the copy");
    assert!(sign_in(&at, "correct-horse").await.is_err(), "the old password does not open the copy");
    assert_eq!(session.get("after").await, Ok(Some("not in it".to_owned())));
    nothing_left(&portal, 2);

    by_hand(&portal, engine, &id, image);

    // The copy is a database like any other: it starts again.
    ada.post("/containers/lab-2/restart", &[]).await.expect(303);
    ada.wait_for("lab-2", "running").await;
    let mut again = sign_in(&at, &password).await.expect("it opens after a restart");
    assert_eq!(again.get("mine").await, Ok(Some("too".to_owned())));

    match engine {
        EngineKind::Mongodb => archives::mongodb(&portal, &ada).await,
        _ => archives::neo4j(&portal, &ada, &id).await,
    }
}

/// Restores the backup without the portal, following its RESTORE.txt.
fn by_hand(portal: &TestPortal, engine: EngineKind, id: &str, image: &str) {
    let (reference, password) = (portal.config.image_reference(image), restore_script::named_password(portal, id));
    match engine {
        EngineKind::Mongodb => {
            let plain = restore_script::restored_stopped(portal, id, &reference, "/data/db", &["mongod", "--auth"]);
            let url = format!("mongodb://db4sci_admin:{password}@127.0.0.1/?authSource=admin&directConnection=true");
            let count = "print(db.getSiblingDB('trial').kept.countDocuments({}))";
            assert_eq!(restore_script::asked(&plain, &["mongosh", "--quiet", &url, "--eval", count]), "201");
        }
        _ => {
            let plain = restore_script::restored_stopped(portal, id, &reference, "/data", &[]);
            let count = "MATCH (n:Kept) RETURN count(n)";
            let ask = ["cypher-shell", "--format", "plain", "-u", "db4sci_admin", "-p", &password, count];
            assert_eq!(restore_script::asked(&plain, &ask), "count(n)\n201");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_mongodb_is_restored_unchanged_and_verified() {
    there_and_back(EngineKind::Mongodb, "docker.io/library/mongo:6.0", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_neo4j_is_restored_unchanged_and_verified() {
    there_and_back(EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community", "standard").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_database_is_backed_up_from_a_copy() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select i, i::text as word from generate_series(1, 1000) i")
        .await
        .expect("writes");
    drop(db);
    ada.post("/containers/lab/stop", &[]).await.expect(303);
    ada.wait_for("lab", "stopped").await;
    let id = back_up(&portal, &ada, "lab").await;
    assert_eq!(ada.state("lab").await, "stopped", "the database stays stopped");
    assert_eq!(portal.sql(&format!("select manifest->>'source' from backup_log where id = '{id}'")), "frozen copy");
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    nothing_left(&portal, 1);
    let password = restore(&portal, &ada, "lab", &id, "lab-2").await;
    let again = portal.connect("lab-2", &password).await.expect("the copy opens");
    let row = again.query_one("select count(*), max(word) from t", &[]).await.expect("the copy is complete");
    assert_eq!((row.get::<_, i64>(0), row.get::<_, &str>(1)), (1000, "999"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_never_left_frozen() {
    use mydb::runtime::fault::{Fault, FaultTiming};
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let more = fields(EngineKind::Mongodb, "docker.io/library/mongo:6.0");
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    let container = portal.container("lab");
    let status = || docker::docker(&["inspect", "-f", "{{.State.Status}}", &container]);

    // The container engine fails when the server is to be unpaused; later it refuses to create the sealed server.
    portal.faults.inject(Fault { operation: "unpause", strike: FaultTiming::Before, times: 2, transient: true });
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (ended_as, error) = portal.ended("backup").await;
    assert_eq!((ended_as.as_str(), portal.faults.left()), ("succeeded", 0), "{error}");
    assert_eq!(status(), "running");
    let (status_of_drill, error) = portal.ended("drill").await;
    assert_eq!(status_of_drill, "succeeded", "{error}");
    portal.faults.inject(Fault { operation: "create", strike: FaultTiming::Before, times: 1, transient: false });
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (ended_as, error) = portal.ended("backup").await;
    assert_eq!(ended_as, "failed", "{error}");
    assert_eq!(status(), "running");
    portal.faults.heal();
    let stored = objects(&portal).iter().filter(|p| p.ends_with("manifest.json")).count();
    assert_eq!(stored, 1, "only the successful backup has a manifest");
    nothing_left(&portal, 1);
}
