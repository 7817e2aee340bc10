//! All databases of a user together stay within the user's limits, whoever makes the requests and however many arrive
//! at once.

use reqwest::Method;
use serde_json::json;

use crate::support::{Options, POSTGRES_17, TestPortal};

async fn portal() -> TestPortal {
    let configure = Box::new(|c: &mut mydb::config::Config| {
        c.limits.memory_per_person = mydb::domain::quantity::ByteSize::parse("1g").expect("memory");
        c.limits.cpus_per_person = mydb::domain::quantity::MilliCpus::parse("3").expect("CPUs");
        // One worker is enough: limits count what is requested, not what has been created.
        c.jobs.workers = 1;
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

fn database(name: &str, memory: &str) -> serde_json::Value {
    json!({ "engine": "postgres", "image": POSTGRES_17, "name": name, "dbname": "trial", "dbuser": "ada", "memory": memory, "cpus": "0.5" })
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_per_person_is_limited_and_shown() {
    let portal = portal().await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    let api = portal.token(&ada).await;
    api.json(Method::POST, "/api/v1/containers", &database("one", "600m")).await.expect(202);
    let refused = api.json(Method::POST, "/api/v1/containers", &database("two", "600m")).await.expect(409).json();
    let said = refused["detail"].as_str().unwrap_or_default();
    assert!(said.contains("1 GiB") && said.contains("600 MiB are in use"), "{said}");
    let page = ada.submit_create("two", &[("memory", "600m")]).await;
    assert_eq!(page.status, 409, "{}", page.text());
    assert!(page.text().contains("may use 1 GiB"), "{}", page.text());
    assert!(ada.get("/containers/new?engine=postgres").await.text().contains("600 MiB of 1 GiB memory"));
    api.json(Method::POST, "/api/v1/containers", &database("two", "400m")).await.expect(202);

    // A change of a database's memory counts too; a change to less is never refused.
    ada.wait_for("one", "running").await;
    ada.wait_for("two", "running").await;
    api.json(Method::PATCH, "/api/v1/containers/one", &json!({ "memory": "700m" })).await.expect(409);
    let id = portal.sql("select id from account where username = 'ada'");
    let limits = async |memory: &str, cpus: &str| {
        let fields = [("memory", memory), ("cpus", cpus)];
        admin.post(&format!("/admin/users/{id}/limits"), &fields).await
    };
    limits("500m", "").await.expect(303);
    api.json(Method::PATCH, "/api/v1/containers/one", &json!({ "memory": "500m" })).await.expect(202);
    ada.wait_for("one", "running").await;
    limits("2g", "1").await.expect(303);
    let refused = api.json(Method::POST, "/api/v1/containers", &database("three", "300m")).await.expect(409).json();
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("1 CPUs")), "{refused}");
    limits("lots", "").await.expect(422);
    let page = admin.get("/admin/users").await.expect(200).text();
    assert!(page.contains("of 2 GiB memory, 1 of 1 CPUs"), "{page}");

    // Databases in the trash do not count, but restoring one from it does.
    limits("1g", "").await.expect(303);
    ada.post("/containers/one/delete", &[("confirm", "one")]).await.expect(303);
    ada.wait_for("one", "in the trash").await;
    api.json(Method::POST, "/api/v1/containers", &database("four", "600m")).await.expect(202);
    api.send(Method::POST, "/api/v1/containers/one/undelete", |r| r).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_requests_cannot_exceed_the_quota() {
    let portal = portal().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    let mut asking = tokio::task::JoinSet::new();
    for n in 0..12 {
        let api = api.clone();
        asking.spawn(async move {
            api.json(Method::POST, "/api/v1/containers", &database(&format!("d{n}"), "300m")).await.status.as_u16()
        });
    }
    let answers = asking.join_all().await;
    assert_eq!(answers.iter().filter(|s| **s == 202).count(), 3, "{answers:?}");
    assert!(answers.iter().all(|s| matches!(s, 202 | 409)), "{answers:?}");
    // Administrators are not limited.
    let admin = portal.token(&portal.admin().await).await;
    for name in ["big-1", "big-2", "big-3"] {
        admin.json(Method::POST, "/api/v1/containers", &database(name, "600m")).await.expect(202);
    }
}
