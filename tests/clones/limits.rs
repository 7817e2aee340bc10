//! The limit of a storage tier counts what was copied since the last measurement.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::call;
use crate::support::disk::Disk;
use crate::support::{Options, TestPortal};

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_count_towards_the_limit_of_a_tier_before_they_are_measured() {
    let disk = Disk::make("tmpfs", "2G", &[]).expect("every machine has it");
    let tier = mydb::config::Tier { limit: Some("200m".to_owned()), ..disk.tier("small") };
    let configure = Box::new(move |config: &mut mydb::config::Config| {
        config.storage.push(tier);
        config.jobs.usage = Duration::from_secs(3600);
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    // The first measurement finds the tier empty, and there is no other.
    portal.until("select count(*) from tier_usage where tier = 'small'", |said| said == "1").await;
    ada.create("lab", &[("storage", "small")]).await;
    let mut taken = 0;
    let refused = loop {
        let reply = api.outcome(Method::POST, "/api/v1/containers/lab/snapshots", &json!({})).await;
        if reply.status != 200 {
            break reply.text();
        }
        taken += 1;
        assert!(taken < 10, "ten snapshots fit under the limit");
    };
    println!("{taken} snapshots fit");
    assert!(taken > 0 && refused.contains("The databases and snapshots on the storage tier “small” use"), "{refused}");
    assert!(refused.contains("more are needed, and the limit is 200 MiB. Delete snapshots"), "{refused}");
    let before = "select measured_at < (select created_at from container where name = 'lab') from tier_usage where tier = 'small'";
    assert_eq!(portal.sql(before), "t");
    // A clone needs a snapshot as well. With one fewer there is room again.
    api.json(Method::POST, "/api/v1/containers/lab/clone", &json!({ "name": "copy" })).await.expect(202);
    ada.wait_for("copy", "failed").await;
    let id = portal.sql("select id from snapshot where reason = 'user' and made_at is not null limit 1");
    api.json(Method::DELETE, &format!("/api/v1/containers/lab/snapshots/{id}"), &json!({})).await.expect(200);
    portal.sql("update schedule set next_run = now() where name = 'snapshots'");
    let gone = format!("select removed_at is not null from snapshot where id = '{id}'");
    portal.until(&gone, |said| said == "t").await;
    call(&api, "lab/snapshots", &json!({}), 200).await;
}
