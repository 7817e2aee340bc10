//! Clock jumps: an hour back, or days ahead.

use super::{Place, until};
use crate::support::{TestPortal, docker::docker};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_set_back_by_an_hour_changes_nothing() {
    let portal = TestPortal::start().await;
    let place = Place::of(&portal);
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    admin.create("before", &[]).await;
    docker(&["kill", &portal.container("before")]);
    until("it is found dead", || portal.sql("select failures from state") == "1").await;
    // If a server is killed while a job is starting it, that job starts it again.
    let starts = || portal.sql("select count(*) from job where kind = 'start' and status = 'succeeded'");
    until("it is started again", || starts() == "1").await;

    portal.clock.shift(-HOUR);
    admin.get("/").await.expect(200);
    api.get("/api/v1/containers").await.expect(200);
    portal.admin().await.get("/admin/log").await.expect(200);
    admin.create("after", &[]).await;
    docker(&["kill", &portal.container("before")]);
    until("the reconciler continues", || starts() == "2").await;
    until("earlier findings are resolved", || portal.sql("select count(*) from finding") == "0").await;
    place.all_is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_of_mydb_admin_set_back_delays_nothing() {
    let mut portal = TestPortal::start().await;
    let place = Place::of(&portal);
    // A step back by an hour leaves times in the tables that are an hour ahead.
    portal.admin().await.submit_create("lab", &[]).await.expect(303);
    portal.kill();
    portal.sql("update job set run_at = now() + interval '1 hour', lease_until = lease_until + interval '1 hour'");
    // Further ahead than the longest interval of any periodic work.
    portal.sql("update schedule set next_run = now() + interval '3 days'");
    portal.run().await;
    portal.admin().await.wait_for("lab", "running").await;
    let stuck = "select count(*) from schedule where next_run > now() + interval '25 hours'";
    until("all periodic work runs", || portal.sql(stuck) == "0").await;
    place.all_is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trash_is_emptied_after_its_days() {
    let portal = TestPortal::start().await;
    let place = Place::of(&portal);
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    admin.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    admin.wait_for("lab", "in the trash").await;
    let purge = || portal.sql("update schedule set next_run = now() where name = 'purge'");
    let looked =
        || portal.sql("select count(*) from schedule where name = 'purge' and next_run > now() and result is not null");

    portal.clock.shift(9 * DAY);
    purge();
    until("the trash is checked", || looked() == "1").await;
    assert_eq!(portal.sql("select count(*) from job where kind = 'purge'"), "0");
    portal.clock.shift(11 * DAY);
    purge();
    let gone = "select count(*) from container where purged_at is not null";
    until("it is deleted permanently", || portal.sql(gone) == "1").await;
    place.all_is_right().await;
    assert!(place.directories().is_empty(), "its data is removed");
    assert_eq!(portal.sql("select count(*) from port"), "0");
    assert_eq!(portal.sql("select actor from log where action = 'container.purge' limit 1"), "reaper");
}
