//! Manual changes to the container engine or the disk: what should run is started again; unknown objects are reported
//! and left alone.

use mydb::jobs::reconcile_servers::reconcile;

use super::{keep, kept, until};
use crate::support::{TestPortal, docker::docker};

fn findings(portal: &TestPortal) -> String {
    portal.sql("select kind || ' ' || subject from finding order by kind, subject")
}

fn logged(portal: &TestPortal, kind: &str, name: &str) -> bool {
    let said = format!(
        "select count(*) from log where action = 'finding.new' and container_name = '{name}' and detail like '%{kind}%'"
    );
    portal.sql(&said) != "0"
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_that_should_run_are_restarted_after_manual_changes() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    for name in ["halted", "removed", "frozen"] {
        admin.create(name, &[]).await;
        keep(&portal, name).await;
    }
    docker(&["stop", &portal.container("halted")]);
    docker(&["rm", "-f", &portal.container("removed")]);
    docker(&["pause", &portal.container("frozen")]);
    until("it is detected and logged", || {
        logged(&portal, "should be running but is exited", "halted")
            && logged(&portal, "its container is missing", "removed")
            && logged(&portal, "is paused, and no job is copying its data", "frozen")
    })
    .await;
    for name in ["halted", "removed", "frozen"] {
        let again = format!(
            "select count(*) from job join container c on c.id = container_id
              where c.name = '{name}' and kind = 'start' and job.created_by = 'reconciler' and status = 'succeeded'"
        );
        until("it is started again", || portal.sql(&again) == "1").await;
        assert!(kept(&portal, name).await, "{name}: the row is there");
    }
    until("the findings are resolved", || findings(&portal).is_empty()).await;
    let resolved = "select count(*) from log where action = 'finding.resolved'";
    until("that is logged too", || portal.sql(resolved) == "3").await;
    super::Place::of(&portal).all_is_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unexpected_containers_are_reported_and_not_touched() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    admin.post("/containers/lab/stop", &[]).await.expect(303);
    admin.wait_for("lab", "stopped").await;
    let lab = portal.container("lab");
    docker(&["start", &lab]);
    let label = format!("db4sci.instance={}", portal.instance);
    let stranger = format!("{}-stranger", portal.instance);
    docker(&["create", "--name", &stranger, "--label", &label, "db4sci-dev/postgres:17", "true"]);
    let orphan = portal.dir.join("tiers/standard").join(&portal.instance).join(mydb::admin_db::new_id().to_string());
    std::fs::create_dir_all(&orphan).expect("a directory");

    let expected = format!("directory {}\nrunning {lab}\nunknown {stranger}", orphan.display());
    until("all three are found", || findings(&portal) == expected).await;
    let page = admin.get("/admin/states").await.expect(200).text();
    for said in ["was started manually", &stranger, &orphan.display().to_string()] {
        assert!(page.contains(said), "{said}: {page}");
    }
    // Two runs find the same and do nothing: no job, no change in the engine.
    let picture = || {
        (
            findings(&portal),
            portal.sql("select count(*) from job"),
            docker(&["ps", "-a", "--filter", &format!("label={label}"), "--format", "{{.ID}} {{.State}}"]),
        )
    };
    let before = picture();
    let first = serde_json::to_value(reconcile(&portal.app().app).await.expect("reconciles")).expect("JSON");
    let second = serde_json::to_value(reconcile(&portal.app().app).await.expect("reconciles")).expect("JSON");
    assert_eq!(first, second);
    assert_eq!(first["findings"], 3);
    assert_eq!(picture(), before);
    assert_eq!(portal.sql("select count(*) from log where action = 'finding.new'"), "3", "each is logged once");
    assert!(orphan.exists());
    docker(&["stop", &lab]);
    docker(&["rm", &stranger]);
    std::fs::remove_dir(&orphan).expect("it was not touched");
    until("the findings are resolved", || findings(&portal).is_empty()).await;
}
