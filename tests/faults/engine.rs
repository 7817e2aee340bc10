//! The container engine fails at every operation: once or permanently, before or after it did what was requested.

use std::time::Duration;

use mydb::runtime::fault::{Fault, FaultTiming};
use mydb::runtime::image_states::ImageState;
use tokio::task::JoinSet;

use super::{Place, keep, kept, until};
use crate::support::{Client, TestPortal};

/// Operations of the engine that a create uses.
const CREATE: [&str; 8] = ["image", "ensure_network", "create", "copy_in", "start", "exec", "inspect", "inspect_json"];
/// Operations of the engine that a delete uses.
const DELETE: [&str; 3] = ["inspect", "stop", "remove"];
const STRIKES: [FaultTiming; 2] = [FaultTiming::Before, FaultTiming::After];

fn once(operation: &'static str, strike: FaultTiming) -> Fault {
    Fault { operation, strike, times: 1, transient: true }
}

fn for_good(operation: &'static str, strike: FaultTiming) -> Fault {
    Fault { operation, strike, times: u32::MAX, transient: false }
}

/// Starts a portal and waits until it knows all its images, so that it uses the engine only for the test's operations.
async fn quiet_portal() -> TestPortal {
    let portal = TestPortal::start().await;
    let app = &portal.app().app;
    let here = |image: &String| matches!(app.images.get(image), ImageState::Present { .. });
    let known = || app.config.images.replace.keys().all(here);
    until("the images are known", known).await;
    // The last image of the catalog is not one of them: its lookup ends a moment later.
    tokio::time::sleep(Duration::from_secs(1)).await;
    portal
}

async fn passes(portal: &TestPortal, admin: &Client, fault: Fault) {
    let name = format!("once-{:?}", fault.strike).to_lowercase();
    let what = format!("{fault:?}");
    portal.faults.inject(fault);
    admin.create(&name, &[]).await;
    assert_eq!(portal.faults.left(), 0, "{what} has not struck");
    let attempts = format!("select attempt from job join container c on c.id = container_id where name = '{name}'");
    assert_eq!(portal.sql(&attempts), "2", "{what}: a second attempt is made");
    portal.connect(&name, "correct-horse").await.unwrap_or_else(|e| panic!("{what}: {e}"));
}

async fn fails(portal: &TestPortal, admin: &Client, fault: Fault) {
    let name = format!("for-good-{:?}", fault.strike).to_lowercase();
    let what = format!("{fault:?}");
    portal.faults.inject(fault);
    admin.submit_create(&name, &[]).await.expect(303);
    admin.wait_for(&name, "failed").await;
    let page = admin.get(&format!("/containers/{name}")).await.expect(200).text();
    assert!(page.contains("injected fault") && page.contains("Failed step"), "{what}: {page}");
    let kept = format!(
        "select failed_step <> '' and failed_reason like '%injected fault%' from state
           join container c on c.id = container_id where name = '{name}'"
    );
    assert_eq!(portal.sql(&kept), "t", "{what}: step and reason are kept");
    let undone = portal.container(&name);
    assert!(!portal.containers().contains(&undone), "{what}: no container is left");
    let id = portal.sql(&format!("select id from container where name = '{name}'"));
    assert!(!Place::of(portal).directories().contains(&id), "{what}: no directory is left");

    portal.faults.heal();
    assert!(page.contains("Try again"), "{what}: {page}");
    admin.post(&format!("/containers/{name}/start"), &[]).await.expect(303);
    admin.wait_for(&name, "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_survives_temporary_errors_and_undoes_permanent_ones() {
    let mut all = JoinSet::new();
    for operation in CREATE {
        all.spawn(async move {
            let portal = quiet_portal().await;
            let admin = portal.admin().await;
            for strike in STRIKES {
                passes(&portal, &admin, once(operation, strike)).await;
                fails(&portal, &admin, for_good(operation, strike)).await;
            }
            Place::of(&portal).all_is_right().await;
            assert_eq!(portal.sql("select count(*) from state where state = 'running'"), "4", "{operation}");
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("the test of every operation passes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_survives_temporary_errors_and_reports_permanent_ones() {
    let mut all = JoinSet::new();
    for operation in DELETE {
        all.spawn(async move {
            let portal = quiet_portal().await;
            let place = Place::of(&portal);
            let admin = portal.admin().await;
            admin.create("lab", &[]).await;
            keep(&portal, "lab").await;
            for strike in STRIKES {
                deletes(&portal, &place, &admin, operation, strike).await;
            }
            place.all_is_right().await;
            assert!(kept(&portal, "lab").await, "{operation}: the row is lost");
        });
    }
    while let Some(ended) = all.join_next().await {
        ended.expect("the test of every operation passes");
    }
}

/// Deletes `lab` despite a temporary and then a permanent error, and takes it out of the trash again.
async fn deletes(portal: &TestPortal, place: &Place, admin: &Client, operation: &'static str, strike: FaultTiming) {
    portal.faults.inject(once(operation, strike));
    admin.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    admin.wait_for("lab", "in the trash").await;
    assert_eq!(portal.faults.left(), 0, "{operation}: the fault has not struck");
    place.all_is_right().await;
    admin.post("/containers/lab/undelete", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;

    portal.faults.inject(for_good(operation, strike));
    admin.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    admin.wait_for("lab", "failed").await;
    let page = admin.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("injected fault") && page.contains("Your data is unchanged"), "{operation}: {page}");
    portal.faults.heal();
    admin.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    admin.wait_for("lab", "in the trash").await;
    place.all_is_right().await;
    admin.post("/containers/lab/undelete", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;
}
