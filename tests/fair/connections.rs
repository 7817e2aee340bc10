//! Connections time out, are limited per address, and slow ones do not affect others. All tests use 127.0.0.1 and at
//! most a few dozen connections.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Client, Options, TestPortal};

async fn portal(configure: fn(&mut mydb::config::Server), tls: bool) -> TestPortal {
    let configure = Box::new(move |c: &mut mydb::config::Config| {
        c.server.tls = tls;
        c.server.header_time = Duration::from_secs(2);
        c.server.idle = Duration::from_secs(3);
        configure(&mut c.server);
    });
    let mut portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    if !tls {
        portal.base = portal.base.replacen("https", "http", 1);
    }
    portal
}

fn address(portal: &TestPortal) -> String {
    let port = portal.base.rsplit(':').next().expect("a port");
    format!("127.0.0.1:{port}")
}

async fn connect(portal: &TestPortal) -> TcpStream {
    TcpStream::connect(address(portal)).await.expect("a connection")
}

/// Returns the seconds until the portal closes a connection, and what it sent before.
async fn closed(stream: &mut TcpStream) -> (f64, String) {
    let begin = Instant::now();
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut said)).await;
    assert!(read.is_ok(), "the connection was not closed in time");
    (begin.elapsed().as_secs_f64(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_complete_request_is_closed() {
    for tls in [false, true] {
        let portal = portal(|_| {}, tls).await;
        // One connection sends nothing, the other a byte now and then.
        let mut silent = connect(&portal).await;
        let mut dribble = connect(&portal).await;
        let (mut read, mut write) = dribble.split();
        let dribbling = async {
            let begin = Instant::now();
            for byte in b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ".iter().chain(std::iter::repeat(&b'a')) {
                if write.write_all(&[*byte]).await.is_err() || begin.elapsed() > Duration::from_secs(20) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            begin.elapsed().as_secs_f64()
        };
        let mut said = Vec::new();
        let ended = async {
            let begin = Instant::now();
            let _ = tokio::time::timeout(Duration::from_secs(20), read.read_to_end(&mut said)).await;
            begin.elapsed().as_secs_f64()
        };
        let ((silent, said), dribbled, ended) = tokio::join!(closed(&mut silent), dribbling, ended);
        assert!((1.0..6.0).contains(&silent), "tls {tls}: {silent} {said}");
        assert!(dribbled < 10.0 && ended < 10.0, "tls {tls}: {dribbled} {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed_but_a_waiting_one_is_not() {
    let portal = portal(|_| {}, false).await;
    let mut idle = connect(&portal).await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let (seconds, said) = closed(&mut idle).await;
    assert!(said.starts_with("HTTP/1.1 200") && (2.0..8.0).contains(&seconds), "{seconds} {said}");

    // A call that waits longer than a connection may be idle.
    portal.sql(
        "insert into job (id, kind, run_at, created_by, created_at)
         values (gen_random_uuid(), 'audit', now() + interval '4 minutes', 'admin', now())",
    );
    let job = portal.sql("select id from job where kind = 'audit'");
    let token = hex::encode([7; 32]);
    portal.sql(&format!(
        "insert into token (id, account_id, name, token_sha256, created_at)
         select gen_random_uuid(), id, 'test', sha256('{token}'::bytea), now() from account where username = 'admin'"
    ));
    let api = Client::nobody(&portal.base).with_token(&token);
    let begin = Instant::now();
    let answer = api.get(&format!("/api/v1/jobs/{job}?wait=6")).await.expect(200).json();
    assert_eq!(answer["status"], "queued");
    assert!(begin.elapsed() >= Duration::from_secs(6));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_per_address_are_limited() {
    let portal = portal(|s| s.connections_per_address = 8, false).await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.expect("sent");
        closed(stream).await.1
    };
    let mut held = Vec::new();
    for _ in 0..8 {
        held.push(connect(&portal).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut more = connect(&portal).await;
    let said = ask(&mut more).await;
    assert!(said.starts_with("HTTP/1.1 429") && said.contains("retry-after: 5"), "{said}");
    assert!(said.contains("Too many connections from your address"), "{said}");
    // The connections within the limit still work, and closed ones no longer count.
    let one = ask(&mut held[0]).await;
    assert!(one.starts_with("HTTP/1.1 200"), "{one}");
    drop(held);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let said = ask(&mut connect(&portal).await).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_in_total_are_limited_with_a_message() {
    let portal = portal(|s| s.connections = 16, false).await;
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(connect(&portal).await);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut more = connect(&portal).await;
    more.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("sent");
    let (_, said) = closed(&mut more).await;
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("retry-after: 5"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_body_must_arrive_at_the_minimum_rate() {
    let portal = portal(|_| {}, false).await;
    let send = async |pieces: usize, size: usize| {
        let mut stream = connect(&portal).await;
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\nconnection: close\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
            pieces * size
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        let (mut read, mut write) = stream.split();
        let sending = async {
            for _ in 0..pieces {
                tokio::time::sleep(Duration::from_millis(500)).await;
                if write.write_all(&vec![b'a'; size]).await.is_err() {
                    break;
                }
            }
        };
        let mut said = Vec::new();
        let begin = Instant::now();
        let reading = async {
            let _ = tokio::time::timeout(Duration::from_secs(60), read.read_to_end(&mut said)).await;
            begin.elapsed()
        };
        let ((), took) = tokio::join!(sending, reading);
        (took, String::from_utf8_lossy(&said).into_owned())
    };
    // 2 bytes per second, and 1.5 kB per second for longer than the period over which the rate is measured.
    let ((slow, refused), (_, read)) = tokio::join!(send(80, 1), send(66, 750));
    assert!(refused.starts_with("HTTP/1.1 408") && refused.contains("sent too slowly"), "{refused}");
    assert!(slow < Duration::from_secs(45), "{slow:?}");
    assert!(!read.starts_with("HTTP/1.1 408") && read.starts_with("HTTP/1.1 4"), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_per_person_are_limited() {
    let portal = portal(|s| s.streams_per_person = 2, true).await;
    let (ada, bert) = (portal.user("ada").await, portal.user("bert").await);
    portal.sql(
        "insert into container (id, name, engine, image, dbname, dbuser, account_id, storage, memory_bytes, millicpus, docker_name, created_by, created_at, purged_at)
         select gen_random_uuid(), 'old' || username, 'postgres', 'i', 'd', 'u', id, 's', 1, 1, 'old' || username, username, now(), now() from account;
         insert into job (id, kind, container_id, run_at, created_by, created_at)
         select gen_random_uuid(), 'restart', id, now() + interval '4 minutes', created_by, now() from container",
    );
    let path =
        |who: &str| format!("/jobs/{}/events", portal.sql(&format!("select id from job where created_by = '{who}'")));
    let mut open = Vec::new();
    for _ in 0..2 {
        let (client, path) = (ada.clone(), path("ada"));
        open.push(tokio::spawn(async move { client.get(&path).await }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = ada.get(&path("ada")).await.expect(429);
    assert!(refused.headers.contains_key("retry-after") && refused.text().contains("too many"), "{}", refused.text());
    let bert_path = path("bert");
    let other = tokio::time::timeout(Duration::from_secs(2), bert.get(&bert_path)).await;
    assert!(other.is_err(), "another user's stream ended");
    for one in open {
        one.abort();
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let path = path("ada");
    assert!(
        tokio::time::timeout(Duration::from_secs(2), ada.get(&path)).await.is_err(),
        "a closed stream still counts"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_methods_are_one_label_and_errors_are_not_kept() {
    let portal = portal(|_| {}, true).await;
    let nobody = portal.nobody();
    for n in 0..20 {
        let method = reqwest::Method::from_bytes(format!("FROB{n}").as_bytes()).expect("a method");
        nobody.send(method, "/healthz", |r| r).await;
    }
    let metrics = nobody.get("/metrics").await.expect(200).body;
    assert!(!metrics.contains("FROB") && metrics.contains("method=\"other\""), "{metrics}");
    let ada = portal.user("ada").await;
    for path in ["/nowhere", "/containers/none", "/admin", "/static/none.css", "/api/v1/containers"] {
        let reply = ada.get(path).await;
        assert!(reply.status.is_client_error(), "{path}: {}", reply.status);
        let kept = reply.headers.get("cache-control").and_then(|v| v.to_str().ok());
        assert_eq!(kept, Some("no-store"), "{path}");
    }
}
