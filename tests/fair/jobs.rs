//! Every job can be cancelled or shows its deadline, and a failure changes only the state of its own database.

use std::time::{Duration, Instant};

use mydb::runtime::fault::{Fault, FaultTiming};

use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_can_be_cancelled_and_states_its_deadline() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let bert = portal.user("bert").await;
    let api = portal.token(&ada).await;
    // The engine seems unavailable at one step, again and again.
    portal.faults.inject(Fault { operation: "copy_in", strike: FaultTiming::Before, times: 1000, transient: true });
    ada.submit_create("lab", &[]).await.expect(303);
    let job = portal.sql("select id from job where kind = 'create'");
    portal.until("select started_at is not null from job where kind = 'create'", |so| so == "t").await;
    let seen = api.get(&format!("/api/v1/jobs/{job}")).await.expect(200).json();
    assert_eq!(seen["cancellable"], true, "{seen}");
    assert!(seen["deadline"].as_str().is_some_and(|at| at.ends_with('Z')), "{seen}");
    let page = ada.get(&format!("/jobs/{job}")).await.expect(200).text();
    assert!(page.contains("Cancel job") && page.contains("Deadline"), "{page}");

    portal
        .token(&bert)
        .await
        .send(reqwest::Method::POST, &format!("/api/v1/jobs/{job}/cancel"), |r| r)
        .await
        .expect(404);
    api.send(reqwest::Method::POST, &format!("/api/v1/jobs/{job}/cancel"), |r| r).await.expect(202);
    portal.faults.heal();
    assert_eq!(portal.ended("create").await, ("cancelled".to_owned(), "Cancelled by ada.".to_owned()));
    assert_eq!(ada.state("lab").await, "failed");
    assert!(portal.containers().iter().all(|n| !n.ends_with("-lab")), "{:?}", portal.containers());
    api.send(reqwest::Method::POST, &format!("/api/v1/jobs/{job}/cancel"), |r| r).await.expect(409);
    // The database can still be created.
    ada.post("/containers/lab/start", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_beyond_its_deadline_fails() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    portal.faults.inject(Fault { operation: "copy_in", strike: FaultTiming::Before, times: 1000, transient: true });
    ada.submit_create("lab", &[]).await.expect(303);
    // As if the job had begun long ago.
    portal.sql("update job set started_at = now() - interval '7 hours' where kind = 'create'");
    let (status, error) = portal.ended("create").await;
    assert_eq!(status, "failed");
    assert!(error.contains("did not finish within 6 h"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_change_of_password_leaves_a_healthy_server_running() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    // A job whose password is missing: it fails at the step that sets the password.
    portal.sql(
        "begin; delete from credential where kind = 'user';
         insert into job (id, kind, container_id, run_at, created_by, created_at)
             select gen_random_uuid(), 'rotate-password', id, now(), 'ada', now() from container;
         insert into job_step (job_id, seq, name) select id, n, 'step ' || n from job, generate_series(1, 3) n where kind = 'rotate-password';
         commit",
    );
    let (status, error) = portal.ended("rotate-password").await;
    assert_eq!(status, "failed", "{error}");
    assert_eq!(ada.state("lab").await, "running");
    portal.connect("lab", "correct-horse").await.expect("signs in as before");
}

/// Sends a dump that takes minutes to load, with curl as a user would.
fn send_slow(portal: &TestPortal, token: &str, name: &str) {
    let file = portal.dir.join("slow.sql");
    std::fs::write(&file, "-- PostgreSQL database dump\ncreate table t (i int);\nselect pg_sleep(300);\n-- PostgreSQL database dump complete\n")
        .expect("a file");
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sS", "-k", "-H", &format!("Authorization: Bearer {token}")]);
    for (field, value) in [("engine", "postgres"), ("name", name), ("dbname", "trial"), ("dbuser", "ada")] {
        curl.arg("-F").arg(format!("{field}={value}"));
    }
    curl.arg("-F").arg(format!("dump=@{}", file.display()));
    let said = curl.arg(format!("{}/api/v1/containers/from-dump", portal.base)).output().expect("curl");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("\"steps\""), "the response is not a job: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_loads_of_one_person_do_not_block_others_and_can_be_cancelled() {
    let portal = TestPortal::start().await;
    let (ada, bert) = (portal.user("ada").await, portal.user("bert").await);
    let page = ada.post("/account/tokens", &[("name", "curl"), ("days", "1")]).await.expect(200);
    let shown = page.all("code, pre");
    let token = shown.iter().map(|t| t.trim()).find(|t| t.len() == 64).expect("the token is shown");
    for n in 0..5 {
        send_slow(&portal, token, &format!("slow-{n}"));
    }
    let loading = "select count(*) from job j join job_step s on s.job_id = j.id where s.name = 'Load the dump' and s.status = 'running'";
    let begin = Instant::now();
    while portal.sql(loading) != "2" {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "two dumps must load at the same time: {}",
            portal.sql(loading)
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bert.create("lab", &[]).await;
    assert_eq!(portal.sql("select count(*) from job where kind = 'load' and status = 'running'"), "2");
    assert_eq!(portal.sql("select count(*) from job where kind = 'load' and status = 'queued'"), "3");

    // A job that no worker has taken yet ends at once, and what was created for it is undone.
    let api = portal.token(&ada).await;
    let queued = portal.sql("select id from job where kind = 'load' and status = 'queued'");
    for (n, id) in queued.lines().enumerate() {
        if n == 0 {
            ada.post(&format!("/jobs/{id}/cancel"), &[]).await.expect(303);
            let page = ada.get(&format!("/jobs/{id}")).await.expect(200).text();
            assert!(page.contains("Cancelled by ada.") && !page.contains("Cancel job"), "{page}");
            continue;
        }
        let path = format!("/api/v1/jobs/{id}/cancel");
        let said = api.send(reqwest::Method::POST, &path, |r| r).await.expect(202).json();
        assert_eq!((said["status"].as_str(), said["started_at"].is_null()), (Some("cancelled"), true), "{said}");
        api.send(reqwest::Method::POST, &path, |r| r).await.expect(409);
    }
    assert_eq!(portal.sql("select count(*) from job where kind = 'load' and status = 'running'"), "2");
    let states =
        "select string_agg(state::text, ' ') from state s join job j using (container_id) where j.status = 'cancelled'";
    assert_eq!(portal.sql(states), "failed failed failed");

    let jobs = portal.sql("select id from job where kind = 'load' and status = 'running'");
    for id in jobs.lines() {
        ada.post(&format!("/jobs/{id}/cancel"), &[]).await.expect(303);
    }
    let begin = Instant::now();
    while portal.sql("select count(*) from job where kind = 'load' and status = 'cancelled'") != "5" {
        let jobs = portal.sql("select status, error from job where kind = 'load'");
        assert!(begin.elapsed() < Duration::from_secs(60), "the jobs were not cancelled in time: {jobs}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(portal.containers().iter().all(|n| !n.contains("-slow-")), "{:?}", portal.containers());
    assert_eq!(ada.state("slow-0").await, "failed");
}
