//! Databases are pinned to cores: as seen inside their containers, whatever the portal's rows say.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mydb::config::Config;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::docker::docker_ok;
use crate::support::{Client, Options, PATIENCE, TestPortal};

/// The description of a machine that works on any test machine: two cores that belong together, or one.
fn machine(tree: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/topologies").join(tree)
}

async fn portal(configure: impl FnOnce(&mut Config) + Send + 'static) -> TestPortal {
    let configure = Box::new(move |c: &mut Config| {
        c.databases.system_dir = machine("no-nodes");
        configure(c);
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// The cores that the kernel allows the server of a database to use.
fn in_force(portal: &TestPortal, name: &str) -> String {
    let status = docker_ok(&["exec", &portal.container(name), "cat", "/proc/1/status"]);
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.expect("the kernel's list").trim().to_owned()
}

async fn until_in_force(portal: &TestPortal, name: &str, cores: &str) {
    let begin = Instant::now();
    while in_force(portal, name) != cores {
        assert!(begin.elapsed() < PATIENCE, "{name} should have {cores} but has {}", in_force(portal, name));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The cores of all databases in the portal's rows, by name.
fn rows(portal: &TestPortal) -> String {
    portal.sql("select string_agg(name || '=' || coalesce(cpuset_assigned, ''), ' ' order by name) from container")
}

async fn patch(api: &Client, name: &str, cpuset: Value) -> crate::support::Reply {
    api.json(Method::PATCH, &format!("/api/v1/containers/{name}"), &json!({ "cpuset": cpuset })).await
}

async fn post(api: &Client, path: &str) {
    api.send(Method::POST, &format!("/api/v1/containers/{path}?wait=300"), |r| r).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_database_is_pinned_moved_and_released_without_a_restart() {
    let portal = portal(|_| {}).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    tokio::join!(ada.create("one", &[("cpuset", "auto:1")]), ada.create("two", &[("cpuset", "1")]));
    let found = api.get("/api/v1/containers/one").await.expect(200).json();
    assert_eq!(found["cpuset"], "auto:1");
    let (one, two) = (in_force(&portal, "one"), in_force(&portal, "two"));
    assert_eq!(found["cpuset_assigned"], one);
    assert_eq!([&one, &two].iter().map(|c| c.as_str()).collect::<std::collections::BTreeSet<_>>(), ["0", "1"].into());
    assert!(ada.get("/containers/one").await.text().contains(&format!("{one}, chosen automatically")));

    // One database requests the core of the other, which moves to another core. Nobody is disconnected.
    let db = portal.connect("one", "correct-horse").await.expect("it runs");
    let changed = patch(&api, "one", json!(format!("{two}-{two}"))).await.expect(200).json();
    assert_eq!((&changed["cpuset_assigned"], &changed["job"]), (&json!(two), &json!(null)));
    assert_eq!(in_force(&portal, "one"), two);
    until_in_force(&portal, "two", &one).await;
    // A set on the page, and both cores again.
    ada.post("/containers/one/settings", &[("cpuset", "0-1")]).await.expect(303);
    assert_eq!(in_force(&portal, "one"), "0-1");
    patch(&api, "one", json!(1)).await.expect(200);
    assert_eq!(in_force(&portal, "one"), two, "the core that the other does not have");
    assert_eq!(patch(&api, "one", json!("")).await.expect(200).json()["cpuset"], json!(null));
    assert_eq!(in_force(&portal, "one"), "0-1", "released");
    assert_eq!(rows(&portal), format!("one= two={one}"));
    db.query_one("select 1", &[]).await.expect("the connection was not closed");
    assert_eq!(portal.sql("select count(*) from job where kind <> 'create'"), "0");

    for (wrong, sentence) in [
        (json!("0,7"), "This machine has no core 7. Its cores are 0-1."),
        (json!(3), "at most 2 of the cores"),
        (json!("1-0"), "runs backwards"),
        (json!("0,0"), "Core 0 is listed twice"),
        (json!("-1"), "negative"),
        (json!("auto:two"), "needs a number of cores"),
        (json!("99999999999999999999"), "too large"),
        (json!(0), "at least 1 core"),
    ] {
        let problem = patch(&api, "two", wrong.clone()).await.expect(422).json();
        let said = problem["errors"]["cpuset"].as_str().unwrap_or_default();
        assert!(said.contains(sentence), "{wrong}: {problem}");
        let page = ada.submit_create("three", &[("cpuset", wrong.to_string().trim_matches('"'))]).await.expect(422);
        assert!(page.text().contains(sentence), "{wrong}: {}", page.text());
    }
    let told = portal.sql("select string_agg(detail, '; ' order by id) from log where action = 'container.edit'");
    assert!(told.contains("cores auto:1 → ") && told.contains("→ all"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_spread_and_few_move_when_one_is_deleted() {
    let portal = portal(|c| c.databases.pin_cores = 1).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    let form = ada.get("/containers/new?engine=postgres").await.expect(200);
    assert!(form.body.contains(r#"value="auto:1""#), "the form shows the default pinning: {}", form.body);
    let names = ["d1", "d2", "d3", "d4"];
    futures::future::join_all(names.map(|name| ada.create(name, &[]))).await;
    let on = |core: &str| -> Vec<String> {
        let names = "select coalesce(string_agg(name, ' ' order by name), '') from container where cpuset_assigned";
        portal.sql(&format!("{names} = '{core}'")).split_whitespace().map(str::to_owned).collect()
    };
    let (zero, one) = (on("0"), on("1"));
    assert_eq!((zero.len(), one.len()), (2, 2), "simultaneous requests count each other: {}", rows(&portal));
    for name in names {
        assert_eq!(in_force(&portal, name), if on("0").iter().any(|n| n == name) { "0" } else { "1" });
    }
    // Both databases on core 1 are stopped, one of them is in the trash: one on core 0 moves.
    post(&api, &format!("{}/stop", one[0])).await;
    assert_eq!((on("0"), on("1")), (zero.clone(), vec![one[1].clone()]), "nothing moves for a difference of one");
    let path = format!("/api/v1/containers/{0}?confirm={0}&wait=300", one[1]);
    api.send(Method::DELETE, &path, |r| r).await.expect(200);
    assert_eq!((on("0").len(), on("1").len()), (1, 1), "{}", rows(&portal));
    let of = |name: &str| portal.sql(&format!("select cpuset_assigned from container where name = '{name}'"));
    for name in &zero {
        assert_eq!(in_force(&portal, name), of(name));
    }
    // Someone else changes a container; the reconciler notices.
    docker_ok(&["update", "--cpuset-cpus", "0-1", &portal.container(&zero[0])]);
    until_in_force(&portal, &zero[0], &of(&zero[0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_starts_without_its_cores_and_says_so() {
    let mut portal = portal(|_| {}).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("cpuset", "1-1"), ("backup_freq", "Never")]).await;
    assert_eq!(in_force(&portal, "lab"), "1");
    let restart_on = async |portal: &mut TestPortal, tree: PathBuf| {
        let ada = portal.nobody();
        ada.sign_in("ada", "researcher-1").await;
        ada.post("/containers/lab/stop", &[]).await.expect(303);
        ada.wait_for("lab", "stopped").await;
        assert_eq!(rows(portal), "lab=");
        portal.stop().await;
        portal.config.databases.system_dir = tree;
        portal.run().await;
        let ada = portal.nobody();
        ada.sign_in("ada", "researcher-1").await;
        ada.post("/containers/lab/start", &[]).await.expect(303);
        ada.wait_for("lab", "running").await;
        ada
    };
    let ada = restart_on(&mut portal, machine("one-core")).await;
    assert_eq!((in_force(&portal, "lab").as_str(), rows(&portal).as_str()), ("0", "lab=0"));
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("lab runs on other cores") && page.contains("This machine has no core 1."), "{page}");
    // The existing value stays valid, so that other settings can be saved.
    ada.post("/containers/lab/settings", &[("cpuset", "1-1"), ("description", "x")]).await.expect(303);
    // Nothing about the machine is known: the database starts nevertheless.
    let ada = restart_on(&mut portal, machine("nowhere")).await;
    assert_eq!((in_force(&portal, "lab").as_str(), rows(&portal).as_str()), ("0-1", "lab="));
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("The portal cannot read the cores of its machine"), "{page}");
    // The core is back, and the notice disappears.
    let ada = restart_on(&mut portal, machine("no-nodes")).await;
    assert_eq!(in_force(&portal, "lab"), "1");
    assert!(!ada.get("/containers/lab").await.expect(200).text().contains("runs on other cores"));
}
