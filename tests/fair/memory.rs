//! Databases that exceed their memory limit: their owners learn what to do, and operators can count it.

use std::sync::Arc;

use mydb::runtime::docker::DockerRuntime;
use mydb::runtime::fault::{Fault, FaultTiming, Faulty};
use reqwest::Method;
use serde_json::json;

use crate::support::docker::{docker, docker_ok};
use crate::support::{Options, TestPortal};

const KILLS: &str = "select oom_kills from container";

/// Lets a program in the container of a database use more memory than the database may. The kernel ends it, and nothing
/// outside of the container.
fn exceed(container: &str) {
    docker(&["exec", container, "sh", "-c", "head -c 600m /dev/zero | tail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_was_killed_for_its_memory_is_counted_and_explained() {
    let mut portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("memory", "200m")]).await;
    let container = portal.container("lab");
    exceed(&container);
    portal.until(KILLS, |n| n != "0").await;
    let page = ada.get("/containers/lab").await.expect(200);
    let said = page.text();
    assert!(said.contains("lab exceeded its memory limit") && said.contains("its limit of 200 MiB"), "{said}");
    assert!(page.body.contains(r#"<a class="button" href="/containers/lab/settings">Change settings</a>"#), "{said}");
    assert!(said.contains("Memory limit exceeded"), "{said}");
    let api = portal.token(&ada).await;
    let notices = api.get("/api/v1/containers/lab/notices").await.expect(200).json();
    assert_eq!(notices["items"][0]["kind"], "out_of_memory", "{notices}");

    // What happens while nobody listens is counted too, and no event is counted twice.
    let first: u32 = portal.sql(KILLS).parse().expect("a number");
    portal.stop().await;
    exceed(&container);
    portal.run().await;
    let more = portal.until(KILLS, |n| n.parse::<u32>().is_ok_and(|n| n > first)).await;
    let metrics = portal.nobody().get("/metrics").await.expect(200).body;
    assert!(metrics.contains(&format!("db4sci_oom_kills_total{{engine=\"postgres\"}} {more}\n")), "{metrics}");
    portal.stop().await;
    portal.run().await;
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    let api = portal.token(&portal.admin().await).await;
    // One notice an hour is enough.
    assert_eq!(portal.sql("select count(*) from notice"), "1");
    assert_eq!(portal.sql("select count(*) from log where action = 'container.out_of_memory'"), "1");
    // More memory is what solves it.
    let body = json!({ "memory": "300m" });
    let made = api.outcome(Method::PATCH, "/api/v1/containers/lab", &body).await.expect(200).json();
    assert_eq!(made["oom_kills"].to_string(), more, "events are repeated to a portal that starts, and known");
    assert!(!ada.get("/containers/lab").await.text().contains("exceeded its memory limit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_killed_for_its_memory_is_noticed_without_events() {
    let engine = Faulty::new(Arc::new(DockerRuntime::connect().await.expect("the container engine answers")));
    // It reports no events.
    let fault = Fault { operation: "oom_kills", strike: FaultTiming::Before, times: u32::MAX, transient: true };
    engine.inject(fault);
    let portal = TestPortal::with(Options { runtime: Some(Arc::new(engine)), ..Options::default() }).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("memory", "200m")]).await;
    let container = portal.container("lab");
    // The kernel ends the server's first process before any other.
    docker_ok(&["exec", "-u", "postgres", &container, "sh", "-c", "echo 1000 > /proc/1/oom_score_adj"]);
    exceed(&container);
    portal.until(KILLS, |n| n == "1").await;
    assert_eq!(portal.ended("start").await.0, "succeeded");
    portal.connect("lab", "correct-horse").await.expect("it was started again");
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(page.contains("lab exceeded its memory limit") && page.contains("once, last at"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_reserved_as_configured() {
    let configure = Box::new(|c: &mut mydb::config::Config| c.databases.memory_reservation = 50);
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[("memory", "200m")]).await;
    let asked = docker_ok(&["inspect", "-f", "{{.HostConfig.MemoryReservation}}", &portal.container("lab")]);
    assert_eq!(asked, (100 << 20).to_string());
}
