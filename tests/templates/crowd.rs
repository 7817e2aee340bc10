//! Many requests at once: databases made while their template changes, several requests for an import, and 200 databases.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mydb::domain::engine::EngineKind;
use mydb::domain::quantity::{ByteSize, GIB, MIB, MilliCpus};
use mydb::templates::import::IMPORT;
use reqwest::Method;
use serde_json::{Value, json};

use super::myaas::place;
use super::{Scripts, portal, portal_with, settled, sql, update, write};
use crate::backups::{cli, nothing_left};
use crate::engines::sign_in;
use crate::faults::{Place, held};

const SHOP: &str = "create table kept (key varchar(80) primary key, value text);\n\
                    insert into kept values ('word', 'from the dump');\n\
                    create table mice (id int primary key);\ninsert into mice select generate_series(1, 20000);\n";

/// The word in a database that the interface describes.
async fn word(made: &Value) -> Option<String> {
    let password = made["password"].as_str().expect("a password");
    let mut session = sign_in(&place(EngineKind::Postgres, made), password).await.expect("its user signs in");
    session.get("word").await.expect("the table is there")
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_databases_are_complete_while_their_template_changes() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let making: Vec<_> = (0..20)
        .map(|n| {
            let scripts = Scripts::of(&portal, None);
            tokio::spawn(async move { scripts.call(Method::POST, &format!("/db/shop/ci-{n}"), &[], 201).await })
        })
        .collect();
    portal.until("select count(*) from container", |said| said == "20").await;
    api.json(Method::POST, "/api/v1/templates/shop/refresh", &json!({})).await.expect(202);
    api.json(Method::PATCH, "/api/v1/templates/shop", &json!({ "name": "store" })).await.expect(200);
    settled(&portal).await;
    let store = api.get("/api/v1/templates/store").await.expect(200).json();
    assert_eq!((&store["version"], &store["databases"]), (&json!(2), &json!(20)), "{store}");
    api.json(Method::DELETE, "/api/v1/templates/store?confirm=store", &json!({})).await.expect(200);
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    let mut ports = BTreeSet::new();
    for made in making {
        let made = made.await.expect("it responds");
        assert_eq!(word(&made).await.as_deref(), Some("from the dump"), "{made}");
        ports.insert(made["port"].as_u64().expect("a port"));
    }
    assert_eq!(ports.len(), 20, "no port is used twice");
    portal.sql("update schedule set next_run = now() where name = 'template versions'");
    portal.until("select count(*) from template_version where removed_at is null", |said| said == "0").await;
    nothing_left(&portal, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_import_requests_start_one_import() {
    let portal = portal().await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let place_of = Place::of(&portal);
    held::prepare(&place_of);
    held::hold(&place_of, IMPORT.kind.as_str(), "shop", 1, "running");
    // Two processes on the same tables, besides the portal itself.
    let handle = tokio::runtime::Handle::current();
    let (shell, page) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let runs = [1, 2].map(|_| scope.spawn(|| cli(&portal, &["template", "refresh", "shop"])));
            let page = handle.block_on(api.json(Method::POST, "/api/v1/templates/shop/refresh", &json!({})));
            (runs.map(|run| run.join().expect("it runs")), page)
        })
    });
    let mut begun = usize::from(page.status == 202);
    for (code, said) in shell {
        begun += usize::from(code == 0);
        assert!(code == 0 || said.contains("Another operation"), "{code} {said}");
    }
    held::release(&place_of);
    assert_eq!(begun, 1, "the other requests report that it is already running");
    settled(&portal).await;
    let shop = api.get("/api/v1/templates/shop").await.expect(200).json();
    assert_eq!((&shop["version"], shop["versions"].as_array().map(Vec::len)), (&json!(2), Some(2)), "{shop}");
    nothing_left(&portal, 2);
}

/// Megabytes of memory that are left to the rest of the machine, and that a small server of PostgreSQL uses.
const SPARE: u64 = 4096;
const EACH: u64 = 48;

/// How many of 200 databases fit in the memory of this machine.
fn as_many_as_fit() -> usize {
    let text = std::fs::read_to_string("/proc/meminfo").expect("Linux says how much memory there is");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:")).expect("a line");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    let most = (kib / 1024).saturating_sub(SPARE) / EACH;
    usize::try_from(most).unwrap_or(0).min(200) / 20 * 20
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: runs unless QUICK=1"]
async fn two_hundred_simultaneous_databases_are_correct() {
    let many = as_many_as_fit();
    assert!(many >= 20, "there is not enough memory on this machine for any of them");
    eprintln!("{many} databases of 200 fit on this machine");
    let portal = portal_with(|config| {
        // The block of ports of a test is for fewer.
        config.databases.ports = 14_000..=14_399;
        (config.limits.containers_per_user, config.limits.memory_per_person) = (20, ByteSize(64 * GIB));
        config.limits.cpus_per_person = MilliCpus(1_000_000);
        config.templates.memory = Some(ByteSize(128 * MIB));
    })
    .await;
    let api = portal.token(&portal.admin().await).await;
    write(&portal, "shop.sql", sql(SHOP));
    update(&portal, &api).await;
    let mut tokens = Vec::new();
    for n in 0..20 {
        tokens.push(portal.token_secret(&portal.user(&format!("user{n}")).await).await);
    }
    // The estimated time of a shell loop that creates them one after the other.
    let alone = Scripts::of(&portal, Some(&tokens[0]));
    let begin = Instant::now();
    alone.call(Method::POST, "/db/shop/alone", &[], 201).await;
    let loop_of_all = begin.elapsed() * u32::try_from(many).expect("a small number");
    alone.call(Method::DELETE, "/db/shop/alone", &[], 204).await;

    let begin = Instant::now();
    let making: Vec<_> = (0..many)
        .map(|n| {
            let scripts = Scripts::of(&portal, Some(&tokens[n % 20]));
            tokio::spawn(async move {
                let made = scripts.call(Method::POST, &format!("/db/shop/ci-{}", n / 20), &[], 201).await;
                (made, begin.elapsed())
            })
        })
        .collect();
    let (mut ports, mut passwords, mut slowest) = (BTreeSet::new(), BTreeSet::new(), Duration::ZERO);
    for made in making {
        let (made, took) = made.await.expect("it responds");
        assert_eq!(word(&made).await.as_deref(), Some("from the dump"), "{made}");
        ports.insert(made["port"].as_u64().expect("a port"));
        passwords.insert(made["password"].as_str().expect("a password").to_owned());
        slowest = slowest.max(took);
    }
    assert_eq!((ports.len(), passwords.len()), (many, many), "no port and no password twice");
    for token in &tokens {
        let list = Scripts::of(&portal, Some(token)).get("/db").await;
        assert_eq!(list["databases"].as_array().map(Vec::len), Some(many / 20), "{list}");
    }
    eprintln!("the slowest of {many} responded after {slowest:?}; one after the other would take {loop_of_all:?}");
    assert!(slowest <= loop_of_all, "{slowest:?}, and {loop_of_all:?} one after the other");
}
