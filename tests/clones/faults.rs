//! What can go wrong while a database is copied, and many requests at once.

use std::time::{Duration, Instant};

use mydb::runtime::fault::{Fault, FaultTiming};
use reqwest::Method;
use serde_json::json;

use super::call;
use crate::backups::nothing_left;
use crate::faults::full::{Small, with_tier};
use crate::support::{Client, PATIENCE, TestPortal, docker};

/// Longest time a database may stay paused after a portal is started again.
const THAWED: Duration = Duration::from_secs(30);

/// Longest time the start may take while the container engine refuses to resume a database.
const STARTED: Duration = Duration::from_secs(60);

async fn lab(more: &[(&str, &str)]) -> (TestPortal, Client, Client) {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", more).await;
    (portal, ada, api)
}

/// Once all jobs have ended, there are only the directories of databases and of snapshots.
fn tidy(portal: &TestPortal) {
    let expected = "select (select count(*) from container where started_at is not null and purged_at is null)
                         + (select count(*) from snapshot where made_at is not null and removed_at is null)";
    portal.sql("update schedule set next_run = now() + interval '1 hour' where name = 'snapshots'");
    nothing_left(portal, portal.sql(expected).parse().expect("a number"));
}

/// The error of the newest job of this kind, which must have failed.
async fn failed(portal: &TestPortal, kind: &str) -> String {
    let (status, error) = portal.ended(kind).await;
    assert_eq!(status, "failed", "{kind}");
    error
}

/// The container engine fails this often when the server is to be resumed; five attempts are made in a second.
fn refuse_to_unpause(portal: &TestPortal, times: u32) {
    portal.faults.inject(Fault { operation: "unpause", strike: FaultTiming::Before, times, transient: true });
}

fn status(container: &str) -> String {
    docker::docker(&["inspect", "-f", "{{.State.Status}}", container])
}

/// Waits until a container has this status.
async fn until(container: &str, wanted: &str, limit: Duration) {
    let begin = Instant::now();
    while status(container) != wanted {
        assert!(begin.elapsed() < limit, "{container} is not {wanted}, but {}", status(container));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_killed_during_a_pause_resumes_the_database_at_its_start() {
    let (mut portal, ada, api) = lab(&[("storage", "cow")]).await;
    let container = portal.container("lab");
    refuse_to_unpause(&portal, 100_000);
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy" })).await.expect(202);
    until(&container, "paused", PATIENCE).await;
    portal.kill();
    // An engine that still refuses does not keep the portal from starting.
    let begin = Instant::now();
    portal.run().await;
    assert!(begin.elapsed() < STARTED, "{:?}", begin.elapsed());
    portal.kill();
    portal.faults.heal();
    assert_eq!(status(&container), "paused");
    portal.run().await;
    until(&container, "running", THAWED).await;
    // The copy was not valid, or not recorded: the job makes it again, and the clone follows.
    let ada_again = Client::nobody(&portal.base);
    ada_again.sign_in("ada", "researcher-1").await;
    drop(ada);
    ada_again.wait_for("copy", "running").await;
    tidy(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_snapshot_leaves_the_database_running_and_nothing_else() {
    let (portal, ada, api) = lab(&[("storage", "cow")]).await;
    let container = portal.container("lab");
    refuse_to_unpause(&portal, 100_000);
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy" })).await.expect(202);
    until(&container, "paused", PATIENCE).await;
    let job = portal.sql("select id from job where kind = 'snapshot'");
    api.json(Method::POST, &format!("/api/v1/jobs/{job}/cancel"), &json!({})).await.expect(202);
    // The worker sees the request within a second.
    tokio::time::sleep(Duration::from_secs(3)).await;
    portal.faults.heal();
    until(&container, "running", PATIENCE).await;
    let error = failed(&portal, "clone").await;
    assert!(
        error.contains("No snapshot of the source could be taken.") && error.contains("Cancelled by ada"),
        "{error}"
    );
    ada.wait_for("copy", "failed").await;
    ada.wait_for("lab", "running").await;
    tidy(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_resumed_or_killed_while_it_is_copied_is_copied_again() {
    let (portal, ada, api) = lab(&[("storage", "cow")]).await;
    let container = portal.container("lab");
    for by_hand in ["unpause", "kill"] {
        refuse_to_unpause(&portal, 100_000);
        let name = format!("copy-{by_hand}");
        api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": name })).await.expect(202);
        until(&container, "paused", PATIENCE).await;
        docker::docker(&[by_hand, &container]);
        portal.faults.heal();
        ada.wait_for(&name, "running").await;
        ada.wait_for("lab", "running").await;
        until(&container, "running", PATIENCE).await;
    }
    tidy(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_out_of_the_data_directory_prevent_cloning_and_are_named() {
    let (portal, ada, api) = lab(&[]).await;
    let container = portal.container("lab");
    docker::docker_ok(&["exec", &container, "ln", "-s", "/etc/passwd", "/var/lib/postgresql/data/lead out"]);
    let made = api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy" })).await.expect(202);
    let password = made.json()["password"].as_str().expect("a password").to_owned();
    let error = failed(&portal, "snapshot").await;
    assert!(error.contains("is a symbolic link pointing outside, to “/etc/passwd”"), "{error}");
    let error = failed(&portal, "clone").await;
    assert!(error.contains("No snapshot of the source could be taken.") && error.contains("lead out"), "{error}");
    assert_eq!(status(&container), "running");
    ada.wait_for("copy", "failed").await;
    tidy(&portal);
    // Without the link it works: the clone is retried with a new snapshot of the source.
    docker::docker_ok(&["exec", &container, "rm", "/var/lib/postgresql/data/lead out"]);
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 1 as x").await.expect("writes");
    assert_eq!(call(&api, "copy/start", &json!({}), 200).await["state"], "running");
    let db = portal.connect("copy", &password).await.expect("signs in");
    assert_eq!(db.query_one("select x from t", &[]).await.expect("reads").get::<_, i32>(0), 1);
    drop(db);
    tidy(&portal);
    // If the source no longer exists, the clone cannot be retried.
    docker::docker_ok(&["exec", &container, "ln", "-s", "/etc/passwd", "/var/lib/postgresql/data/lead out"]);
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy-2" })).await.expect(202);
    ada.wait_for("copy-2", "failed").await;
    ada.post("/containers/lab/delete", &[("confirm", "lab"), ("no_backup", "true")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    ada.post("/containers/lab/purge", &[("confirm", "lab")]).await.expect(303);
    ada.wait_until_gone("lab").await;
    let refused = api.json(Method::POST, "/api/v1/containers/copy-2/start", &json!({})).await.expect(409).text();
    assert!(refused.contains("The source of this clone no longer exists."), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_simultaneous_clones_are_correct() {
    let (portal, ada, api) = lab(&[("storage", "cow"), ("memory", "128 MB")]).await;
    let count = if std::env::var_os("DB4SCI_TEST_FULL").is_some() { 100 } else { 8 };
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    db.batch_execute("create table t as select 1 as x").await.expect("writes");
    drop(db);
    let clone = async |n: usize| {
        let made = call(&api, "lab/clone", &json!({ "name": format!("copy-{n}") }), 201).await;
        made["password"].as_str().expect("a password").to_owned()
    };
    let passwords = futures::future::join_all((0..count).map(clone)).await;
    for (n, password) in passwords.iter().enumerate() {
        let db = portal.connect(&format!("copy-{n}"), password).await.expect("signs in");
        assert_eq!(db.query_one("select x from t", &[]).await.expect("reads").get::<_, i32>(0), 1);
        db.batch_execute(&format!("insert into t values ({n})")).await.expect("writes");
    }
    drop(ada);
    let distinct: std::collections::HashSet<_> = passwords.iter().collect();
    assert_eq!(distinct.len(), count, "each has its own password");
    tidy(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_a_clone_of_a_clone_has_the_data_of_the_first() {
    let (portal, _, api) = lab(&[("storage", "cow"), ("memory", "128 MB")]).await;
    let depth = if std::env::var_os("DB4SCI_TEST_FULL").is_some() { 10 } else { 3 };
    let mut password = "correct-horse".to_owned();
    let mut name = "lab".to_owned();
    for n in 0..depth {
        let db = portal.connect(&name, &password).await.expect("signs in");
        db.batch_execute(&format!("create table t{n} as select {n} as x")).await.expect("writes");
        let next = format!("copy-{n}");
        let made = call(&api, &format!("{name}/clone"), &json!({ "name": next }), 201).await;
        made["password"].as_str().expect("a password").clone_into(&mut password);
        name = next;
    }
    let db = portal.connect(&name, &password).await.expect("signs in");
    for n in 0..depth {
        let row = db.query_one(&format!("select x from t{n}"), &[]).await.expect("reads");
        assert_eq!(row.get::<_, i32>(0), n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tier_that_is_full_for_the_copy_says_so_and_keeps_nothing_of_it() {
    let small = Small::mount("1g");
    let portal = TestPortal::with(with_tier(small.0.clone())).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("storage", "small")]).await;
    // The lack of space is detected before anything is copied.
    small.leave(200 * 1024 * 1024);
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy" })).await.expect(202);
    let error = failed(&portal, "snapshot").await;
    assert!(error.contains("Not enough disk space for a copy of the data: "), "{error}");
    let error = failed(&portal, "clone").await;
    assert!(error.contains("Not enough disk space for a copy of the data: "), "{error}");
    tidy(&portal);
    // The snapshot fits, and its clone does not.
    small.run("mount", &["-o", "remount,size=1g"]);
    call(&api, "lab/snapshots", &json!({}), 200).await;
    small.leave(100 * 1024 * 1024);
    let id = portal.sql("select id from snapshot where made_at is not null");
    let body = json!({ "name": "copy-2", "snapshot": id });
    api.json(Method::POST, "/api/v1/containers/lab/clone", &body).await.expect(202);
    let error = failed(&portal, "clone").await;
    assert!(error.contains("is full") || error.contains("Not enough disk space"), "{error}");
    ada.wait_for("lab", "running").await;
    tidy(&portal);
    // With room again, the clone is tried again.
    small.run("mount", &["-o", "remount,size=1g"]);
    ada.post("/containers/copy-2/start", &[]).await.expect(303);
    ada.wait_for("copy-2", "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_database_is_copied_nothing_else_changes_it() {
    let (portal, ada, api) = lab(&[("storage", "cow")]).await;
    let container = portal.container("lab");
    refuse_to_unpause(&portal, 100_000);
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy" })).await.expect(202);
    until(&container, "paused", PATIENCE).await;
    for action in ["stop", "restart", "snapshots"] {
        let path = format!("/api/v1/containers/lab/{action}");
        let refused = api.json(Method::POST, &path, &json!({})).await.expect(409).text();
        assert!(refused.contains("Another operation on this database is running."), "{action}: {refused}");
    }
    let delete = json!({ "confirm": "lab", "no_backup": true });
    api.json(Method::DELETE, "/api/v1/containers/lab", &delete).await.expect(409);
    portal.faults.heal();
    ada.wait_for("copy", "running").await;
    // The source is deleted while its clone is being made from the snapshot.
    let made = api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy-2" })).await.expect(202);
    drop(made);
    portal.until("select count(*) from job where kind = 'snapshot' and status = 'succeeded'", |said| said == "2").await;
    api.json(Method::DELETE, "/api/v1/containers/lab", &delete).await.expect(202);
    ada.wait_for("copy-2", "running").await;
    ada.wait_for("lab", "in the trash").await;
    tidy(&portal);
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_space_is_counted_once_and_shown() {
    let (portal, ada, api) = lab(&[("storage", "cow"), ("memory", "128 MB")]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("signs in");
    let fill = "create table t as select i, repeat(md5(i::text), 30) as body from generate_series(1, 60000) i";
    db.batch_execute(fill).await.expect("fills");
    db.batch_execute("vacuum (freeze, analyze) t").await.expect("vacuums");
    drop(db);
    call(&api, "lab/snapshots", &json!({ "note": "all of it" }), 200).await;
    call(&api, "lab/clone", &json!({ "name": "copy" }), 201).await;
    portal.sql("update schedule set next_run = now() where name = 'usage'");
    // The size is the current size of the directory; most of it is shared.
    let shared = "select string_agg((shared_bytes > size_bytes / 2)::text, ' ') from container";
    portal.until(shared, |said| said == "true true").await;
    let counted = "select used_bytes < (select max(size_bytes) * 2 from container) and shared_bytes > 0
                     from tier_usage where tier = 'cow'";
    portal.until(counted, |said| said == "t").await;
    let page = ada.get("/containers/copy").await.expect(200).text();
    assert!(page.contains("Of that, shared with copies"), "{page}");
    let page = ada.get("/containers/lab/snapshots").await.expect(200).text();
    assert!(page.contains(" not shared"), "{page}");
}
