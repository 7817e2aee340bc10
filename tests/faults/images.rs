//! Unavailable images.

use mydb::config::Config;

use super::{Place, until};
use crate::support::{Options, POSTGRES_15, POSTGRES_17, TestPortal, docker::docker};

/// Nothing listens there, so a pull fails at once.
const NOWHERE: &str = "localhost:1/nothing:15";

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_image_is_shown_and_rejected_with_the_reason() {
    let configure = |config: &mut Config| {
        config.images.replace.insert(POSTGRES_15.to_owned(), NOWHERE.to_owned());
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let admin = portal.admin().await;
    until("the image is known to be unavailable", || portal.app().app.images.get(POSTGRES_15).unavailable().is_some())
        .await;
    let form = admin.get("/containers/new?engine=postgres").await.expect(200);
    assert!(form.text().contains("currently unavailable") && !form.text().contains(NOWHERE), "{}", form.text());
    let reply = admin.submit_create("lab", &[("image", POSTGRES_15)]).await.expect(422);
    assert!(reply.text().contains("This version is currently unavailable"), "{}", reply.text());
    assert_eq!(portal.sql("select count(*) from container"), "0");
    admin.create("lab", &[("image", POSTGRES_17)]).await;
}

/// Removes the tag of this test on drop, also if the test fails.
struct Tag(String);

impl Drop for Tag {
    fn drop(&mut self) {
        docker(&["rmi", &self.0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_vanishes_after_the_form_fails_the_create_with_a_sentence() {
    let tag = Tag(format!("localhost:1/vanishing-{}:17", std::process::id()));
    docker(&["tag", "db4sci-dev/postgres:17", &tag.0]);
    let reference = tag.0.clone();
    let configure = move |config: &mut Config| {
        config.images.replace.insert(POSTGRES_17.to_owned(), reference);
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let admin = portal.admin().await;
    let present =
        || matches!(portal.app().app.images.get(POSTGRES_17), mydb::runtime::image_states::ImageState::Present { .. });
    until("the image is known to be present", present).await;
    docker(&["rmi", &tag.0]);
    admin.submit_create("lab", &[]).await.expect(303);
    admin.wait_for("lab", "failed").await;
    let page = admin.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("is not on this machine and cannot be pulled") && page.contains("Get the image"), "{page}");
    Place::of(&portal).all_is_right().await;

    docker(&["tag", "db4sci-dev/postgres:17", &tag.0]);
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;
    Place::of(&portal).all_is_right().await;
}
