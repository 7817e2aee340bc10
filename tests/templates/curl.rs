//! The whole life of a database with curl alone, as a shell script in a CI job uses port 5001.

use std::process::Command;
use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;
use serde_json::{Value, json};

use super::myaas::place;
use super::{portal_with, sql, update, write};
use crate::engines::sign_in;
use crate::support::PATIENCE;

/// What curl received: the status and the body.
fn curl(token: &str, arguments: &[&str], url: &str) -> (u16, Value) {
    let header = format!("Authorization: Bearer {token}");
    let said = Command::new("curl")
        .args(["-sS", "-w", "\n%{http_code}", "-H", &header])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl can be run");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let (body, code) = text.rsplit_once('\n').expect("a status");
    (code.parse().expect("a number"), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_alone_lists_templates_makes_a_database_and_lets_it_expire() {
    let portal = portal_with(|config| config.jobs.reaper_every = Duration::from_secs(1)).await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(
        &portal,
        "shop.sql",
        sql("create table kept (key text primary key, value text);\ninsert into kept values ('word', 'here');\n"),
    );
    update(&portal, &api).await;
    let token = portal.token_secret(&portal.user("ada").await).await;
    let base = format!("http://127.0.0.1:{}", portal.running().myaas.expect("it listens").port());
    let database = format!("{base}/db/shop/ci-1");

    assert_eq!(curl(&token, &[], &format!("{base}/templates")), (200, json!({ "templates": ["shop"] })));
    let (code, made) = curl(&token, &["-X", "POST", "-d", "ttl=1h"], &database);
    assert_eq!((code, &made["running"]), (201, &json!(true)), "{made}");
    let password = made["password"].as_str().expect("a password");
    let mut session = sign_in(&place(EngineKind::Postgres, &made), password).await.expect("its user signs in");
    assert_eq!(session.get("word").await.expect("reads").as_deref(), Some("here"));
    drop(session);
    assert_eq!(curl(&token, &[], &database).0, 200, "it is there until its time is over");

    // Nobody removes it: its time is over.
    portal.sql("update container set expires_at = now() + interval '2 seconds'");
    let begin = Instant::now();
    let mut code = 200;
    while code != 404 {
        assert!(begin.elapsed() < PATIENCE, "it does not expire: {code}");
        std::thread::sleep(Duration::from_millis(200));
        code = curl(&token, &[], &database).0;
    }
    assert!(begin.elapsed() > Duration::from_secs(1), "it ended before its time");
    assert_eq!(curl(&token, &[], &format!("{base}/db")).1, json!({ "databases": [] }));
    portal.until("select purged_at is not null from container", |said| said == "t").await;
}
