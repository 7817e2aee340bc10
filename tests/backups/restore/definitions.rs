//! Definitions are backed up and restored: one object of every kind, each also altered to check that the change is
//! detected.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use mydb::backup::definitions::{Closeness, differences};
use mydb::backup::pipeline::transfer;
use mydb::engine::definition::Definition;
use mydb::engine::{ExecSpec, Stdin};
use mydb::manifest::Manifest;
use sha2::{Digest, Sha256};

use crate::backups::{back_up, object};
use crate::support::{Client, PATIENCE, POSTGRES_17, TestPortal, docker};

const RICH: &str = include_str!("definitions/rich.sql");
/// Statements that each alter one object, and the difference reported for it.
const ALTERED: &str = include_str!("definitions/altered.txt");

const POSTGRES_15: &str = "docker.io/library/postgres:15";

async fn proven(portal: &TestPortal, client: &Client, name: &str) -> String {
    let id = back_up(portal, client, name).await;
    assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()), "{name}");
    assert_eq!(portal.sql(&format!("select level from backup_log where id = '{id}'")), "5", "{name}");
    id
}

pub fn definitions(portal: &TestPortal, id: &str) -> Vec<Definition> {
    let text = std::fs::read(object(portal, id, "manifest.json")).expect("read");
    Manifest::read(&text, id.parse().expect("an id")).expect("a manifest").definitions
}

/// Backs up an altered database and expects exactly these differences from the backup `id`.
pub async fn names_what_is_altered(portal: &TestPortal, client: &Client, name: &str, id: &str, expected: &[&str]) {
    let second = back_up(portal, client, name).await;
    let mut found = differences(&definitions(portal, id), &definitions(portal, &second), Closeness::Text);
    found.sort();
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_definitions_are_restored_and_differences_named() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    for (name, image) in [("late", POSTGRES_17), ("early", POSTGRES_15)] {
        ada.create(name, &[("image", image), ("backup_freq", "Never")]).await;
        let db = portal.connect(name, "correct-horse").await.expect("signs in");
        db.batch_execute(RICH).await.expect("one object of each kind is created");
        let id = proven(&portal, &ada, name).await;
        let before = definitions(&portal, &id);
        assert!(before.len() > 120, "{name}: {}", before.len());
        let kinds: BTreeSet<_> = before.iter().map(|d| d.kind.as_str()).collect();
        for kind in ["role", "database", "setting", "comment", "table", "policy", "publication", "owner of extension"] {
            assert!(kinds.contains(kind), "{name}: {kind} of {kinds:?}");
        }

        // A second backup differs in every alteration and in nothing else.
        let mut expected = Vec::new();
        for line in ALTERED.lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
            let (sentence, statement) = line.split_once(" | ").expect("a sentence and a statement");
            db.batch_execute(statement).await.unwrap_or_else(|e| panic!("{name}: {statement}: {e:?}"));
            expected.push(sentence);
        }
        let second = back_up(&portal, &ada, name).await;
        let found = differences(&before, &definitions(&portal, &second), Closeness::Text);
        for sentence in &expected {
            assert!(found.iter().any(|f| f == sentence), "{name}: {sentence} is not in {found:#?}");
        }
        assert_eq!(found.len(), expected.len(), "{name}: {found:#?}");
        let by_name = differences(&before, &definitions(&portal, &second), Closeness::Name);
        assert!(by_name.iter().all(|f| !f.contains("differs")), "{by_name:#?}");
        docker::docker(&["stop", &portal.container(name)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_difference_is_shown_on_the_page_and_in_the_api() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(
        "create table t (a int check (a > 0)); create view v as select 1 as one; create view w as select 2",
    )
    .await
    .expect("makes");
    // A tablespace lies outside the data directory: the backup notes it, and a restore does not need it.
    let inside = portal.container("lab");
    let script = "mkdir -p /tmp/far && chown postgres /tmp/far && psql -X -q -U db4sci_admin -d trial -c \"create tablespace far location '/tmp/far'\" -c 'create table public.away (i int) tablespace far' -c 'alter table public.away owner to ada' -c 'insert into public.away values (1)'";
    docker::docker(&["exec", &inside, "sh", "-c", script]);
    let id = proven(&portal, &ada, "lab").await;
    let notes = portal.sql(&format!("select manifest->>'notes' from backup_log where id = '{id}'"));
    assert!(notes.contains("outside the data directory") && notes.contains("public.away (far)"), "{notes}");

    // Changes the manifest as if one object had differed, one had not existed, and one had been lost.
    let file = object(&portal, &id, "manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
    let all = manifest["definitions"].as_array_mut().expect("definitions");
    let at = |all: &[serde_json::Value], name: &str| all.iter().position(|d| d["name"] == name).expect("is there");
    let t = at(all, "public.t");
    all[t]["sha256"] = "0".repeat(32).into();
    all[t]["loose"] = serde_json::Value::Null;
    let w = at(all, "public.w");
    all.remove(w);
    let v = at(all, "public.v");
    all[v]["name"] = "public.lost".into();
    let text = serde_json::to_vec_pretty(&manifest).expect("JSON");
    std::fs::write(&file, &text).expect("written");
    // The portal compares the manifest with the checksum of what it wrote.
    let sum = hex::encode(Sha256::digest(&text));
    portal.sql(&format!("update backup_log set sha256 = '\\x{sum}', level = 2 where id = '{id}'"));
    ada.post(&format!("/containers/lab/backups/{id}/drill"), &[]).await.expect(303);
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "failed", "{error}");
    let told = [
        "Table public.t in trial differs.",
        "View public.lost in trial is missing.",
        "View public.v in trial exists but was not in the backup.",
        "View public.w in trial exists but was not in the backup.",
    ];
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    let api = portal.token(&ada).await;
    let listed = api.get("/api/v1/backups?container=lab").await.expect(200).json();
    let item = &listed["items"][0];
    assert_eq!((item["status"].as_str(), item["drill_status"].as_str()), (Some("succeeded"), Some("failed")));
    assert!(item["definitions"].as_i64().is_some_and(|n| n > 5), "{item}");
    let listed: Vec<_> = item["differences"].as_array().expect("a list").iter().filter_map(|d| d.as_str()).collect();
    assert_eq!(listed, told);
    for sentence in told {
        assert!(error.contains(sentence) && page.contains(sentence), "{sentence}: {error} {page}");
    }
    // Every error line names the first difference.
    let why = format!("The restored data does not match the backup: {}", told[1]);
    let first = error.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("The restored data does not match the backup: ") && first.len() < why.len() + 20,
        "{error}"
    );
    assert!(ada.get("/").await.expect(200).text().contains(first), "at home");
    assert!(item["drill_error"].as_str().is_some_and(|e| e.starts_with(first)), "{item}");

    // A restore into a new database succeeds regardless: all data is there.
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("name", "copy")]).await.expect(303);
    assert_eq!(portal.ended("restore").await.0, "succeeded");
    let job = portal.sql("select id from job where kind = 'restore'");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains(told[1]), "{page}");
    // Its owner and the administrators see a notice about the differences until they dismiss it.
    let title = "copy differs from its backup";
    let admin = portal.admin().await;
    for (who, path) in [(&ada, "/"), (&ada, "/containers/copy"), (&ada, "/containers/copy/backups"), (&admin, "/admin")]
    {
        let page = who.get(path).await.expect(200).text();
        assert!(page.contains(title) && page.contains(told[1]), "{path}: {page}");
    }
    let notices = "/api/v1/containers/copy/notices";
    let listed = api.get(notices).await.expect(200).json();
    let notice = &listed["items"][0];
    assert_eq!((notice["kind"].as_str(), notice["seen"].as_bool()), (Some("restore_differs"), Some(false)), "{listed}");
    for sentence in told {
        assert!(notice["text"].as_str().is_some_and(|text| text.contains(sentence)), "{sentence}: {listed}");
    }
    let seen = format!("{notices}/{}/seen", notice["id"].as_str().expect("an id"));
    let left = api.send(reqwest::Method::POST, &seen, |r| r).await.expect(200).json();
    assert_eq!(left["items"][0]["seen"], true, "{left}");
    assert!(!ada.get("/").await.expect(200).text().contains(title), "she has seen it");
    assert!(admin.get("/admin").await.expect(200).text().contains(title), "no administrator has seen it yet");
    // A restore in place would replace good data with it and is refused.
    ada.post(&format!("/containers/lab/backups/{id}/restore"), &[("in_place", "true"), ("confirm", "lab")])
        .await
        .expect(303);
    let (status, error) = portal.ended("restore-in-place").await;
    assert!(status == "failed" && error.contains(told[1]), "{status} {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_waits_for_a_locked_table_up_to_the_limit_and_names_the_holder() {
    let configure = |config: &mut mydb::config::Config| {
        crate::support::store(config);
        config.backups.lock_wait = Duration::from_secs(3);
    };
    let options = crate::support::Options { configure: Box::new(configure), ..crate::support::Options::default() };
    let portal = TestPortal::with(options).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table busy (id int primary key); set application_name = 'night shift'")
        .await
        .expect("makes");
    db.batch_execute("begin; lock table busy in access exclusive mode").await.expect("locks");
    let begin = Instant::now();
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert_eq!(status, "failed");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    let first = error.lines().next().unwrap_or_default();
    for word in ["busy", "ada", "night shift", "since 20", "idle in transaction", "lock table busy", "3 s"] {
        assert!(first.contains(word), "{word}: {error}");
    }
    let page = ada.get("/containers/lab/backups").await.expect(200).text();
    assert!(page.contains("night shift"), "{page}");

    // The same if the session only reads, but blocks another session that would lock everybody out.
    db.batch_execute("rollback; begin; select from busy").await.expect("reads");
    let other = portal.connect("lab", "correct-horse").await.expect("signs in");
    let waiting = tokio::spawn(async move { other.batch_execute("alter table busy add column late int").await });
    let queued = "select count(*) from pg_locks where not granted";
    while db.query_one(queued, &[]).await.map_or(0, |row| row.get::<_, i64>(0)) == 0 {
        assert!(begin.elapsed() < PATIENCE, "nobody waits");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert_eq!(status, "failed");
    for word in ["ada is waiting to lock the table public.busy", "night shift", "idle in transaction", "3 s"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    db.batch_execute("rollback").await.expect("lets go");
    waiting.await.expect("the other session ends").expect("changes the table");
    db.batch_execute("begin; lock table busy in access exclusive mode").await.expect("locks");

    // While the backup waits for the lock, any other operation on the database cancels it and runs.
    ada.post("/containers/lab/backup", &[]).await.expect(303);
    let waits = "select count(*) from pg_locks where not granted";
    while db.query_one(waits, &[]).await.map_or(0, |row| row.get::<_, i64>(0)) == 0 {
        assert!(begin.elapsed() < PATIENCE, "pg_dump did not wait for the lock in time");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(!page.contains("Another operation on this database is running"), "{page}");
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    let (status, error) = portal.ended("backup").await;
    assert_eq!((status.as_str(), error.as_str()), ("cancelled", "Cancelled by ada."));
    assert_eq!(portal.ended("restart").await, ("succeeded".to_owned(), String::new()));
    ada.wait_for("lab", "running").await;
    back_up(&portal, &ada, "lab").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_with_endless_output_is_aborted() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("backup_freq", "Never")]).await;
    let inside = portal.container("lab");
    let command = |script: &str| ExecSpec {
        argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: Vec::new(),
        stdin: Stdin::Closed,
        user: None,
    };
    let runtime = portal.app().app.runtime.clone();
    let before = crate::backups::dump::unusual::peak();
    let limit = Duration::from_secs(120);
    for (script, said) in [
        ("yes no reason at all >&2", "prints too much"),
        ("tr '\\0' x </dev/zero >&2", "prints too much"),
        ("printf 'db4sci: {\"note\":\"' >&2; tr '\\0' x </dev/zero >&2", "prints too much"),
        ("printf 'db4sci: {\"note\":\"'; tr '\\0' x </dev/zero", "longer than 1 MiB"),
        ("yes 'db4sci: {\"count\":{\"kind\":\"table\",\"name\":\"t\",\"rows\":1}}'", "more than 200000 counts"),
    ] {
        let (command, passed) = (command(script), AtomicU64::new(0));
        let run = transfer::run(runtime.as_ref(), &inside, &command, None, &passed);
        let ended = tokio::time::timeout(limit, run).await.unwrap_or_else(|_| panic!("{script}: it was not given up"));
        let error = ended.expect_err(script).to_string();
        assert!(error.contains(said), "{script}: {error}");
    }
    let endless = command("yes");
    let ended = tokio::time::timeout(limit, runtime.exec(&inside, &endless)).await.expect("it is given up");
    let error = ended.expect_err("endless").to_string();
    assert!(error.contains("prints too much"), "{error}");
    let more = crate::backups::dump::unusual::peak() - before;
    assert!(more < 150, "{more} MiB more");
    // The first output is kept, however much follows.
    let script = "echo FATAL: this is why >&2; seq 100000 >&2; exit 1";
    let (command, passed) = (command(script), AtomicU64::new(0));
    let run = transfer::run(runtime.as_ref(), &inside, &command, None, &passed);
    let ended = tokio::time::timeout(limit, run).await.expect("it ends");
    let error = ended.expect_err("fails").to_string();
    assert!(error.contains("this is why") && error.contains("100000") && error.len() < 20_000, "{error}");
}
