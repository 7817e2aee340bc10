//! The nightly import, and dumps that are still being written.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DurationRound, TimeDelta, Timelike, Utc};
use reqwest::Method;
use serde_json::json;

use super::{dumps, portal_with, settled, sql, update, write};

#[tokio::test(flavor = "multi_thread")]
async fn changed_dumps_are_imported_at_the_configured_hour() {
    // In the middle of an hour, so that the test does not run into the next one.
    let half_past = Utc::now().duration_trunc(TimeDelta::hours(1)).expect("an hour") + TimeDelta::minutes(30);
    let hour = move |config: &mut mydb::config::Config| {
        let at = half_past + TimeDelta::hours(3);
        config.templates.hour = Some(at.with_timezone(&config.backups.window.zone).hour());
    };
    let portal = portal_with(hour).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    let run = async |result: &str| {
        portal.sql("update schedule set result = null, next_run = now() - interval '1 day' where name = 'templates'");
        portal
            .until("select coalesce(result::text, '') from schedule where name = 'templates'", |said| {
                said.contains(result)
            })
            .await;
    };
    let set = |hours| portal.clock.shift((half_past + TimeDelta::hours(hours) - Utc::now()).num_seconds());
    set(2);
    run("it is not the hour").await;
    assert_eq!(portal.sql("select count(*) from template"), "0");
    set(3);
    run("shop").await;
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!(shop["version"], json!(1), "{shop}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_is_still_being_written_is_not_imported() {
    let portal = portal_with(|config| config.templates.settle = Duration::from_secs(2)).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    let over = Arc::new(AtomicBool::new(false));
    let (path, end) = (dumps(&portal).join("shop.sql"), over.clone());
    let writer = std::thread::spawn(move || {
        let mut file = std::fs::File::options().append(true).open(path).expect("the dump");
        let mut written = 0;
        while !end.load(Ordering::Relaxed) {
            writeln!(file, "insert into mice values ({written});").expect("written");
            written += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        written
    });
    api.json(Method::POST, "/api/v1/templates/update", &json!({})).await.expect(200);
    let waits = "select count(*) from job_step where detail like 'Waiting until the file no longer changes%'";
    portal.until(waits, |said| said == "1").await;
    // Longer than an unchanged file has to be unchanged.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(portal.sql(waits), "1", "it still waits");
    over.store(true, Ordering::Relaxed);
    let written = writer.join().expect("it wrote to the end");
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["versions"][0]["report"]["rows"]), (&json!(1), &json!(written)), "{shop}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_keeps_its_dump_under_another_name_and_with_another_ending() {
    let portal = portal_with(|_| {}).await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    api.json(Method::PATCH, "/api/v1/templates/shop", &json!({ "name": "market" })).await.expect(200);
    let done = update(&portal, &api).await;
    assert_eq!(
        (&done["importing"], &done["unchanged"], &done["problems"]),
        (&json!([]), &json!(["market"]), &json!([]))
    );
    write(&portal, "shop.sql", sql("create table mice (id int primary key, name text);\n"));
    assert_eq!(update(&portal, &api).await["importing"], json!(["market"]));
    // Another dump of its new name does not become its data.
    write(&portal, "market.sql", sql("create table stalls (id int primary key);\n"));
    let done = update(&portal, &api).await;
    let problem = done["problems"].to_string();
    assert!(problem.contains("“market” is made from shop.sql. Give market.sql another name."), "{done}");
    assert_eq!((&done["importing"], &done["unchanged"]), (&json!([]), &json!(["market"])));
    std::fs::remove_file(dumps(&portal).join("market.sql")).expect("removed");
    // The same dump, compressed: its template follows it.
    let packed = std::process::Command::new("gzip").arg(dumps(&portal).join("shop.sql")).status();
    assert!(packed.expect("gzip").success());
    api.json(Method::PATCH, "/api/v1/templates/market", &json!({ "name": "shop" })).await.expect(200);
    assert_eq!(update(&portal, &api).await["importing"], json!(["shop"]));
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], &shop["source"]), (&json!(3), &json!("shop.sql.gz")), "{shop}");
    assert_eq!(portal.sql("select count(*) from template"), "1");
}
