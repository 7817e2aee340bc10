//! The container engine does not respond while it restarts: work waits and then continues.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mydb::runtime::docker::DockerRuntime;
use mydb::runtime::fault::{Fault, FaultTiming};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::{Place, held, keep, kept, until};
use crate::support::{Options, TestPortal, docker};

/// A socket in front of the engine's socket that the test can shut. The engine itself serves other tests.
struct Door {
    path: PathBuf,
    open: watch::Sender<bool>,
}

impl Door {
    fn new() -> Self {
        let name = format!("db4sci-door-{}-{:?}.sock", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name.replace(['(', ')'], ""));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).expect("a socket");
        let (open, state) = watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut inside, _)) = listener.accept().await {
                let mut state = state.clone();
                tokio::spawn(async move {
                    if !*state.borrow_and_update() {
                        return;
                    }
                    let Ok(mut engine) = UnixStream::connect("/var/run/docker.sock").await else { return };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut inside, &mut engine) => {}
                        _ = state.changed() => {}
                    }
                });
            }
        });
        Self { path, open }
    }

    fn shut(&self) {
        self.open.send_replace(false);
    }

    fn reopen(&self) {
        self.open.send_replace(true);
    }

    async fn portal(&self) -> TestPortal {
        let runtime = DockerRuntime::connect_to(&self.path.display().to_string()).await.expect("the engine answers");
        TestPortal::with(Options { runtime: Some(Arc::new(runtime)), ..Options::default() }).await
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_answer_and_work_waits_while_the_engine_restarts() {
    let door = Door::new();
    let portal = door.portal().await;
    let place = Place::of(&portal);
    let admin = portal.admin().await;
    for name in ["kept", "leaving"] {
        admin.create(name, &[]).await;
    }
    keep(&portal, "kept").await;
    admin.get("/readyz").await.expect(200);

    door.shut();
    for page in
        ["/", "/containers/kept", "/containers/kept/settings", "/containers/new", "/admin", "/admin/system", "/healthz"]
    {
        admin.get(page).await.expect(200);
    }
    let ready = admin.get("/readyz").await.expect(503);
    assert!(ready.body.contains("container engine") && !ready.body.contains("mydb_admin"), "{}", ready.body);
    admin.submit_create("later", &[]).await.expect(303);
    admin.post("/containers/leaving/delete", &[("confirm", "leaving")]).await.expect(303);
    let waits = "select count(*) from job_step where status = 'pending' and detail like '%did not respond%Retrying.'";
    until("the pages say what both jobs wait for", || place.sql(waits) == "2").await;
    // A restart of the engine kills its containers.
    for name in ["kept", "leaving"] {
        docker::docker(&["kill", &portal.container(name)]);
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(
        place.sql("select count(*) from job where status in ('queued', 'running') and attempt <= 1"),
        "2",
        "waiting does not count as an attempt"
    );
    assert_eq!(place.sql("select count(*) from state where state = 'failed'"), "0");

    door.reopen();
    for (name, state) in [("later", "running"), ("leaving", "in the trash"), ("kept", "running")] {
        admin.wait_for(name, state).await;
    }
    let restarted = "select count(*) from log where actor = 'reconciler' and action = 'container.start' and container_name = 'kept'";
    until("the reconciler starts what should run", || place.sql(restarted) != "0").await;
    place.all_is_right().await;
    assert!(kept(&portal, "kept").await);
    admin.get("/readyz").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_steps_are_undone_when_the_engine_responds_again() {
    let door = Door::new();
    let portal = door.portal().await;
    let place = Place::of(&portal);
    held::prepare(&place);
    let admin = portal.admin().await;
    portal.faults.inject(Fault { operation: "exec", strike: FaultTiming::Before, times: u32::MAX, transient: false });
    held::hold(&place, "create", "lab", 6, "failed");
    admin.submit_create("lab", &[]).await.expect(303);
    until("its create has failed", || held::waiting(&place) == 1).await;
    door.shut();
    held::release(&place);
    until("its failure is recorded", || place.sql("select status from job_step where seq = 6") == "failed").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(
        place.sql("select state from state"),
        "provisioning",
        "it must not be reported as failed before it has been undone"
    );
    assert_eq!(place.containers().len(), 1);
    door.reopen();
    admin.wait_for("lab", "failed").await;
    place.all_is_right().await;
    assert!(place.sql("select failed_reason from state").contains("injected fault"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_ends_between_two_steps_does_not_fail_the_create() {
    let door = Door::new();
    let portal = door.portal().await;
    let place = Place::of(&portal);
    held::prepare(&place);
    let admin = portal.admin().await;
    for (name, seq) in [("waiting", 6), ("accounts", 7), ("handing", 8)] {
        held::hold(&place, "create", name, seq, "running");
        admin.submit_create(name, &[]).await.expect(303);
    }
    until("all are held", || held::waiting(&place) == 3).await;
    door.shut();
    for name in ["waiting", "accounts", "handing"] {
        docker::docker(&["stop", &portal.container(name)]);
    }
    held::release(&place);
    until("all jobs have noticed it", || place.sql("select count(*) from job where error is not null") == "3").await;
    door.reopen();
    for name in ["waiting", "accounts", "handing"] {
        admin.wait_for(name, "running").await;
    }
    place.all_is_right().await;
}
