//! Servers started in advance: taken by new databases, replaced, and thrown away if they do not work.

use std::time::{Duration, Instant};

use mydb::config::{Config, SpareRule};
use mydb::domain::engine::EngineKind;
use mydb::domain::quantity::{ByteSize, GIB};

use super::{fields, place, sign_in};
use crate::support::{Options, TestPortal, docker};

const LIMIT: Duration = Duration::from_secs(300);
/// What the page of a new database says if it took a spare.
const TAKEN: &str = "From a server that was started in advance";
const PASSWORD: &str = "correct-horse";

/// A portal that keeps these servers.
async fn keeping(rules: &'static [&'static str]) -> TestPortal {
    let configure = Box::new(move |config: &mut Config| {
        config.databases.spares = rules.iter().map(|rule| SpareRule::parse(rule).expect("a rule")).collect();
        config.databases.spares_memory = ByteSize(16 * GIB);
        config.storage.truncate(1);
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// Waits until this many are ready and none is being made.
async fn ready(portal: &TestPortal, count: usize) {
    let begin = Instant::now();
    let counted = format!("{count}|0");
    let both = "select count(made_at) || '|' || count(*) - count(made_at) from spare";
    while portal.sql(both) != counted
        || portal.sql("select count(*) from job where status in ('queued', 'running')") != "0"
    {
        assert!(begin.elapsed() < LIMIT, "{count} are expected: {}", portal.sql("select * from spare"));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How a database was created, according to its job.
fn how(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "select coalesce(detail, '') from job_step join job on job.id = job_id join container on container.id = container_id
          where container.name = '{name}' and kind = 'create' and job_step.name = 'Prepare the data directory'"
    ))
}

fn status(container: &str) -> String {
    docker::docker(&["inspect", "-f", "{{.State.Status}}", container])
}

fn spare(portal: &TestPortal) -> String {
    portal.sql("select docker_name from spare where made_at is not null order by made_at limit 1")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn every_engine_gives_a_new_database_a_server_that_was_started_in_advance() {
    let portal = keeping(&["postgres=1", "mariadb=1", "mongodb=1", "neo4j=1"]).await;
    let ada = portal.user("ada").await;
    ready(&portal, 4).await;
    let before = portal.sql("select string_agg(id::text, ' ' order by id) from spare");
    for container in portal.sql("select string_agg(docker_name, ' ') from spare").split(' ') {
        assert_eq!(status(container), "paused");
    }
    for (engine, image) in [
        (EngineKind::Postgres, "docker.io/library/postgres:17"),
        (EngineKind::Mariadb, "docker.io/library/mariadb:11.8"),
        (EngineKind::Mongodb, "docker.io/library/mongo:6.0"),
        (EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community"),
    ] {
        let name = format!("lab-{engine}");
        let more = fields(engine, image);
        let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ada.create(&name, &more).await;
        assert_eq!(how(&portal, &name), TAKEN);
        let id = portal.sql(&format!("select id from container where name = '{name}'"));
        assert!(before.contains(&id), "the server was one of them");
        let at = place(&portal, engine, &name);
        let mut session = sign_in(&at, PASSWORD).await.expect("the user signs in");
        session.prepare().await.expect("the objects are created");
        session.put("word", "kept").await.expect("writes");
        assert_eq!(session.overreach().await, Vec::<String>::new());
        drop(session);
        // It is a database like any other.
        ada.post(&format!("/containers/{name}/restart"), &[]).await.expect(303);
        ada.wait_for(&name, "running").await;
        let mut session = sign_in(&at, PASSWORD).await.expect("the user signs in after a restart");
        assert_eq!(session.get("word").await, Ok(Some("kept".to_owned())));
    }
    // They are replaced, and an administrator sees how many were taken.
    ready(&portal, 4).await;
    let page = portal.admin().await.get("/admin/system").await.expect(200).text();
    assert!(page.contains("Started in advance: 1 ready, 0 being made, 1 taken today"), "{page}");
    assert_eq!(portal.sql("select count(*) from finding"), "0", "{}", portal.sql("select detail from finding"));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_creates_share_few_spares_and_none_is_used_twice() {
    let portal = keeping(&["postgres=3"]).await;
    let ada = portal.user("ada").await;
    ready(&portal, 3).await;
    let measured = "select count(*) from spare where memory_used > 1024 * 1024 and memory_used <= memory_bytes";
    assert_eq!(portal.sql(measured), "3", "{}", portal.sql("select * from spare"));
    let page = portal.admin().await.get("/admin/system").await.expect(200).text();
    assert!(page.contains("3 ready, 0 being made, 0 taken today") && page.contains("of at most"), "{page}");
    let count = if std::env::var_os("DB4SCI_TEST_FULL").is_some() { 50 } else { 12 };
    let names: Vec<String> = (0..count).map(|n| format!("lab-{n}")).collect();
    let submit = async |name: &String| ada.submit_create(name, &[("memory", "256 MB")]).await.expect(303);
    futures::future::join_all(names.iter().map(submit)).await;
    for name in &names {
        ada.wait_for(name, "running").await;
        let db = portal.connect(name, PASSWORD).await.expect("signs in");
        db.batch_execute(&format!("create table own as select '{name}'::text as name")).await.expect("writes");
    }
    for name in &names {
        let db = portal.connect(name, PASSWORD).await.expect("signs in");
        let own: String = db.query_one("select name from own", &[]).await.expect("reads").get(0);
        assert_eq!(&own, name);
        // Nothing else is left of what a spare has.
        let sql = "select string_agg(datname, ' ' order by datname) from pg_database";
        let all: String = db.query_one(sql, &[]).await.expect("reads").get(0);
        assert_eq!(all, "postgres template0 template1 trial");
    }
    let taken: usize = portal.sql("select count(*) from container where from_spare").parse().expect("a number");
    assert!(taken >= 3, "{taken} of 3 were taken");
    let ports = portal.sql("select count(distinct port) from port where container_id is not null");
    assert_eq!(ports, count.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_spare_is_replaced_unnoticed() {
    let portal = keeping(&["postgres=1"]).await;
    let ada = portal.user("ada").await;
    ready(&portal, 1).await;
    // Its server hangs, which is noticed only when it is taken.
    let container = spare(&portal);
    docker::docker(&["unpause", &container]);
    let pid = docker::docker_ok(&["inspect", "-f", "{{.State.Pid}}", &container]);
    let stopped = std::process::Command::new("kill").args(["-STOP", &pid]).status();
    assert!(stopped.is_ok_and(|s| s.success()), "kill -STOP {pid}");
    docker::docker(&["pause", &container]);
    ada.create("lab", &[]).await;
    assert_eq!(how(&portal, "lab"), "From prepared data");
    assert!(portal.connect("lab", PASSWORD).await.is_ok());

    // One that is killed is replaced.
    ready(&portal, 1).await;
    let container = spare(&portal);
    docker::docker(&["kill", &container]);
    portal
        .until("select string_agg(docker_name, '') from spare where made_at is not null", |said| {
            !said.is_empty() && said != container
        })
        .await;
    ready(&portal, 1).await;
    ada.create("lab-2", &[]).await;
    assert_eq!(how(&portal, "lab-2"), TAKEN);
    assert!(!portal.containers().contains(&container));

    // A restart of the container engine leaves them exited, not paused. A create at that moment goes on without one.
    ready(&portal, 1).await;
    docker::docker(&["kill", &spare(&portal)]);
    ada.create("lab-3", &[]).await;
    assert!(portal.connect("lab-3", PASSWORD).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn spares_stay_paused_over_restarts_and_survive_kills() {
    let mut portal = keeping(&["postgres=1"]).await;
    portal.user("ada").await;
    ready(&portal, 1).await;
    let container = spare(&portal);
    portal.stop().await;
    portal.run().await;
    assert_eq!((spare(&portal), status(&container)), (container.clone(), "paused".to_owned()));
    // With the machine, the container engine restarts too, and leaves them exited.
    portal.stop().await;
    docker::docker(&["kill", &container]);
    portal.run().await;
    let other = format!("select count(*) from spare where made_at is not null and docker_name <> '{container}'");
    portal.until(&other, |said| said == "1").await;
    ready(&portal, 1).await;
    assert_eq!(status(&spare(&portal)), "paused");
    assert!(!portal.containers().contains(&container), "the exited one is removed");
    // Killed between taking and handing over.
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    ada.submit_create("lab", &[]).await.expect(303);
    portal.kill();
    portal.run().await;
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    ada.wait_for("lab", "running").await;
    assert!(portal.connect("lab", PASSWORD).await.is_ok());
    ready(&portal, 1).await;
    // Without the setting they are removed, with their ports and directories.
    portal.stop().await;
    portal.config.databases.spares.clear();
    portal.run().await;
    portal.until("select count(*) from spare", |said| said == "0").await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    assert_eq!(
        portal.containers().iter().filter(|name| !name.contains("mydb_admin")).count(),
        1,
        "{:?}",
        portal.containers()
    );
    assert_eq!(portal.sql("select count(*) from port"), "1");
    crate::backups::nothing_left(&portal, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_started_in_advance_is_pinned_when_it_is_taken() {
    let portal = keeping(&["postgres=1"]).await;
    let ada = portal.user("ada").await;
    ready(&portal, 1).await;
    ada.create("lab", &[("cpuset", "0-0")]).await;
    assert_eq!(how(&portal, "lab"), TAKEN);
    let status = docker::docker_ok(&["exec", &portal.container("lab"), "cat", "/proc/1/status"]);
    let cores = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).map(str::trim);
    assert_eq!(cores, Some("0"), "{status}");
}
