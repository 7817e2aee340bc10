//! Databases on a Btrfs tier, where each data directory is a subvolume and a copy is a snapshot of it.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use mydb::domain::engine::EngineKind;
use mydb::storage::DataDir;
use reqwest::Method;
use serde_json::json;

use super::journey::journey_on;
use super::under_load::a_prefix_on;
use super::{call, sign};
use crate::backups::nothing_left;
use crate::support::disk::Disk;
use crate::support::{Options, POSTGRES_17, TestPortal};

/// The number of the top directory of a subvolume.
const TOP: u64 = 256;

/// A portal with a Btrfs tier named `btrfs`.
async fn portal_on(disk: &Disk) -> TestPortal {
    let tier = disk.tier("btrfs");
    let configure = Box::new(move |config: &mut mydb::config::Config| config.storage.push(tier));
    TestPortal::with(Options { configure, ..Options::default() }).await
}

/// The data directory of a database.
fn data(portal: &TestPortal, name: &str) -> DataDir {
    let tier = portal.config.storage.iter().find(|tier| tier.name == "btrfs").expect("the tier");
    let id = portal.sql(&format!("select id from container where name = '{name}' and purged_at is null"));
    DataDir::new(tier, &portal.config.instance, id.parse().expect("an id"))
}

fn is_subvolume(portal: &TestPortal, name: &str) -> bool {
    data(portal, name).data().metadata().expect("it is there").ino() == TOP
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_postgres_and_its_clones_live_on_snapshots() {
    let Some(disk) = Disk::make("btrfs", "6G", &[]) else { return };
    let portal = portal_on(&disk).await;
    journey_on(&portal, EngineKind::Postgres, POSTGRES_17, ("btrfs", true)).await;
    assert!(is_subvolume(&portal, "copy"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_mariadb_and_its_clones_live_on_snapshots() {
    let Some(disk) = Disk::make("btrfs", "6G", &[]) else { return };
    let portal = portal_on(&disk).await;
    journey_on(&portal, EngineKind::Mariadb, "docker.io/library/mariadb:11.8", ("btrfs", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_clone_of_a_busy_postgres_is_a_prefix_of_its_commits() {
    let Some(disk) = Disk::make("btrfs", "6G", &[]) else { return };
    let portal = portal_on(&disk).await;
    a_prefix_on(&portal, EngineKind::Postgres, POSTGRES_17, ("btrfs", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn a_clone_of_a_busy_mariadb_is_a_prefix_of_its_commits() {
    let Some(disk) = Disk::make("btrfs", "6G", &[]) else { return };
    let portal = portal_on(&disk).await;
    a_prefix_on(&portal, EngineKind::Mariadb, "docker.io/library/mariadb:11.8", ("btrfs", true)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_of_a_clone_is_reset_promoted_and_purged_and_leaves_no_subvolume() {
    let Some(disk) = Disk::make("btrfs", "6G", &[]) else { return };
    let portal = portal_on(&disk).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("storage", "btrfs"), ("memory", "128 MB")]).await;
    let mut lab = sign(&portal, EngineKind::Postgres, "lab", "correct-horse").await;
    lab.prepare().await.expect("the objects are created");
    lab.put("word", "first").await.expect("writes");
    let mut passwords = Vec::new();
    for (from, to) in [("lab", "copy"), ("copy", "copy-2")] {
        let made = call(&api, &format!("{from}/clone"), &json!({ "name": to }), 201).await;
        passwords.push(made["password"].as_str().expect("a password").to_owned());
        assert!(is_subvolume(&portal, from) && is_subvolume(&portal, to));
    }
    let sign_in = async |name: &str, n: usize| sign(&portal, EngineKind::Postgres, name, &passwords[n]).await;
    let mut second = sign_in("copy-2", 1).await;
    assert_eq!(second.get("word").await, Ok(Some("first".to_owned())));
    second.put("word 2", "in the clone of the clone").await.expect("writes");
    drop(second);
    call(&api, "copy-2/reset", &json!({}), 200).await;
    assert_eq!(sign_in("copy-2", 1).await.get("word 2").await, Ok(None));
    // Undone, the data from before the reset is back.
    let previous = portal.sql(
        "select s.id from snapshot s join container c on c.id = container_id
          where c.name = 'copy-2' and reason = 'restore' and made_at is not null and removed_at is null",
    );
    let path = format!("/containers/copy-2/snapshots/{previous}/restore");
    ada.post(&path, &[]).await.expect(303);
    let done = portal.ended("go-back").await;
    assert_eq!(done, ("succeeded".to_owned(), String::new()));
    let word = sign_in("copy-2", 1).await.get("word 2").await;
    assert_eq!(word, Ok(Some("in the clone of the clone".to_owned())));
    call(&api, "copy/promote", &json!({}), 200).await;

    // The measurement counts what they share once, and the page names the method.
    portal.sql("update schedule set next_run = now() where name = 'usage'");
    let measured = "select copies || ' ' || (shared_bytes > 0)::text from tier_usage where tier = 'btrfs'";
    portal.until(measured, |said| said == "subvolume true").await;
    let page = portal.admin().await.get("/admin/storage").await.expect(200).text();
    assert!(page.contains("are snapshots of Btrfs subvolumes"), "{page}");
    let catalog = api.get("/api/v1/catalog").await.expect(200).json();
    let tier = catalog["storage"].as_array().expect("tiers").iter().find(|t| t["name"] == "btrfs").expect("the tier");
    assert_eq!(tier["copies"], "subvolume", "{catalog}");

    for name in ["lab", "copy", "copy-2"] {
        ada.post(&format!("/containers/{name}/delete"), &[("confirm", name), ("no_backup", "true")]).await.expect(303);
        ada.wait_for(name, "in the trash").await;
        ada.post(&format!("/containers/{name}/purge"), &[("confirm", name)]).await.expect(303);
        ada.wait_until_gone(name).await;
    }
    portal.sql("update snapshot set expires_at = now() where reason not in ('user', 'clone') and removed_at is null");
    portal.sql("update schedule set next_run = now() where name in ('set aside', 'snapshots')");
    portal.until("select count(*) from snapshot where removed_at is null", |said| said == "0").await;
    nothing_left(&portal, 0);
    assert_eq!(disk.subvolumes(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn seeds_spares_templates_and_a_failed_copy_work_on_btrfs() {
    let Some(disk) = Disk::make("btrfs", "6G", &[]) else { return };
    // Only the two images of PostgreSQL get a seed.
    let tier = mydb::config::Tier { engines: vec!["postgres".to_owned()], ..disk.tier("btrfs") };
    let configure = Box::new(move |config: &mut mydb::config::Config| {
        config.storage.insert(0, tier);
        config.templates.storage = "btrfs".to_owned();
        config.jobs.prepare = Duration::from_secs(1);
        let rule = mydb::config::SpareRule::parse("postgres=1").expect("a rule");
        config.databases.spares = vec![rule];
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    portal.until("select count(*) from seed where tier = 'btrfs' and made_at is not null", |said| said == "2").await;
    portal.until("select count(*) from spare where made_at is not null", |said| said == "1").await;
    let seed = portal.sql("select id from seed where tier = 'btrfs' and image like '%17' and made_at is not null");
    let seed = DataDir::new(&portal.config.storage[0], &portal.config.instance, seed.parse().expect("an id"));
    assert_eq!(seed.data().metadata().expect("there").ino(), TOP, "a seed is a subvolume");
    // From the spare, and from the seed.
    for (name, image) in [("from-spare", POSTGRES_17), ("from-seed", crate::support::POSTGRES_15)] {
        ada.create(name, &[("storage", "btrfs"), ("image", image)]).await;
        assert!(is_subvolume(&portal, name), "{name}");
        portal.connect(name, "correct-horse").await.expect("signs in");
    }
    let how = "select string_agg(s.detail, '|' order by c.name) from job_step s join job j on j.id = s.job_id
                 join container c on c.id = j.container_id
                where j.kind = 'create' and s.name = 'Prepare the data directory'";
    assert_eq!(portal.sql(how), "From prepared data|From a server that was started in advance");
    // Another spare is being made.
    portal.until("select count(*) from spare where made_at is not null", |said| said == "1").await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |said| said == "0").await;
    // A failed copy leaves nothing behind, and the source unchanged.
    let before = disk.subvolumes().len();
    let inner = data(&portal, "from-seed").data().join("inner volume");
    crate::storage::run("btrfs", &["-q", "subvolume", "create", &inner.display().to_string()]);
    api.json(Method::POST, "/api/v1/containers/from-seed/clone", &json!({ "name": "copy" })).await.expect(202);
    let (status, error) = portal.ended("snapshot").await;
    assert!(status == "failed" && error.contains("data/inner volume") && error.contains("subvolume"), "{error}");
    ada.wait_for("copy", "failed").await;
    assert_eq!(disk.subvolumes().len(), before + 1, "{:?}", disk.subvolumes());
    crate::storage::run("btrfs", &["-q", "subvolume", "delete", &inner.display().to_string()]);
    // Tried again, it works. A template is a copy, and so is a database from it.
    assert_eq!(call(&api, "copy/start", &json!({}), 200).await["state"], "running");
    let from = json!({ "name": "shop", "source": { "database": "from-seed" } });
    api.outcome(Method::POST, "/api/v1/templates", &from).await.expect(201);
    let path = "/api/v1/templates/shop/clone";
    api.outcome(Method::POST, path, &json!({ "name": "from-template" })).await.expect(201);
    assert!(is_subvolume(&portal, "from-template"));
}
