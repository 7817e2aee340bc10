//! Seeds: initialised once, copied for every new database, and not accessible until the accounts are set up.

use std::time::{Duration, Instant};

use mydb::admin_db::containers::credentials::CredentialKind;
use mydb::admin_db::seeds::{self, Seed};
use mydb::blueprint::Blueprint;
use mydb::domain::engine::EngineKind;
use mydb::provision::exec::ask;
use secrecy::{ExposeSecret, SecretString};

use super::{IMAGES, fields, place, sign_in};
use crate::support::docker::docker_ok;
use crate::support::{Options, PATIENCE, POSTGRES_17, Tables, TestPortal};

const PASSWORD: &str = "correct-horse";
/// Parts of the names of the tested images, the newest of each engine.
const NEWEST: [&str; 4] = ["postgres:17", "mariadb:11.8", "mongo:6.0", "neo4j:5.26"];
const LIMIT: Duration = Duration::from_secs(30);

/// A portal that prepares the images whose names contain one of these words.
async fn preparing(words: &'static [&'static str]) -> TestPortal {
    let configure = Box::new(|config: &mut mydb::config::Config| {
        config.jobs.prepare = Duration::from_secs(1);
        config.storage.truncate(1);
        let absent = IMAGES.iter().filter(|(_, image, _)| !words.iter().any(|w| image.contains(w)));
        for (_, image, _) in absent {
            config.images.replace.insert((*image).to_owned(), "db4sci-dev/none:0".to_owned());
        }
    });
    TestPortal::with(Options { configure, tables: Tables::Empty, ..Options::default() }).await
}

async fn rows(portal: &TestPortal) -> Vec<Seed> {
    let mut db = portal.app().app.db.acquire().await.expect("mydb_admin answers");
    seeds::all(&mut db).await.expect("the rows")
}

/// Waits until this many seeds are complete, and no other row is left.
async fn prepared(portal: &TestPortal, count: usize) -> Vec<Seed> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        let rows = rows(portal).await;
        let busy = portal.sql("select count(*) from job where status in ('queued', 'running')") != "0";
        if rows.len() == count && rows.iter().all(|s| s.made_at.is_some()) && !busy {
            return rows;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!(
        "{count} seeds are expected, not {:#?}\n{}",
        rows(portal).await,
        portal.sql("select detail, error from job_step")
    );
}

fn how(portal: &TestPortal, name: &str) -> String {
    portal.sql(&format!(
        "select coalesce(detail, '') from job_step join job on job.id = job_id join container on container.id = container_id
          where container.name = '{name}' and kind = 'create' and job_step.name = 'Prepare the data directory'"
    ))
}

/// Whether the administrator of a database has this password, checked with the portal's own probe.
async fn admin_has(portal: &TestPortal, name: &str, password: &SecretString) -> bool {
    let app = &portal.app().app;
    let mut db = app.db.acquire().await.expect("mydb_admin answers");
    let c = mydb::admin_db::containers::by_name(&mut db, name).await.expect("an answer").expect("the database");
    drop(db);
    let blueprint = Blueprint::read(app, &c).await.expect("what it is made from");
    let mut plan = blueprint.plan();
    plan.admin_password = password;
    let id = c.docker_id.as_deref().expect("a container");
    ask(app, id, &c.engine.engine().probe(&plan), LIMIT).await.expect("an answer").code == 0
}

async fn own_password(portal: &TestPortal, name: &str) -> SecretString {
    let app = &portal.app().app;
    let mut db = app.db.acquire().await.expect("mydb_admin answers");
    let c = mydb::admin_db::containers::by_name(&mut db, name).await.expect("an answer").expect("the database");
    let kept =
        mydb::admin_db::containers::credentials::get(&mut db, c.id, CredentialKind::Seed).await.expect("an answer");
    assert!(kept.is_none(), "the password of the seed is deleted");
    Blueprint::read(app, &c).await.expect("what it is made from").admin_password()
}

/// What tells two servers apart, besides their passwords: the certificate, the key and the id of a replica set, and the
/// number by which replication knows them.
/// The system identifier of PostgreSQL and the ids of databases in Neo4j are the same in all copies of a seed: no tool of
/// these versions changes them.
fn identity(portal: &TestPortal, engine: EngineKind, n: &str) -> Vec<String> {
    let container = portal.container(&format!("{engine}-{n}"));
    let file = match engine {
        EngineKind::Mongodb => "server.pem",
        EngineKind::Neo4j => "ssl/server.crt",
        EngineKind::Postgres | EngineKind::Mariadb => "server.crt",
    };
    let certificate = docker_ok(&["exec", "-u0", &container, "cat", &format!("/etc/db4sci/{file}")]);
    assert!(certificate.contains("CERTIFICATE"), "{engine}: {certificate}");
    let mut found = vec![certificate];
    if engine == EngineKind::Mariadb {
        let password = format!("-p{PASSWORD}-{n}");
        let ask = ["exec", &container, "mariadb", "-h127.0.0.1", "-uada", &password, "-Ne", "select @@server_id"];
        found.push(docker_ok(&ask));
        assert!(found[1].parse::<u32>().is_ok_and(|id| id > 1), "{}", found[1]);
    }
    if engine == EngineKind::Mongodb {
        found.push(docker_ok(&["exec", "-u0", &container, "cat", "/etc/db4sci/keyfile"]));
        let set = "print(db.adminCommand({ replSetGetConfig: 1 }).config.settings.replicaSetId.toString())";
        found.push(crate::attacks::mongodb::as_admin(portal, &format!("{engine}-{n}"), set));
        assert!(found[2].len() >= 24, "{}", found[2]);
    }
    found
}

/// The seeds are those that a portal has made for all tests of this run.
#[tokio::test(flavor = "multi_thread")]
async fn databases_of_every_engine_start_from_prepared_data() {
    let portal = TestPortal::start().await;
    let made = rows(&portal).await;
    let ada = portal.user("ada").await;
    for (engine, image, version) in IMAGES.iter().filter(|(_, image, _)| NEWEST.iter().any(|w| image.contains(w))) {
        let seed = made.iter().find(|s| s.image == *image && s.tier == "standard").expect("a seed of this image");
        let from_seed = portal.app().app.sealer.open(&seed.sealed, &Seed::context(seed.id)).expect("it opens");
        let mut own = Vec::new();
        for n in ["a", "b"] {
            let name = format!("{engine}-{n}");
            let mut form = fields(*engine, image);
            form.push(("dbuserpass", format!("{PASSWORD}-{n}")));
            let form: Vec<(&str, &str)> = form.iter().map(|(k, v)| (*k, v.as_str())).collect();
            ada.create(&name, &form).await;
            assert_eq!(how(&portal, &name), "From prepared data", "{name}");
            let session = sign_in(&place(&portal, *engine, &name), &format!("{PASSWORD}-{n}")).await;
            let mut session = session.unwrap_or_else(|e| panic!("{name}: its user signs in: {e}"));
            assert!(session.version().await.expect("a version").starts_with(version), "{name}");
            assert!(
                !admin_has(&portal, &name, &from_seed).await,
                "{name}: the password of the seed is no longer valid"
            );
            let password = own_password(&portal, &name).await;
            assert!(admin_has(&portal, &name, &password).await, "{name}: its administrator has its own password");
            own.push(password);
        }
        assert_ne!(own[0].expose_secret(), own[1].expose_secret(), "{engine}: each has its own password");
        let identities = ["a", "b"].map(|n| identity(&portal, *engine, n));
        for (one, other) in identities[0].iter().zip(&identities[1]) {
            assert_ne!(one, other, "{engine}: each has its own identity");
        }
        // The data survives a restart like any other.
        let name = format!("{engine}-a");
        ada.post(&format!("/containers/{name}/restart"), &[]).await.expect(303);
        ada.wait_for(&name, "running").await;
        assert!(admin_has(&portal, &name, &own[0]).await, "{name}: also after a restart");
        for n in ["a", "b"] {
            ada.post(&format!("/containers/{engine}-{n}/stop"), &[]).await.expect(303);
            ada.wait_for(&format!("{engine}-{n}"), "stopped").await;
        }
    }
    let left = portal.sql("select string_agg(detail, ' ') from finding");
    assert_eq!(left, "", "nothing is reported as unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn outdated_or_damaged_seeds_are_not_used() {
    let mut portal = preparing(&["postgres:17"]).await;
    let before = prepared(&portal, 1).await;
    let ada = portal.user("ada").await;
    let dir = |id: uuid::Uuid| portal.config.storage[0].path.join(&portal.instance).join(id.to_string());

    // The directory of the seed is missing: the image initialises the data, and a new seed is made.
    std::fs::remove_dir_all(dir(before[0].id)).expect("it is removed");
    ada.create("first", &[("image", POSTGRES_17)]).await;
    assert_eq!(how(&portal, "first"), "The image will initialise the data");
    let failed = rows(&portal).await;
    assert!(failed[0].failed.as_deref().is_some_and(|why| why.contains("Could not copy")), "{failed:?}");
    portal.clock.shift(7 * 3600);
    let after = prepared(&portal, 1).await;
    assert_ne!(after[0].id, before[0].id, "it is a new seed");
    let (second, old) = (dir(after[0].id), after[0].id);
    assert!(second.join("data").is_dir());

    // A changed configuration: the seed made with the old one is removed.
    portal.stop().await;
    let home = portal.dir.join("dbconfig");
    let copied = std::process::Command::new("cp").args(["-a", "dbconfig"]).arg(&home).status().expect("it is copied");
    assert!(copied.success());
    let conf = home.join("postgres/postgresql.conf");
    let text = std::fs::read_to_string(&conf).expect("a file");
    std::fs::write(&conf, format!("{text}\nlog_connections = on\n")).expect("it is written");
    portal.config.catalog = home.join("catalog.toml");
    portal.run().await;
    portal.until(&format!("select count(*) from seed where id = '{old}' or made_at is null"), |said| said == "0").await;
    let third = prepared(&portal, 1).await;
    assert_ne!(third[0].fingerprint, after[0].fingerprint);
    assert!(!second.exists(), "its directory is removed too");

    // Seeds are turned off: none is left.
    portal.stop().await;
    portal.config.databases.prepare = false;
    portal.run().await;
    prepared(&portal, 0).await;
    let left = std::fs::read_dir(portal.config.storage[0].path.join(&portal.instance)).expect("the tier").count();
    assert_eq!(left, 1, "only the database's own directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_during_preparation_leaves_no_incomplete_seed() {
    let mut portal = preparing(&["postgres:17"]).await;
    for tenths in [3, 8, 13, 18] {
        tokio::time::sleep(Duration::from_millis(tenths * 100)).await;
        portal.kill();
        portal.run().await;
    }
    let made = prepared(&portal, 1).await;
    let left = std::fs::read_dir(portal.config.storage[0].path.join(&portal.instance)).expect("the tier").flatten();
    let left: Vec<_> = left.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(left, [made[0].id.to_string()], "only the seed's directory");
    assert!(!portal.containers().iter().any(|c| c.contains("helper")), "no container of it is left");
    let ada = portal.user("ada").await;
    ada.create("lab", &[("image", POSTGRES_17), ("dbuserpass", PASSWORD)]).await;
    assert_eq!(how(&portal, "lab"), "From prepared data");
    let session = portal.connect("lab", PASSWORD).await.expect("its user signs in");
    session.query_one("select 1", &[]).await.expect("the server works");
}
