//! The container of mydb_admin is stopped, removed or paused manually.

use std::time::{Duration, Instant};

use mydb::config::Config;
use mydb::runtime::fault::{Fault, FaultTiming};

use super::{Place, sign_in, until};
use crate::backups::objects;
use crate::support::{Client, Options, PATIENCE, Tables, TestPortal, docker::docker, store};

async fn own_portal() -> (TestPortal, String) {
    let portal = TestPortal::with(options(|_| {})).await;
    let container = format!("{}-mydb_admin", portal.instance);
    (portal, container)
}

/// A portal with its own mydb_admin, whose outage it notices soon.
fn options(configure: impl FnOnce(&mut Config) + Send + 'static) -> Options {
    let configure = Box::new(|config: &mut Config| {
        config.admin_db.patience = Duration::from_secs(3);
        configure(config);
    });
    Options { tables: Tables::Own, configure, ..Options::default() }
}

/// Pages, the API and probes report within seconds that mydb_admin is unavailable, and the databases keep working.
async fn pages_say_so(admin: &Client, api: &Client, database: u16) {
    let begin = Instant::now();
    let page = admin.get("/").await.expect(503);
    let id = page.headers.get("x-request-id").expect("a request id").to_str().expect("text").to_owned();
    let text = page.text();
    assert!(text.contains("The portal’s own database is not available") && text.contains(&id), "{text}");
    let problem = api.get("/api/v1/containers").await.expect(503);
    assert_eq!(problem.headers["content-type"], "application/problem+json");
    let said = problem.json();
    assert!(said["detail"].as_str().is_some_and(|d| d.contains("cannot read its records")), "{said}");
    let ready = admin.get("/readyz").await.expect(503);
    assert!(ready.body.contains("mydb_admin") && !ready.body.contains("container engine"), "{}", ready.body);
    admin.get("/healthz").await.expect(200);
    assert!(begin.elapsed() < Duration::from_secs(60), "the pages took too long: {:?}", begin.elapsed());
    let user = sign_in(database).await.expect("the user signs in");
    user.query_one("select 1", &[]).await.expect("the database works");
}

async fn recovered(admin: &Client) {
    let begin = Instant::now();
    while admin.get("/").await.status != 200 {
        assert!(begin.elapsed() < PATIENCE, "the pages did not recover in time");
    }
    admin.get("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_or_removed_mydb_admin_is_recovered_with_its_data() {
    let (portal, container) = own_portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    admin.create("lab", &[]).await;
    let port = portal.port("lab");
    for way in [["stop", "-t", "10"].as_slice(), &["rm", "-f"]] {
        // The portal cannot inspect the container for a while, so that the outage lasts as long as the test needs.
        portal.faults.inject(Fault {
            operation: "inspect",
            strike: FaultTiming::Before,
            times: u32::MAX,
            transient: true,
        });
        let name = way[0];
        let job = admin.submit_create(&format!("during-{name}"), &[]).await.expect(303);
        docker(&[way, &[&container]].concat());
        pages_say_so(&admin, &api, port).await;
        portal.faults.heal();
        recovered(&admin).await;
        admin.wait_for(&format!("during-{name}"), "running").await;
        assert_eq!(job.location, format!("/containers/during-{name}"));
    }
    Place::of(&portal).all_is_right().await;
    assert_eq!(portal.sql("select count(*) from container"), "3", "nothing is lost");
    admin.sign_in("admin", crate::support::ADMIN_PASSWORD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_mydb_admin_blocks_nobody() {
    let (portal, container) = own_portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    admin.create("lab", &[]).await;
    let port = portal.port("lab");
    admin.submit_create("during", &[]).await.expect(303);
    docker(&["pause", &container]);
    pages_say_so(&admin, &api, port).await;
    docker(&["unpause", &container]);
    recovered(&admin).await;
    admin.wait_for("during", "running").await;
    Place::of(&portal).all_is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_mydb_admin_during_a_backup_makes_no_false_backup() {
    let portal = TestPortal::with(options(|config| {
        store(config);
        config.jobs.lease = Duration::from_secs(3);
    }))
    .await;
    let container = format!("{}-mydb_admin", portal.instance);
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    let db = portal.connect("lab", "correct-horse").await.expect("the user signs in");
    db.batch_execute("create table t as select generate_series(1, 1000) as x").await.expect("fills");
    let waits = "select count(*) from pg_locks where not granted";
    for (n, way) in [["kill"].as_slice(), &["pause"]].iter().enumerate() {
        db.batch_execute("begin; lock table t in access exclusive mode").await.expect("locks");
        admin.post("/containers/lab/backup", &[]).await.expect(303);
        let begin = Instant::now();
        while db.query_one(waits, &[]).await.expect("answers").get::<_, i64>(0) == 0 {
            assert!(begin.elapsed() < PATIENCE, "the dump did not wait for the lock in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        docker(&[way, [container.as_str()].as_slice()].concat());
        db.batch_execute("commit").await.expect("lets go");
        // The dump ends, but its end cannot be recorded, and the lease of its job expires.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        if way[0] == "pause" {
            docker(&["unpause", &container]);
        }
        recovered(&admin).await;
        assert_eq!(portal.ended("backup").await, ("succeeded".to_owned(), String::new()), "{}", way[0]);
        assert_eq!(portal.ended("drill").await, ("succeeded".to_owned(), String::new()), "{}", way[0]);
        Place::of(&portal).all_is_right().await;
        let good = portal.sql("select id from backup_log where kind = 'backup' and status = 'succeeded'");
        assert_eq!(good.lines().count(), n + 1);
        assert_eq!(portal.sql("select count(*) from upload"), "0");
        let strangers: Vec<_> =
            objects(&portal).into_iter().filter(|p| !good.lines().any(|id| p.to_string_lossy().contains(id))).collect();
        assert_eq!(strangers, Vec::<std::path::PathBuf>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mydb_admin_without_its_data_is_not_recreated() {
    let (mut portal, container) = own_portal().await;
    portal.stop().await;
    docker(&["rm", "-f", &container]);
    let (data, away) = (portal.dir.join("mydb_admin/data"), portal.dir.join("mydb_admin/elsewhere"));
    std::fs::rename(&data, &away).expect("the data is moved");
    let catalog = mydb::catalog::Catalog::load(&portal.config.catalog).expect("the catalog");
    let runtime = std::sync::Arc::new(portal.faults.clone());
    let started = mydb::serve::start(portal.config.clone(), catalog, runtime, portal.clock.clone(), None).await;
    let said = format!("{:#}", started.err().expect("it refuses to start"));
    assert!(said.contains("Is its disk mounted? Nothing was changed"), "{said}");
    assert!(!data.exists(), "no data directory was created");
    std::fs::rename(&away, &data).expect("the data is back");
    portal.run().await;
    until("mydb_admin still has its account", || portal.sql("select count(*) from account") == "1").await;
}
