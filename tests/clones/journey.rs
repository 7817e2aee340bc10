//! What an owner does with snapshots and clones, for each engine.

use std::path::PathBuf;

use mydb::domain::engine::EngineKind;
use mydb::storage::DataDir;
use reqwest::Method;
use serde_json::json;

use super::{call, others, sign};
use crate::backups::dump::frozen_copy::place;
use crate::backups::nothing_left;
use crate::engines::{fields, sign_in};
use crate::support::{Client, TestPortal};

/// The data directory of a database.
fn data(portal: &TestPortal, name: &str) -> PathBuf {
    let row = portal.sql(&format!("select storage, id from container where name = '{name}' and purged_at is null"));
    let (storage, id) = row.split_once('|').expect("a tier and an id");
    let tier = portal.config.storage.iter().find(|tier| tier.name == storage).expect("the tier");
    DataDir::new(tier, &portal.config.instance, id.parse().expect("an id")).data()
}

/// Deletes a database permanently.
async fn remove(owner: &Client, name: &str) {
    owner.post(&format!("/containers/{name}/delete"), &[("confirm", name), ("no_backup", "true")]).await.expect(303);
    owner.wait_for(name, "in the trash").await;
    owner.post(&format!("/containers/{name}/purge"), &[("confirm", name)]).await.expect(303);
    owner.wait_until_gone(name).await;
}

/// While the source belongs to somebody else, its clone `copy` gets none of its data, not even through an administrator.
/// The same applies to a clone that failed before and is tried again.
async fn needs_the_same_owner(portal: &TestPortal, engine: EngineKind, (ada, api): (&Client, &Client)) {
    let odd = data(portal, "lab").join("lead out");
    std::os::unix::fs::symlink("/etc/passwd", &odd).expect("a link out of the directory");
    let made = api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy-3" })).await.expect(202);
    let third = made.json()["password"].as_str().expect("a password").to_owned();
    ada.wait_for("copy-3", "failed").await;
    std::fs::remove_file(&odd).expect("removed");
    portal.user("eve").await;
    let root = portal.token(&portal.admin().await).await;
    let give = async |to: &str| {
        root.json(Method::PATCH, "/api/v1/containers/lab", &json!({ "owner": to })).await.expect(200);
    };
    give("eve").await;
    for who in [api, &root] {
        for path in ["copy/refresh", "copy-3/start"] {
            let path = format!("/api/v1/containers/{path}");
            let refused = who.json(Method::POST, &path, &json!({})).await.expect(409).text();
            assert!(refused.contains("belongs to somebody else now"), "{path}: {refused}");
        }
    }
    let jobs = "select count(*) from job j join container c on c.id = j.container_id where c.name = 'copy-3'";
    assert_eq!(portal.sql(jobs), "1", "nothing was begun");
    let page = ada.get("/containers/copy/snapshots").await.expect(200).text();
    assert!(page.contains("another user’s database") && !page.contains("containers/lab"), "{page}");
    give("ada").await;
    call(api, "copy-3/start", &json!({}), 200).await;
    let word = sign(portal, engine, "copy-3", &third).await.get("word 3").await;
    assert_eq!(word, Ok(Some("in the source".to_owned())));
    remove(ada, "copy-3").await;
}

async fn journey(engine: EngineKind, image: &str, storage: &str) {
    journey_on(&TestPortal::start().await, engine, image, (storage, storage == "cow")).await;
}

/// The same on a given tier; `kept` says whether copies share blocks there, in which case a clone keeps its original data.
pub async fn journey_on(portal: &TestPortal, engine: EngineKind, image: &str, (storage, kept): (&str, bool)) {
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    let mut more = fields(engine, image);
    more.push(("storage", storage.to_owned()));
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    let mut lab = sign(portal, engine, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    others::add(portal, engine).await;

    // A clone of the running database, with its own password.
    let made = call(&api, "lab/clone", &json!({ "name": "copy" }), 201).await;
    let password = made["password"].as_str().expect("a password").to_owned();
    assert_eq!((&made["clone_of"], &made["state"]), (&json!("lab"), &json!("running")), "{made}");
    let at = place(portal, engine, "copy");
    assert!(sign_in(&at, "correct-horse").await.is_err(), "the password of the source opens the clone");
    others::are_locked_out(portal, engine, "copy").await;
    others::are_listed(engine, &ada.get("/containers/copy/snapshots").await.expect(200).text());
    let mut copy = sign(portal, engine, "copy", &password).await;
    assert_eq!(copy.get("word").await, Ok(Some("first".to_owned())));
    copy.put("word 2", "in the clone").await.expect("the owner writes in the clone");
    // The source was only paused: its session continues, and sees nothing of the clone.
    assert_eq!(lab.get("word 2").await, Ok(None));
    lab.put("word 3", "in the source").await.expect("the session continues");
    if kept {
        let ms: i64 = portal.sql("select frozen_ms from snapshot").parse().expect("the time it was paused");
        println!("{engine}: paused for {ms} ms");
    }

    // Back to the moment of the clone, with the same password. Where nothing is shared, only the clone has that data.
    if kept {
        call(&api, "copy/reset", &json!({}), 200).await;
        let mut copy = sign(portal, engine, "copy", &password).await;
        assert_eq!(copy.get("word").await, Ok(Some("first".to_owned())));
        assert_eq!(copy.get("word 2").await, Ok(None));
        assert_eq!(copy.get("word 3").await, Ok(None));
    } else {
        let refused = api.json(Method::POST, "/api/v1/containers/copy/reset", &json!({})).await.expect(409).text();
        assert!(refused.contains("no copy of its original data was kept"), "{refused}");
        let page = ada.get("/containers/copy/snapshots").await.expect(200).text();
        assert!(page.contains("no copy of its original data was kept"), "{page}");
    }

    // And forward to the current data of the source.
    call(&api, "copy/refresh", &json!({}), 200).await;
    let mut copy = sign(portal, engine, "copy", &password).await;
    assert_eq!(copy.get("word 3").await, Ok(Some("in the source".to_owned())));

    needs_the_same_owner(portal, engine, (&ada, &api)).await;

    // A snapshot of the source: restored in place, and cloned.
    call(&api, "lab/snapshots", &json!({ "note": "before the change", "days": 3 }), 200).await;
    lab.put("word 4", "after the snapshot").await.expect("writes");
    drop(lab);
    let list = api.get("/api/v1/containers/lab/snapshots").await.expect(200).json();
    let id = list["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(list["items"][0]["note"], "before the change", "{list}");
    let made = call(&api, "lab/clone", &json!({ "name": "copy-2", "snapshot": id }), 201).await;
    let mut second = sign(portal, engine, "copy-2", made["password"].as_str().expect("a password")).await;
    assert_eq!(second.get("word 3").await, Ok(Some("in the source".to_owned())));
    call(&api, &format!("lab/snapshots/{id}/restore"), &json!({}), 200).await;
    let mut lab = sign(portal, engine, "lab", "correct-horse").await;
    assert_eq!(lab.get("word 3").await, Ok(Some("in the source".to_owned())));
    assert_eq!(lab.get("word 4").await, Ok(None));

    // The source can be deleted; its clones stay.
    drop((lab, second));
    remove(&ada, "lab").await;
    portal.sql("update schedule set next_run = now() where name = 'snapshots'");
    portal.until("select next_run > now() from schedule where name = 'snapshots'", |said| said == "t").await;
    if kept {
        call(&api, "copy/reset", &json!({}), 200).await;
    }
    let refused = api.json(Method::POST, "/api/v1/containers/copy/refresh", &json!({})).await.expect(409).text();
    assert!(refused.contains("The source of this clone no longer exists."), "{refused}");

    // After the promotion, the clone can no longer be reset, and its origin is removed.
    call(&api, "copy/promote", &json!({}), 200).await;
    let refused = api.json(Method::POST, "/api/v1/containers/copy/reset", &json!({})).await.expect(409).text();
    assert!(refused.contains("This database is not a clone."), "{refused}");
    let mut copy = sign(portal, engine, "copy", &password).await;
    assert_eq!(copy.get("word 3").await, Ok(Some("in the source".to_owned())));
    remove(&ada, "copy-2").await;
    portal.sql("update schedule set next_run = now() where name = 'snapshots'");
    let left = "select count(*) from snapshot where removed_at is null and reason in ('user', 'clone')";
    portal.until(left, |said| said == "0").await;
    // Besides its own data, the data before two resets and a refresh.
    nothing_left(portal, if kept { 4 } else { 2 });
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_postgres() {
    journey(EngineKind::Postgres, "docker.io/library/postgres:17", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_mariadb() {
    journey(EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn of_a_mongodb() {
    journey(EngineKind::Mongodb, "docker.io/library/mongo:6.0", "standard").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn of_a_neo4j() {
    journey(EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community", "cow").await;
}
