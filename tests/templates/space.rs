//! Imports and loads that would fill a storage tier or exceed its limit.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use super::{Scripts, portal_with, sql, update, write};
use crate::backups::import::load::{named, send, staged, written};
use crate::support::disk::Disk;
use crate::support::seeds::directories;
use crate::support::{Client, TestPortal};

/// A dump of a few bytes that becomes gigabytes.
const HUGE: &str = "create table t (i int, body text);\n\
                    insert into t select i, repeat(md5(i::text), 60) from generate_series(1, 3000000) i;\n";

/// A portal whose templates are on this disk.
async fn portal(disk: &Disk, limit: Option<&str>) -> (TestPortal, Client) {
    let mut tier = disk.tier("small");
    "Small disk".clone_into(&mut tier.label);
    tier.limit = limit.map(str::to_owned);
    let portal = portal_with(move |config| {
        config.storage.push(tier);
        "small".clone_into(&mut config.templates.storage);
    })
    .await;
    let api = portal.token(&portal.admin().await).await;
    (portal, api)
}

fn left(disk: &Disk, portal: &TestPortal) -> Vec<String> {
    let mut found: Vec<_> = directories(&disk.at.join(&portal.instance)).iter().map(|path| name(path)).collect();
    // The dump of a load is kept for another attempt.
    found.retain(|name| !name.starts_with(".upload-"));
    found.sort();
    found
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The reason of the failed import, which says all of these words; the version before it is in use.
async fn refused(portal: &TestPortal, api: &Client, disk: &Disk, words: &[&str]) {
    let version = portal.sql("select id from template_version where number = 1");
    assert_eq!(left(disk, portal), std::slice::from_ref(&version));
    write(portal, "shop.sql", sql(HUGE));
    update(portal, api).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["versions"][0]["status"]), (&json!(1), &json!("failed")), "{shop}");
    let error = shop["versions"][0]["error"].as_str().expect("an error");
    println!("{error}");
    for text in words {
        assert!(error.contains(text), "{text}: {error}");
    }
    assert_eq!(left(disk, portal), [version], "nothing of the import is left");
    assert!(!portal.containers().iter().any(|name| name.contains("helper")), "{:?}", portal.containers());
    Scripts::of(portal, None).call(Method::POST, "/db/shop/ci", &[], 201).await;
    let free = rustix::fs::statvfs(&disk.at).expect("it is mounted");
    assert!(free.f_bavail * free.f_frsize > 600 << 20, "the space is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_would_fill_the_tier_is_stopped_and_leaves_the_version_before_it_in_use() {
    let Some(disk) = Disk::make("ext4", "1500M", &[]) else { return };
    let (portal, api) = portal(&disk, None).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    let words = [
        "The import was stopped because the storage tier “Small disk” was becoming full: its data used ",
        " MiB are free, and 512 MiB must remain",
        "Nothing of it was kept. Free up space there",
    ];
    refused(&portal, &api, &disk, &words).await;

    // A load into a new database ends in the same way. Its dump is kept for another attempt.
    let token = portal.token_secret(&portal.user("ada").await).await;
    let file = written(&portal, "huge.sql", HUGE.as_bytes());
    let fields = named(
        "lab",
        &[
            ("engine", "postgres"),
            ("dbname", "trial"),
            ("dbuser", "ada"),
            ("dbuserpass", "correct-horse"),
            ("storage", "small"),
        ],
    );
    let before = left(&disk, &portal);
    let (_, _, body) = send(&portal, &token, &fields, &file, &[]);
    let error = portal.ended("load").await.1;
    println!("{error}");
    for text in ["The load was stopped because the storage tier “Small disk” was becoming full", "select “Try again”"]
    {
        assert!(error.contains(text), "{text}: {error} {body}");
    }
    portal
        .until("select state from state join container on id = container_id where name = 'lab'", |s| s == "failed")
        .await;
    assert_eq!(left(&disk, &portal), before, "nothing of the load is left");
    assert_eq!(staged(&portal), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_would_exceed_the_limit_of_the_tier_is_stopped() {
    let Some(disk) = Disk::make("ext4", "4G", &[]) else { return };
    let (portal, api) = portal(&disk, Some("300m")).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    let words = [
        "The import was stopped because the storage tier “Small disk” has a limit of 300 MiB: its data used ",
        " MiB were left for it",
        "Nothing of it was kept. Free up space there, or have an administrator choose another tier or a larger limit",
    ];
    refused(&portal, &api, &disk, &words).await;
}
