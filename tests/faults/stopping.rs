//! A portal that is stopped leaves its work in a consistent state and continues it after the next start.

use std::time::{Duration, Instant};

use super::{Place, held, until};
use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_create_is_requeued_and_finished_after_the_start() {
    let mut portal = TestPortal::start().await;
    let place = Place::of(&portal);
    let admin = portal.admin().await;
    admin.submit_create("lab", &[]).await.expect(303);
    until("its server starts", || place.sql("select status from job_step where seq = 5") != "pending").await;
    let begin = Instant::now();
    portal.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(45), "it took {:?}", begin.elapsed());
    assert_eq!(place.sql("select count(*) from job where status = 'running'"), "0", "no job is left running");
    assert_eq!(place.sql("select attempt from job"), "0", "a stop does not count as an attempt");
    portal.run().await;
    portal.admin().await.wait_for("lab", "running").await;
    place.all_is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_step_does_not_block_the_stop() {
    let mut portal = TestPortal::start().await;
    let place = Place::of(&portal);
    held::prepare(&place);
    held::hold(&place, "create", "lab", 3, "running");
    let admin = portal.admin().await;
    admin.submit_create("lab", &[]).await.expect(303);
    until("its job is held", || held::waiting(&place) == 1).await;
    let begin = Instant::now();
    portal.stop().await;
    assert!(begin.elapsed() < Duration::from_secs(45), "it took {:?}", begin.elapsed());
    held::cut(&place);
    assert_eq!(place.sql("select status from job"), "queued");
    portal.run().await;
    portal.admin().await.wait_for("lab", "running").await;
    place.all_is_right().await;
}
