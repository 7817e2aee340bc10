//! The proxy used like the predecessor's container: configured by its variables, and started before the template exists.

use std::process::Stdio;
use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;
use serde_json::json;

use super::ci::{PASSWORD, Proxy, free_port, program, reachable};
use super::{Scripts, sql, write};
use crate::engines::{Place, sign_in};
use crate::support::PATIENCE;

fn docker(arguments: &[&str]) {
    let done = std::process::Command::new("docker").args(arguments).output().expect("docker can be run");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Waits until the health check passes: a busy machine may need longer than the check waits.
async fn passes(listen: &str) {
    let begin = Instant::now();
    loop {
        let said = program(&["proxy", "--check", "--listen", listen], &[]).output().expect("it runs");
        if said.status.success() {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "{listen}: {}", String::from_utf8_lossy(&said.stderr));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The health check understands the servers of all engines.
#[tokio::test(flavor = "multi_thread")]
async fn the_health_check_recognises_the_server_of_each_engine() {
    let portal = crate::support::TestPortal::start().await;
    let admin = portal.admin().await;
    for engine in EngineKind::ALL {
        let name = format!("lab-{engine}");
        let fields = [("engine", engine.as_str()), ("name", name.as_str()), ("dbuserpass", "correct-horse")];
        admin.post("/containers", &fields).await.expect(303);
    }
    for engine in EngineKind::ALL {
        let name = format!("lab-{engine}");
        admin.wait_for(&name, "running").await;
        let purpose = if engine == EngineKind::Neo4j { "bolt" } else { engine.as_str() };
        let statement = format!(
            "select port from port join container c on c.id = container_id where c.name = '{name}' and purpose = '{purpose}'"
        );
        let listen = format!("127.0.0.1:{}", portal.sql(&statement));
        passes(&listen).await;
    }
    // Something else that listens is no database.
    let web = portal.base.trim_start_matches("https://").replace("localhost", "127.0.0.1");
    let said = program(&["proxy", "--check", "--listen", &web], &[]).output().expect("it runs");
    assert!(!said.status.success(), "a web server passes for a database");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sidecar_set_up_by_variables_waits_for_the_import_and_keeps_the_database() {
    let (portal, url) = reachable().await;
    let api = portal.token(&portal.admin().await).await;
    let token = portal.token_secret(&portal.user("ada").await).await;
    let slow = "create table kept (key varchar(80) primary key, value text);\nselect pg_sleep(3);\n\
                insert into kept values ('word', 'from the dump');\n";
    write(&portal, "shop.sql", sql(slow));
    api.json(reqwest::Method::POST, "/api/v1/templates/update", &json!({})).await.expect(200);
    let scripts = Scripts::at(&url, Some(&token));
    scripts.call(reqwest::Method::POST, "/db/shop/too-early", &[], 423).await;

    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let env = [
        ("MYAAS_URL", url.as_str()),
        ("DB4SCI_TOKEN", token.as_str()),
        ("MYAAS_TEMPLATE", "shop"),
        ("MYAAS_NAME", "feature/two"),
        ("MYAAS_TTL", "2h"),
        ("MYAAS_NO_REMOVE", "1"),
        ("MYAAS_WAIT_TIMEOUT", "2m"),
    ];
    let mut proxy = program(&["proxy", "--listen", &listen], &env);
    let mut proxy = Proxy(proxy.stdout(Stdio::null()).spawn().expect("it starts"));
    proxy.forwards(&listen).await;
    let place = Place {
        engine: EngineKind::Postgres,
        ports: vec![("postgres".to_owned(), port)],
        dbname: "shop".to_owned(),
        dbuser: "shop".to_owned(),
    };
    let mut session = sign_in(&place, PASSWORD).await.expect("a program signs in next to it");
    assert_eq!(session.get("word").await.expect("reads").as_deref(), Some("from the dump"));
    drop(session);
    // The health check asks the server, not only the proxy: the engine accepts connections to a server that stands still.
    let check = || program(&["proxy", "--check", "--listen", &listen], &[]).output().expect("it runs");
    let server = portal.container("shop-feature-two");
    docker(&["kill", "-s", "STOP", &server]);
    let said = check();
    docker(&["kill", "-s", "CONT", &server]);
    assert!(!said.status.success(), "the check of a server that stands still succeeds");
    assert!(String::from_utf8_lossy(&said.stderr).contains("does not respond"), "{said:?}");
    passes(&listen).await;
    proxy.stop().await;
    let left = scripts.get("/db").await;
    assert_eq!(left["databases"][0]["name"], json!("feature-two"), "{left}");
    let info = scripts.get("/db/shop/feature-two").await;
    assert!(info["expires_at"].as_i64().is_some(), "it expires as MYAAS_TTL says: {info}");

    // A proxy that gives up waiting says so and creates nothing.
    write(&portal, "late.sql", sql("select pg_sleep(600);\n"));
    api.json(reqwest::Method::POST, "/api/v1/templates/update", &json!({})).await.expect(200);
    let env = [("DB4SCI_URL", url.as_str()), ("DB4SCI_TOKEN", token.as_str())];
    let ask = ["proxy", "--template", "late", "--name", "x", "--wait", "1s", "--listen", &listen];
    let mut late = program(&ask, &env);
    let late = tokio::task::spawn_blocking(move || late.output().expect("it runs")).await.expect("it ends");
    let said = String::from_utf8_lossy(&late.stderr).into_owned();
    assert!(!late.status.success() && said.contains("the template late is still being imported"), "{said}");
    assert_eq!(scripts.get("/db").await["databases"].as_array().map(Vec::len), Some(1));
}
