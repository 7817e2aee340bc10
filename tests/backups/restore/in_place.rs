//! Replacing data: restores in place, upgrades, the undo of both, and their failures.

use mydb::domain::engine::EngineKind;
use mydb::runtime::fault::{Fault, FaultTiming};
use mysql_async::prelude::Queryable;

use crate::backups::dump::frozen_copy::place;
use crate::backups::dump::mariadb::connect;
use crate::backups::{back_up, nothing_left};
use crate::engines::{fields, sign_in};
use crate::faults::{Place, held};
use crate::support::{Client, POSTGRES_15, TestPortal, docker};

/// The steps of a restore in place that restore next to the current data, and that start the server again.
const RESTORED: usize = 2;
const STARTED: usize = 5;

/// Presses the button that restores the previous data.
async fn go_back(portal: &TestPortal, ada: &Client) {
    let page = ada.get("/containers/lab/backups").await.expect(200);
    assert!(page.text().contains("Previous data (undo)"), "{}", page.text());
    let id = portal.sql("select id from snapshot where removed_at is null and made_at is not null");
    ada.get(&format!("/containers/lab/snapshots/{id}/restore")).await.expect(200);
    ada.post(&format!("/containers/lab/snapshots/{id}/restore"), &[]).await.expect(303);
    let (status, error) = portal.ended("go-back").await;
    assert_eq!(status, "succeeded", "{error}");
}

async fn words(portal: &TestPortal) -> String {
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let row = db.query_one("select string_agg(word, ' ' order by word) from t", &[]).await.expect("reads");
    row.get(0)
}

async fn say(portal: &TestPortal, word: &str) {
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(&format!("create table if not exists t (word text); insert into t values ('{word}')"))
        .await
        .expect("writes");
}

fn version(portal: &TestPortal) -> String {
    portal.sql("select split_part(server_version, '.', 1) from container where name = 'lab'")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_in_place_can_be_undone_and_is_safe() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    say(&portal, "before").await;
    let id = back_up(&portal, &ada, "lab").await;
    let (status, error) = portal.ended("drill").await;
    assert_eq!(status, "succeeded", "{error}");
    say(&portal, "later").await;
    let path = format!("/containers/lab/backups/{id}/restore");
    let ports = portal.sql("select string_agg(port::text, ',') from port where container_id is not null");

    // It needs the name as a confirmation.
    ada.get(&format!("/containers/lab/backups/{id}/in-place")).await.expect(200);
    let asked = ada.post(&path, &[("in_place", "true"), ("confirm", "lob")]).await.expect(422).text();
    assert!(asked.contains("Type the name exactly: lab"), "{asked}");

    // A failed restore leaves everything unchanged: first the sealed server fails, then the server itself does not
    // start again. The fault is injected just before the step that it is meant for.
    let place = Place::of(&portal);
    held::prepare(&place);
    for (operation, step) in [("copy_in", RESTORED), ("start", STARTED)] {
        held::hold(&place, "restore-in-place", "lab", step, "running");
        ada.post(&path, &[("in_place", "true"), ("confirm", "lab")]).await.expect(303);
        portal.until(held::WAITING, |said| said == "1").await;
        portal.faults.inject(Fault { operation, strike: FaultTiming::Before, times: 1, transient: false });
        held::release(&place);
        let (status, error) = portal.ended("restore-in-place").await;
        assert_eq!((status.as_str(), portal.faults.left()), ("failed", 0), "{operation}: {error}");
        assert!(error.contains("injected fault"), "{operation}: {error}");
        ada.wait_for("lab", "running").await;
        assert_eq!(words(&portal).await, "before later", "{operation}");
        nothing_left(&portal, 1);
    }

    // The notice about an earlier restore's differences stays open until a restore in place replaces the data.
    portal.sql(
        "insert into notice (id, container_id, kind, text, at, tell_after)
         select gen_random_uuid(), id, 'restore_differs', 'A view is missing.', now(), now() from container where name = 'lab'",
    );
    let told = || portal.sql("select count(*) from notice where kind = 'restore_differs' and ended_at is null");
    assert_eq!(told(), "1");
    ada.post(&path, &[("in_place", "true"), ("confirm", "lab")]).await.expect(303);
    let (status, error) = portal.ended("restore-in-place").await;
    assert_eq!(status, "succeeded", "{error}");
    ada.wait_for("lab", "running").await;
    assert_eq!(words(&portal).await, "before");
    assert_eq!(told(), "0");
    say(&portal, "after").await;
    assert_eq!(ports, portal.sql("select string_agg(port::text, ',') from port where container_id is not null"));

    go_back(&portal, &ada).await;
    ada.wait_for("lab", "running").await;
    assert_eq!(words(&portal).await, "before later");
    assert_eq!(told(), "1", "the notice is open again with the data it is about");
    // The undo can be undone.
    go_back(&portal, &ada).await;
    ada.wait_for("lab", "running").await;
    assert_eq!(words(&portal).await, "after before");

    // Previous data is removed when its retention ends.
    portal.sql("update snapshot set expires_at = now() - interval '1 day' where made_at is not null");
    portal.sql("update schedule set next_run = now() where name = 'set aside'");
    portal.until("select count(*) from snapshot where removed_at is not null", |said| said == "3").await;
    nothing_left(&portal, 1);
    assert_eq!(words(&portal).await, "after before");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_keeps_name_port_user_and_data_and_can_be_undone() {
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("image", POSTGRES_15), ("extensions", "pg_trgm")]).await;
    say(&portal, "fifteen").await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute(
        "create table big as select i, md5(i::text) as body, i / 7.0::float8 as f, now() as at from generate_series(1, 20000) i;
         create index on big using gin (body gin_trgm_ops); create sequence s; select nextval('s');",
    )
    .await
    .expect("writes");
    drop(db);
    let ports = || portal.sql("select string_agg(port::text, ',') from port where container_id is not null");
    let before = ports();
    let settings = ada.get("/containers/lab/settings").await.expect(200).text();
    let later = settings.split("available: ").nth(1).and_then(|said| said.split('.').next()).unwrap_or_default();
    assert!(later.contains("17") && !later.contains("15"), "{settings}");
    ada.get("/containers/lab/upgrade").await.expect(200);
    let to = [("image", crate::support::POSTGRES_17), ("confirm", "lab")];

    // If the new version does not start, the database continues unchanged.
    portal.faults.inject(Fault { operation: "copy_in", strike: FaultTiming::Before, times: 1, transient: false });
    ada.post("/containers/lab/upgrade", &to).await.expect(303);
    let (status, error) = portal.ended("upgrade").await;
    assert_eq!((status.as_str(), portal.faults.left()), ("failed", 0), "{error}");
    ada.wait_for("lab", "running").await;
    assert_eq!((words(&portal).await.as_str(), version(&portal).as_str()), ("fifteen", "15"));
    nothing_left(&portal, 1);

    ada.post("/containers/lab/upgrade", &to).await.expect(303);
    let (status, error) = portal.ended("upgrade").await;
    assert_eq!(status, "succeeded", "{error}");
    ada.wait_for("lab", "running").await;
    assert_eq!((words(&portal).await.as_str(), version(&portal).as_str()), ("fifteen", "17"));
    assert_eq!(ports(), before);
    let container = portal.container("lab");
    let image = docker::docker(&["inspect", "-f", "{{.Config.Image}}", &container]);
    assert!(image.ends_with("postgres:17"), "{image}");
    say(&portal, "seventeen").await;
    let settings = ada.get("/containers/lab/settings").await.expect(200).text();
    assert!(settings.contains("No later version is available"), "{settings}");

    go_back(&portal, &ada).await;
    ada.wait_for("lab", "running").await;
    assert_eq!((words(&portal).await.as_str(), version(&portal).as_str()), ("fifteen", "15"));
    go_back(&portal, &ada).await;
    ada.wait_for("lab", "running").await;
    assert_eq!((words(&portal).await.as_str(), version(&portal).as_str()), ("fifteen seventeen", "17"));
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    assert_eq!(words(&portal).await, "fifteen seventeen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_upgrade_keeps_its_data_and_can_be_undone() {
    let engine = EngineKind::Mariadb;
    let portal = TestPortal::with_store().await;
    let ada = portal.user("ada").await;
    let more = fields(engine, "docker.io/library/mariadb:10.11");
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    let at = place(&portal, engine, "lab");
    let mut session = sign_in(&at, "correct-horse").await.expect("signs in");
    session.prepare().await.expect("the objects are created");
    session.put("kept", "of 10.11 🐘").await.expect("writes");
    drop(session);
    let run = async |statement: &str| {
        let mut db = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
        db.query_drop(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    };
    // 11.5 changed the maximum timestamp. With the old one, a current row would count as a historical one.
    run("create table versions (x int) with system versioning").await;
    run("insert into versions values (1), (2)").await;
    run("update versions set x = 3 where x = 1").await;
    run("create table named (e timestamp(6) generated always as row end, x int, s timestamp(6) generated always as row start,
         period for system_time (s, e)) with system versioning")
    .await;
    run("insert into named (x) values (1), (2)").await;
    let rows = async || {
        let mut db = connect(&portal, "lab", "ada", "correct-horse").await.expect("signs in");
        let all = "select count(*) from versions union all select count(*) from versions for system_time all
                   union all select count(*) from named union all select cast(sum(x) as signed) from versions";
        db.query::<i64, _>(all).await.expect("reads")
    };
    assert_eq!(rows().await, [2, 3, 2, 5]);

    let to = [("image", "docker.io/library/mariadb:11.8"), ("confirm", "lab")];
    ada.post("/containers/lab/upgrade", &to).await.expect(303);
    let (status, error) = portal.ended("upgrade").await;
    assert_eq!(status, "succeeded", "{error}");
    ada.wait_for("lab", "running").await;
    let mut session = sign_in(&at, "correct-horse").await.expect("the same port, user and password");
    let version = session.version().await.expect("it reports its version");
    assert!(version.starts_with("11.8"), "{version}");
    assert_eq!(rows().await, [2, 3, 2, 5], "rows stay present, and the history stays history");
    run("update versions set x = 4 where x = 3").await;
    assert_eq!(session.get("kept").await, Ok(Some("of 10.11 🐘".to_owned())));
    session.put("more", "of 11.8").await.expect("writes");
    drop(session);

    go_back(&portal, &ada).await;
    ada.wait_for("lab", "running").await;
    let mut session = sign_in(&at, "correct-horse").await.expect("the password still works after the undo");
    let version = session.version().await.expect("it reports its version");
    assert!(version.starts_with("10.11"), "{version}");
    assert_eq!(session.get("kept").await, Ok(Some("of 10.11 🐘".to_owned())));
    assert_eq!(session.get("more").await, Ok(None));
}
