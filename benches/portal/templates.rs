//! Compares the import of a dump of MariaDB with the engine's own client fed by hand, and databases made from the template
//! where copies share blocks with `docker run` of an empty server; each time is to the first query.
//!
//! `DB4SCI_BENCH_TEMPLATE_MB` is the size of the dump (1024), `DB4SCI_BENCH_TEMPLATE_ROUNDS` the number of databases that are
//! timed (10), `DB4SCI_BENCH_TEMPLATE_IMPORTS` the number of imports (3), and `DB4SCI_BENCH_TEMPLATE_COPIES` the number of
//! databases whose space is measured (50).

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;
use mydb::domain::quantity::{ByteSize, GIB};
use reqwest::Method;
use serde_json::{Value, json};

use super::create::by_hand;
use super::drivers::{Place, sign_in};
use super::support::{self, Client, Options, TestPortal, docker::docker};
use super::table::{Bar, Table, quantile};

const IMAGE: &str = "docker.io/library/mariadb:11.8";
const PATIENCE: Duration = Duration::from_secs(120);
/// Longest time that one request waits for an import, in seconds.
const WAIT: u64 = 240;

fn number(name: &str, otherwise: u64) -> u64 {
    support::portal::environment(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Writes a dump of this many MiB: rows of 1 KiB, 500 in a statement, as `mariadb-dump` writes them.
fn write_dump(path: &Path, mib: u64) {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path).expect("a dump"));
    let head = "-- MariaDB dump 10.19  Distrib 11.8.2-MariaDB\n-- Host: localhost    Database: shop\n\
                CREATE TABLE `kept` (`key` varchar(80) NOT NULL, `value` longtext, PRIMARY KEY (`key`)) ENGINE=InnoDB;\n\
                INSERT INTO `kept` VALUES ('word','from the dump');\n\
                CREATE TABLE `t` (`i` bigint NOT NULL, `body` text, PRIMARY KEY (`i`)) ENGINE=InnoDB;\n";
    out.write_all(head.as_bytes()).expect("written");
    let mut state = 88_172_645_463_325_252_u64;
    for statement in 0..mib * 2 {
        out.write_all(b"INSERT INTO `t` VALUES ").expect("written");
        for row in 0..500 {
            let mut body = String::with_capacity(1024);
            while body.len() < 990 {
                // xorshift: rows that differ, without reading random bytes.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                write!(body, "{state:016x}").expect("a string grows");
            }
            let comma = if row == 0 { "" } else { "," };
            write!(out, "{comma}({},'{body}')", statement * 500 + row).expect("written");
        }
        out.write_all(b";\n").expect("written");
    }
    out.write_all(b"-- Dump completed on 2026-01-01  0:00:00\n").expect("written");
    out.flush().expect("written");
}

/// Imports the dump of the template; returns the seconds until the version is in use.
async fn import(portal: &TestPortal, api: &Client) -> f64 {
    let begin = Instant::now();
    let path = format!("/api/v1/templates/shop/refresh?wait={WAIT}");
    api.json(Method::POST, &path, &json!({})).await;
    imported(portal).await;
    begin.elapsed().as_secs_f64()
}

/// Waits until no import is running, and checks that the last one succeeded.
async fn imported(portal: &TestPortal) {
    let open = "select count(*) from job where kind = 'import-template' and status in ('queued', 'running')";
    while portal.sql(open) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = "select status || coalesce(': ' || error, '') from job where kind = 'import-template' order by created_at desc limit 1";
    assert_eq!(portal.sql(last), "succeeded");
}

/// Starts an empty server on the same storage, feeds its own client, and stops it cleanly; returns the seconds.
fn fed_by_hand(portal: &TestPortal, dump: &Path, round: u64) -> f64 {
    let data = portal.config.tier("cow").expect("the tier").path.join(format!(".{}-by-hand-{round}", portal.instance));
    std::fs::create_dir_all(&data).expect("a directory");
    let name = format!("{}-fed-by-hand-{round}", portal.instance);
    let (label, volume) =
        (format!("db4sci.instance={}", portal.instance), format!("{}:/var/lib/mysql", data.display()));
    let image = portal.config.image_reference(IMAGE);
    let begin = Instant::now();
    let env = [
        "MARIADB_ROOT_PASSWORD=root-horse",
        "MARIADB_DATABASE=shop",
        "MARIADB_USER=ada",
        "MARIADB_PASSWORD=correct-horse",
    ];
    let mut run = vec!["run", "-d", "--name", &name, "--label", &label, "-m", "1g", "-v", &volume];
    run.extend(env.iter().flat_map(|variable| ["-e", variable]));
    run.push(&image);
    assert!(!docker(&run).is_empty(), "the server starts");
    let client = [
        "exec",
        "-i",
        &name,
        "mariadb",
        "-h",
        "127.0.0.1",
        "--protocol=tcp",
        "-u",
        "ada",
        "--password=correct-horse",
        "shop",
    ];
    let ask =
        || Command::new("docker").args(client).args(["-e", "select 1"]).output().expect("docker").status.success();
    while !ask() {
        assert!(begin.elapsed() < PATIENCE, "{}", docker(&["logs", &name]));
        std::thread::sleep(Duration::from_millis(50));
    }
    let input = Stdio::from(std::fs::File::open(dump).expect("the dump"));
    let fed = Command::new("docker").args(client).stdin(input).status().expect("docker");
    assert!(fed.success(), "the client loads the dump");
    docker(&["stop", "-t", "120", &name]);
    let took = begin.elapsed().as_secs_f64();
    docker(&["rm", "-fv", &name]);
    let _ = std::fs::remove_dir_all(&data);
    took
}

/// Creates a database on port 5001; returns the seconds to its first query.
async fn instance(url: &str, token: &str, name: &str) -> f64 {
    let http = support::http().build().expect("a client");
    let begin = Instant::now();
    let sent = http.post(format!("{url}/db/shop/{name}")).bearer_auth(token).form(&[("ttl", "0")]).send().await;
    let made: Value = sent.expect("a response").error_for_status().expect("it is made").json().await.expect("JSON");
    let text = |key: &str| made.get(key).and_then(Value::as_str).expect("a text").to_owned();
    let port = made.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()).expect("a port");
    let place = Place {
        engine: EngineKind::Mariadb,
        ports: vec![("mariadb".to_owned(), port)],
        dbname: text("database"),
        dbuser: text("user"),
    };
    let mut session = sign_in(&place, &text("password")).await.expect("signs in");
    assert_eq!(session.get("word").await.expect("reads").as_deref(), Some("from the dump"));
    begin.elapsed().as_secs_f64()
}

async fn remove(url: &str, token: &str, name: &str) {
    let http = support::http().build().expect("a client");
    let sent = http.delete(format!("{url}/db/shop/{name}")).bearer_auth(token).send().await;
    sent.expect("a response").error_for_status().expect("it is removed");
}

/// Bytes used on the file system of the tier that shares blocks.
fn used(portal: &TestPortal) -> f64 {
    let tier = portal.config.tier("cow").expect("the tier");
    let has = rustix::fs::statvfs(&tier.path).expect("it is mounted");
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let used = ((has.f_blocks - has.f_bfree) * has.f_frsize) as f64;
    used
}

pub async fn measure(table: &mut Table) {
    let (mib, rounds) = (number("DB4SCI_BENCH_TEMPLATE_MB", 1024), number("DB4SCI_BENCH_TEMPLATE_ROUNDS", 10));
    let (imports, copies) = (number("DB4SCI_BENCH_TEMPLATE_IMPORTS", 3), number("DB4SCI_BENCH_TEMPLATE_COPIES", 50));
    let configure = Box::new(|config: &mut mydb::config::Config| {
        "cow".clone_into(&mut config.templates.storage);
        config.templates.settle = Duration::from_millis(50);
        config.templates.memory = Some(ByteSize(GIB));
        config.myaas.listen = Some("127.0.0.1:0".parse().expect("an address"));
    });
    let portal = TestPortal::with(Options { configure, ..Options::default() }).await;
    let admin = portal.admin().await;
    let token = portal.token_secret(&admin).await;
    let api = admin.with_token(&token);
    let url = format!("http://127.0.0.1:{}", portal.running().myaas.expect("it listens").port());
    std::fs::create_dir_all(&portal.config.templates.dumps).expect("a directory of dumps");
    let dump = portal.config.templates.dumps.join("shop.sql");
    write_dump(&dump, mib);
    api.json(Method::POST, "/api/v1/templates", &json!({ "file": "shop.sql", "engine": "mariadb" })).await.expect(202);
    imported(&portal).await;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..imports {
        theirs.push(fed_by_hand(&portal, &dump, round));
        ours.push(import(&portal, &api).await);
    }
    let what = format!("dump of {mib} MB, median of {imports}");
    let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
    table.add(format!("start, client and stop by hand, {what}"), theirs, "s", &Bar::None);
    table.add(format!("import of a template, {what}"), ours, "s", &Bar::None);
    table.add("import against the client by hand", ours / theirs, "", &Bar::Most(1.10));

    let reference = portal.config.image_reference(IMAGE);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let hand = format!("{}-by-hand-{round}", portal.instance);
        theirs.push(by_hand(&portal.instance, EngineKind::Mariadb, &reference, &hand).await);
        ours.push(instance(&url, &token, "timed").await);
        remove(&url, &token, "timed").await;
    }
    let what = format!("median of {rounds}");
    let (ours, theirs) = (quantile(&mut ours, 0.5), quantile(&mut theirs, 0.5));
    table.add(format!("docker run of an empty server → login, {what}"), theirs, "s", &Bar::None);
    table.add(format!("database from a template of {mib} MB, blocks shared → query, {what}"), ours, "s", &Bar::None);
    table.add("database from a template against an empty server", ours / theirs, "", &Bar::Most(0.5));

    let one =
        portal.sql("select bytes from template_version order by number desc limit 1").parse::<f64>().expect("bytes");
    let before = used(&portal);
    for n in 0..copies {
        let name = format!("many-{n}");
        instance(&url, &token, &name).await;
        admin.post(&format!("/containers/shop-{name}/stop"), &[]).await.expect(303);
        admin.wait_for(&format!("shop-{name}"), "stopped").await;
    }
    let more = used(&portal) - before;
    table.add(format!("space of {copies} databases from it, together"), more / f64::from(1 << 20), "MiB", &Bar::None);
    table.add(
        format!("space: the template and {copies} databases against the template"),
        1.0 + more / one,
        "",
        &Bar::Most(1.2),
    );
}
