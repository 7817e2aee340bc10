//! Clones of a database that is being written to: each contains exactly what was committed before one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mydb::domain::engine::EngineKind;
use serde_json::json;

use super::{call, sign};
use crate::engines::fields;
use crate::support::TestPortal;

/// Number of writers.
const WRITERS: usize = 8;

/// The numbers that each writer has committed.
type Committed = Arc<[AtomicUsize; WRITERS]>;

fn now(committed: &Committed) -> Vec<usize> {
    committed.iter().map(|n| n.load(Ordering::SeqCst)).collect()
}

async fn a_prefix(engine: EngineKind, image: &str, storage: &str) {
    a_prefix_on(&TestPortal::start().await, engine, image, (storage, storage == "cow")).await;
}

/// The same on a given tier; `shared` says whether copies share blocks there.
pub async fn a_prefix_on(portal: &TestPortal, engine: EngineKind, image: &str, (storage, shared): (&str, bool)) {
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    let mut more = fields(engine, image);
    more.push(("storage", storage.to_owned()));
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    sign(portal, engine, "lab", "correct-horse").await.prepare().await.expect("the objects are created");

    let (committed, stop) = (Committed::default(), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for w in 0..WRITERS {
        let mut session = sign(portal, engine, "lab", "correct-horse").await;
        let (committed, stop) = (committed.clone(), stop.clone());
        writers.push(tokio::spawn(async move {
            for n in 0.. {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                session.put(&format!("{w}-{n}"), "x").await.expect("the writer is not disturbed");
                committed[w].store(n + 1, Ordering::SeqCst);
            }
        }));
    }
    while now(&committed).iter().any(|n| *n < 20) {
        assert!(writers.iter().all(|w| !w.is_finished()), "a writer has ended");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let before = now(&committed);
    let (made, after) = if shared {
        let taken = call(&api, "lab/snapshots", &json!({}), 200).await;
        let after = now(&committed);
        stop.store(true, Ordering::SeqCst);
        drop(taken);
        let id = portal.sql("select id from snapshot");
        (call(&api, "lab/clone", &json!({ "name": "copy", "snapshot": id }), 201).await, after)
    } else {
        let made = call(&api, "lab/clone", &json!({ "name": "copy" }), 201).await;
        let after = now(&committed);
        stop.store(true, Ordering::SeqCst);
        // The server kept working, and the only copy of its data is that of the clone.
        let facts = "select frozen_ms, moved_to = (select id from container where name = 'copy') from snapshot";
        assert_eq!(portal.sql(facts), "0|t");
        (made, after)
    };
    for writer in writers {
        writer.await.expect("the writer ends");
    }
    let ms = portal.sql("select frozen_ms from snapshot");
    println!("{engine}: paused for {ms} ms; {before:?} to {after:?} commits");
    let mut copy = sign(portal, engine, "copy", made["password"].as_str().expect("a password")).await;
    for w in 0..WRITERS {
        let mut has = 0;
        while copy.get(&format!("{w}-{has}")).await.expect("reads").is_some() {
            has += 1;
        }
        // It may also contain a write that the server had not confirmed yet.
        assert!(before[w] <= has && has <= after[w] + 1, "{w}: {} ≤ {has} ≤ {} + 1", before[w], after[w]);
        for n in has..after[w] + 2 {
            assert_eq!(copy.get(&format!("{w}-{n}")).await, Ok(None), "writer {w}: {n} is there, but {has} is not");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_a_busy_postgres_is_a_prefix_of_its_commits() {
    a_prefix(EngineKind::Postgres, "docker.io/library/postgres:17", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_clone_of_a_busy_mariadb_is_a_prefix_of_its_commits() {
    a_prefix(EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_clone_of_a_busy_mongodb_is_a_prefix_of_its_commits() {
    a_prefix(EngineKind::Mongodb, "docker.io/library/mongo:6.0", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_clone_of_a_busy_neo4j_is_a_prefix_of_its_commits() {
    a_prefix(EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community", "cow").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_shared_blocks_a_busy_postgres_keeps_working_and_is_copied_once() {
    a_prefix(EngineKind::Postgres, "docker.io/library/postgres:17", "standard").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn without_shared_blocks_a_busy_mariadb_keeps_working_and_is_copied_once() {
    a_prefix(EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "standard").await;
}
