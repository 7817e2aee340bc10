//! Compares clones of a large and of a small PostgreSQL where copies share blocks, and a clone where they do not with
//! `cp -a` and a start by hand. Each time is from the request to the owner's login.
//!
//! `DB4SCI_BENCH_CLONE_MB` is the size of the large database (5120), `DB4SCI_BENCH_CLONE_ROUNDS` the number of clones of
//! each (10), `DB4SCI_BENCH_CLONES` the number of clones whose space is measured (50).

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::support::{self, Client, TestPortal, docker::docker};
use super::table::{Bar, Table, quantile};

/// Size of the small database in MiB.
const SMALL: u64 = 50;
/// Size in MiB of the database whose clones are measured together.
const MEDIUM: u64 = 1024;
const PATIENCE: Duration = Duration::from_secs(120);

fn number(name: &str, otherwise: u64) -> u64 {
    support::portal::environment(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Creates a database and fills it with this many MiB.
async fn make(portal: &TestPortal, ada: &Client, name: &str, storage: &str, mib: u64) {
    ada.create(name, &[("storage", storage), ("memory", "1g")]).await;
    let db = portal.connect(name, "correct-horse").await.expect("signs in");
    // 8 KiB pages with 7 rows of about 1.1 KiB each.
    let fill = format!(
        "create table t as select i, repeat(md5(i::text), 34) as body from generate_series(1, {mib} * 128 * 7) i"
    );
    db.batch_execute(&fill).await.expect("fills");
    // As in a database that has been used for a while. Otherwise each clone would do this itself for the whole table.
    db.batch_execute("vacuum (freeze, analyze) t").await.expect("vacuums");
}

/// Clones a database; returns the seconds until the owner of the clone is signed in.
async fn clone(portal: &TestPortal, api: &Client, of: &str, name: &str) -> f64 {
    let begin = Instant::now();
    let path = format!("/api/v1/containers/{of}/clone?wait=300");
    let made = api.json(Method::POST, &path, &json!({ "name": name })).await.expect(201).json();
    let password = made.get("password").and_then(|p| p.as_str()).expect("a password").to_owned();
    portal.connect(name, &password).await.expect("signs in");
    begin.elapsed().as_secs_f64()
}

async fn remove(ada: &Client, name: &str) {
    ada.post(&format!("/containers/{name}/delete"), &[("confirm", name), ("no_backup", "true")]).await.expect(303);
    ada.wait_for(name, "in the trash").await;
    ada.post(&format!("/containers/{name}/purge"), &[("confirm", name)]).await.expect(303);
    ada.wait_until_gone(name).await;
}

/// Bytes used on the file system of a tier.
fn used(portal: &TestPortal, tier: &str) -> f64 {
    let tier = portal.config.tier(tier).expect("the tier");
    let has = rustix::fs::statvfs(&tier.path).expect("it is mounted");
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let used = ((has.f_blocks - has.f_bfree) * has.f_frsize) as f64;
    used
}

/// Copies the data with `cp -a` and starts a server on the copy; returns the seconds until the user is signed in.
async fn by_hand(portal: &TestPortal, name: &str, round: u64) -> f64 {
    let id = portal.sql(&format!("select id from container where name = '{name}'"));
    let tier = portal.config.tier("standard").expect("the tier");
    let data = tier.path.join(&portal.instance).join(id).join("data");
    let copy = portal.dir.join(format!("by-hand-{round}"));
    let begin = Instant::now();
    let copied = std::process::Command::new("cp").arg("-a").arg(&data).arg(&copy).status();
    assert!(copied.is_ok_and(|s| s.success()), "cp -a");
    let container = format!("{}-by-hand-{round}", portal.instance);
    let label = format!("db4sci.instance={}", portal.instance);
    let volume = format!("{}:/var/lib/postgresql/data", copy.display());
    let image = portal.config.image_reference("docker.io/library/postgres:17");
    let args = ["run", "-d", "--name", &container, "--label", &label, "-m", "1g", "-v", &volume];
    docker(&[&args[..], &["-p", "127.0.0.1::5432", &image]].concat());
    let said = docker(&["port", &container, "5432/tcp"]);
    let port: u16 =
        said.lines().next().and_then(|l| l.rsplit(':').next()).and_then(|p| p.parse().ok()).expect("a published port");
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(port).dbname("trial").user("ada").password("correct-horse");
    while config.connect(tokio_postgres::NoTls).await.is_err() {
        assert!(begin.elapsed() < PATIENCE, "{}", docker(&["logs", &container]));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let took = begin.elapsed().as_secs_f64();
    docker(&["rm", "-fv", &container]);
    let _ = std::fs::remove_dir_all(&copy);
    took
}

pub async fn measure(table: &mut Table) {
    let (large, rounds) = (number("DB4SCI_BENCH_CLONE_MB", 5120), number("DB4SCI_BENCH_CLONE_ROUNDS", 10));
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    make(&portal, &ada, "small", "cow", SMALL).await;
    make(&portal, &ada, "large", "cow", large).await;
    make(&portal, &ada, "apart", "standard", 512).await;
    let (mut of_small, mut of_large) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (of, times) in [("small", &mut of_small), ("large", &mut of_large)] {
            times.push(clone(&portal, &api, of, "copy").await);
            remove(&ada, "copy").await;
        }
    }
    let (small, large_took) = (quantile(&mut of_small, 0.5), quantile(&mut of_large, 0.5));
    let what = format!("median of {rounds}");
    table.add(format!("clone of {SMALL} MB, blocks shared, {what}"), small, "s", &Bar::None);
    table.add(format!("clone of {large} MB, blocks shared, {what}"), large_took, "s", &Bar::None);
    table.add("clone: large against small, blocks shared", large_took / small, "", &Bar::Most(1.3));
    let longest = |name: &str| {
        let said = portal.sql(&format!(
            "select max(frozen_ms) from snapshot s join container c on c.id = s.container_id where c.name = '{name}'"
        ));
        said.parse::<f64>().expect("a time")
    };
    table.add(
        "longest pause of the source, blocks shared",
        longest("small").max(longest("large")),
        "ms",
        &Bar::Most(250.0),
    );

    remove(&ada, "large").await;
    let many = number("DB4SCI_BENCH_CLONES", 50);
    make(&portal, &ada, "medium", "cow", MEDIUM).await;
    let before = used(&portal, "cow");
    for n in 0..many {
        clone(&portal, &api, "medium", &format!("many-{n}")).await;
        ada.post(&format!("/containers/many-{n}/stop"), &[]).await.expect(303);
        ada.wait_for(&format!("many-{n}"), "stopped").await;
    }
    let mib = (used(&portal, "cow") - before) / f64::from(1 << 20);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let ratio = 1.0 + mib / MEDIUM as f64;
    table.add(format!("space of {many} clones of {MEDIUM} MB, together"), mib, "MiB", &Bar::None);
    table.add(format!("space: source and {many} clones against the source"), ratio, "", &Bar::Most(1.2));

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        theirs.push(by_hand(&portal, "apart", round).await);
        ours.push(clone(&portal, &api, "apart", "copy").await);
        remove(&ada, "copy").await;
    }
    let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
    table.add(format!("cp -a of 512 MB and a start → login, {what}"), theirs, "s", &Bar::None);
    table.add(format!("clone of 512 MB, blocks not shared → login, {what}"), ours, "s", &Bar::None);
    table.add("clone against cp -a and a start", ours / theirs, "", &Bar::Most(1.15));
    table.add("longest pause of the source, blocks not shared", longest("apart"), "ms", &Bar::None);
}
