//! Database passwords: every printable character works with real clients, and no password leaks.

use std::process::Command;

use tokio_postgres::{Config, NoTls};

use crate::support::TestPortal;
use crate::support::docker::docker;

/// Signs in with the command-line client, with the password in its environment; returns the current user.
fn psql(port: u16, password: &str) -> String {
    let line = format!("host=127.0.0.1 port={port} dbname=trial user=ada sslmode=require connect_timeout=10");
    let said =
        Command::new("psql").args([&line, "-XAtqwc", "select current_user"]).env("PGPASSWORD", password).output();
    let said = said.expect("psql is installed");
    format!("{}{}", String::from_utf8_lossy(&said.stdout).trim(), String::from_utf8_lossy(&said.stderr).trim())
}

/// Signs in with the driver and a URL that contains the password, like the URL shown with a generated password.
async fn by_url(port: u16, password: &str) -> Result<String, tokio_postgres::Error> {
    let password = percent_encoding::utf8_percent_encode(password, percent_encoding::NON_ALPHANUMERIC);
    let config: Config = format!("postgresql://ada:{password}@127.0.0.1:{port}/trial").parse()?;
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client.query_one("select current_user::text", &[]).await?.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_printable_character_works_in_a_password() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let ascii: String = (' '..='~').collect();
    let all = [
        ("printable", ascii.as_str()),
        ("symbols", "🐘'\"\\$`\u{201c}é\u{301}%s%%{}\u{1f469}\u{200d}\u{1f52c}"),
        // Clients and the server apply SASLprep to these and must get the same text.
        ("composed", "ﬁ№①\u{a0}Ⅷ½ e\u{301}"),
    ];
    for (name, password) in all {
        ada.submit_create(name, &[("dbuserpass", password)]).await.expect(303);
    }
    for (name, password) in all {
        ada.wait_for(name, "running").await;
        let port = portal.port(name);
        let db = portal.connect(name, password).await.unwrap_or_else(|e| panic!("{name}: the driver signs in: {e}"));
        db.batch_execute("create table mine (x int)").await.expect("and may work");
        assert_eq!(psql(port, password), "ada", "{name}");
        assert_eq!(by_url(port, password).await.unwrap_or_else(|e| panic!("{name}: by address: {e}")), "ada");
        let (_, shorter) = password.split_at(password.chars().next().map_or(0, char::len_utf8));
        assert!(portal.connect(name, shorter).await.is_err(), "{name}: an almost correct password is refused");
        leaves_no_trace(&portal, name, password);
    }
    // The last step deletes it, after the database is shown as running.
    let kept = || portal.sql("select count(*) from credential where kind = 'user'");
    for _ in 0..100 {
        if kept() == "0" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(kept(), "0", "a typed password is not kept");
}

/// Neither the container engine, nor the server's log, nor the portal's tables contain the password in plain text.
fn leaves_no_trace(portal: &TestPortal, name: &str, password: &str) {
    let container = portal.container(name);
    let inspected = docker(&["inspect", &container]);
    assert!(inspected.len() > 1000, "{name} is there");
    let quoted = serde_json::to_string(password).expect("text");
    let quoted = quoted.trim_matches('"');
    let mut places = vec![("inspect", inspected), ("log", docker(&["logs", &container]))];
    for table in ["container", "state", "credential", "job", "job_step", "log", "finding"] {
        places.push((table, portal.sql(&format!("select to_jsonb(t) from {table} t"))));
    }
    for (place, text) in places {
        assert!(!text.contains(password) && !text.contains(quoted), "{name}: the password is in {place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_characters_and_wrong_lengths_are_refused() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let (long, wide) = ("x".repeat(257), "🐘".repeat(65));
    for (typed, piece) in [
        ("tab\there-it-is", "control characters"),
        ("line\nend-here", "control characters"),
        ("line\r\nend-here", "control characters"),
        ("nul\0nul-nul", "control characters"),
        ("escape\u{1b}[31m", "control characters"),
        ("delete\u{7f}delete", "control characters"),
        ("next-line\u{85}next", "control characters"),
        ("short-7", "at least 8"),
        ("🐘🐘🐘🐘🐘🐘🐘", "at least 8"),
        (long.as_str(), "at most 256"),
        (wide.as_str(), "at most 256"),
    ] {
        let reply = ada.submit_create("lab", &[("dbuserpass", typed)]).await.expect(422);
        let said = reply.all("#dbuserpass-error").concat();
        assert!(said.contains(piece), "{typed:?}: {said:?}");
        assert!(!reply.body.contains(typed.trim_end()), "{typed:?} is not repeated");
    }
    assert_eq!(portal.sql("select count(*) from container"), "0");
}
