//! Servers that cannot be kept running: some crash repeatedly, others have damaged data.

use super::{Place, keep, kept, until};
use crate::support::{TestPortal, docker::docker};

/// Ends the reconciler's wait before the next start.
fn hurry(portal: &TestPortal) {
    portal.sql("update state set next_start_at = now() where next_start_at > now()");
}

fn reason(portal: &TestPortal) -> String {
    portal.sql("select state || ': ' || coalesce(failed_reason, '') from state")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashing_server_is_given_up_with_its_last_log_lines() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    keep(&portal, "lab").await;
    let container = portal.container("lab");
    let id = portal.sql("select id from container");
    let settings = portal.dir.join("tiers/standard").join(&portal.instance).join(&id).join("data/postgresql.auto.conf");
    let sound = std::fs::read_to_string(&settings).expect("its settings");
    std::fs::write(&settings, "no_such_setting = nonsense\n").expect("settings that prevent a start");
    docker(&["kill", &container]);
    until("it is given up", || {
        hurry(&portal);
        reason(&portal).starts_with("failed")
    })
    .await;
    let why = reason(&portal);
    assert!(why.contains("The server exited 5 times within 10 minutes") && why.contains("no_such_setting"), "{why}");
    let page = admin.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("will not be restarted automatically") && page.contains("no_such_setting"), "{page}");
    let tried = "select count(*) from job where kind = 'start' and created_by = 'reconciler'";
    assert_eq!(portal.sql(tried), "4", "started again after each of the first four exits");
    Place::of(&portal).reconciled().await;
    assert_eq!(portal.sql(tried), "4", "a failed server is not started again");

    std::fs::write(&settings, sound).expect("the settings are repaired");
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;
    assert!(kept(&portal, "lab").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn delays_between_restarts_grow() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    let container = portal.container("lab");
    let starts = || {
        portal
            .sql("select count(*) from job where kind = 'start' and status = 'succeeded'")
            .parse::<u32>()
            .expect("a number")
    };
    docker(&["kill", &container]);
    until("the first start follows at once", || starts() == 1).await;
    docker(&["kill", &container]);
    let said = portal.sql("select failures || ' ' || extract(epoch from next_start_at - failures_since) from state");
    let (failures, wait) = said.split_once(' ').expect("two numbers");
    let wait = wait.parse::<f64>().expect("seconds");
    // On a slow machine the second failure has already been counted, and the wait is longer.
    let grown = if failures == "1" { (wait - 2.0).abs() < 0.1 } else { wait > 4.0 };
    assert!(grown, "{wait} s after the first, with {failures} failures");
    until("the second start follows", || starts() == 2).await;
    assert_eq!(portal.sql("select failures from state"), "2");
    assert_eq!(portal.sql("select state from state"), "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_foreign_data_directory_is_not_touched() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    keep(&portal, "lab").await;
    let container = portal.container("lab");
    let root = portal.dir.join("tiers/standard").join(&portal.instance).join(portal.sql("select id from container"));
    let (data, away) = (root.join("data"), portal.dir.join("elsewhere"));

    admin.post("/containers/lab/stop", &[]).await.expect(303);
    admin.wait_for("lab", "stopped").await;
    std::fs::rename(&data, &away).expect("the disk is away");
    for directory_is_there in [false, true] {
        if directory_is_there {
            std::fs::create_dir(&data).expect("an empty mount point");
        }
        admin.post("/containers/lab/start", &[]).await.expect(303);
        admin.wait_for("lab", "failed").await;
        let why = reason(&portal);
        assert!(why.contains("Is its disk mounted? Nothing was changed."), "{why}");
        let made = std::fs::read_dir(&data).map_or(0, Iterator::count);
        assert_eq!(made, 0, "nothing is initialised anew");
    }
    std::fs::remove_dir(&data).expect("it is empty");
    std::fs::rename(&away, &data).expect("the disk is back");

    std::fs::write(data.join("PG_VERSION"), "13\n").expect("another version");
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "failed").await;
    let why = reason(&portal);
    assert!(why.contains("written by version 13, but the image is version 17. Nothing was changed."), "{why}");
    assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &container]), "false", "no server was started on it");
    std::fs::write(data.join("PG_VERSION"), "17\n").expect("the right version");
    admin.post("/containers/lab/start", &[]).await.expect(303);
    admin.wait_for("lab", "running").await;
    assert!(kept(&portal, "lab").await, "the row is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_an_unmounted_disk_fails_with_that_reason() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    let root = portal.dir.join("tiers/standard").join(&portal.instance).join(portal.sql("select id from container"));
    docker(&["rm", "-f", &portal.container("lab")]);
    std::fs::rename(root.join("data"), portal.dir.join("elsewhere")).expect("the disk is away");
    until("it is given up", || {
        hurry(&portal);
        reason(&portal).starts_with("failed")
    })
    .await;
    let why = reason(&portal);
    assert!(why.contains("Is its disk mounted? Nothing was changed."), "{why}");
    assert!(
        portal.containers().is_empty() && !root.join("data").exists(),
        "neither a container nor a data directory was created"
    );
}
