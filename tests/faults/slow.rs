//! Slow servers: the portal waits for those that are working, and starts over if an image was interrupted while
//! initialising its data.

use std::time::Duration;

use mydb::domain::engine::EngineKind;

use super::until;
use crate::engines::{fields, place, sign_in};
use crate::support::{Options, Tables, TestPortal, docker};

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_waited_for_beyond_its_timeout() {
    let configure =
        Box::new(|config: &mut mydb::config::Config| config.databases.start_timeout = Duration::from_secs(4));
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    let more = fields(EngineKind::Neo4j, "docker.io/library/neo4j:5.26-community");
    let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
    ada.create("lab", &more).await;
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    let (status, error) = portal.ended("restart").await;
    assert_eq!(status, "succeeded", "{error}");
    let took = portal.sql("select extract(epoch from finished_at - started_at) > 4 from job where kind = 'restart'");
    assert_eq!(took, "t", "the restart must take longer than the timeout");
    sign_in(&place(&portal, EngineKind::Neo4j, "lab"), "correct-horse").await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_initialisation_starts_over() {
    let configure = Box::new(|config: &mut mydb::config::Config| config.databases.prepare = false);
    let mut portal = TestPortal::with(Options { configure, tables: Tables::Empty, ..Options::default() }).await;
    let ada = portal.user("ada").await;
    for (engine, image, name) in [
        (EngineKind::Mongodb, "docker.io/library/mongo:6.0", "docs"),
        (EngineKind::Mariadb, "docker.io/library/mariadb:11.8", "rows"),
    ] {
        let mut more = fields(engine, image);
        more.extend([("dbuserpass", "correct-horse".to_owned()), ("dbname", "trial".to_owned())]);
        let more: Vec<(&str, &str)> = more.iter().map(|(k, v)| (*k, v.as_str())).collect();
        ada.submit_create(name, &more).await.expect(303);
        let container = portal.container(name);
        // Some of the data is there and looks complete.
        let begun = || {
            let data = if engine == EngineKind::Mongodb { "/data/db/WiredTiger" } else { "/var/lib/mysql/mysql" };
            docker::docker(&["exec", &container, "sh", "-c", &format!("[ -e {data} ] && echo begun")]) == "begun"
        };
        until("the image has begun to initialise its data", begun).await;
        portal.kill();
        docker::docker(&["kill", &container]);
        portal.run().await;
        let ada = portal.nobody();
        ada.sign_in("ada", "researcher-1").await;
        ada.wait_for(name, "running").await;
        sign_in(&place(&portal, engine, name), "correct-horse").await.expect("the user signs in");
    }
}
