//! The lifetime of a database over the API: created, used, stopped and started, deleted and restored from the trash.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, POSTGRES_17, TestPortal};

async fn post(api: &Client, path: &str) -> crate::support::Reply {
    api.send(Method::POST, path, |r| r).await
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_returns_its_job_and_the_password_once() {
    let portal = TestPortal::start().await;
    let api = portal.token(&portal.user("ada").await).await;
    let body = json!({"name": "lab", "dbname": "trial", "dbuser": "ada"});
    let reply = api.json(Method::POST, "/api/v1/containers", &body).await.expect(202);
    let job = reply.json();
    let id = job["id"].as_str().expect("an id").to_owned();
    assert_eq!(reply.location, format!("/api/v1/jobs/{id}"));
    assert_eq!(reply.headers["cache-control"], "no-store", "no cache keeps the password");
    let password = job["password"].as_str().expect("the generated password").to_owned();
    assert!(password.len() >= 20, "{password}");
    assert_eq!((job["kind"].as_str(), job["container"].as_str()), (Some("create"), Some("lab")));

    let done = api.get(&format!("/api/v1/jobs/{id}?wait=300")).await.expect(200).json();
    assert_eq!(done["status"], "succeeded", "{done}");
    assert!(done["steps"].as_array().is_some_and(|s| s.len() > 3 && s.iter().all(|s| s["status"] == "done")), "{done}");
    assert!(done.get("password").is_none(), "only the first response contains it");
    portal.connect("lab", &password).await.expect("it is the password of the user");
    let shown = api.get("/api/v1/containers/lab").await.expect(200);
    assert!(!shown.body.contains(&password), "{}", shown.body);
    // The page does not offer it again either, and mydb_admin no longer has it.
    let ada = portal.nobody();
    ada.sign_in("ada", "researcher-1").await;
    let page = ada.get("/containers/lab").await.expect(200).text();
    assert!(!page.contains("Your password is ready"), "{page}");
    let refused = ada.post("/containers/lab/password", &[]).await.expect(303);
    let page = ada.get(&refused.location).await.expect(200);
    assert!(!page.body.contains(&password), "{}", page.body);
    let kept = portal.sql(
        "select concat((select string_agg(j::text, ' ') from job j), (select string_agg(s::text, ' ') from job_step s),
                       (select string_agg(l::text, ' ') from log l))",
    );
    assert!(kept.contains("container.create") && !kept.contains(&password), "the job or the log: {kept}");
    assert_eq!(portal.sql("select count(*) from credential where kind = 'user'"), "0");
    assert_eq!(portal.sql("select count(*) from log where action = 'container.password_shown'"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_waits_returns_the_container() {
    let portal = TestPortal::start().await;
    let api = portal.token(&portal.user("ada").await).await;
    let body = json!({
        "engine": "postgres", "image": "17", "name": "lab", "dbname": "trial", "dbuser": "ada", "contact": "ada@example.org",
        "department": "Genetics", "description": "Reads of run 7", "storage": "standard", "memory": "300m", "cpus": 0.5,
    });
    let reply = api.json(Method::POST, "/api/v1/containers?wait=300", &body).await.expect(201);
    assert_eq!(reply.location, "/api/v1/containers/lab");
    let made = reply.json();
    let port = portal.port("lab");
    let expected = json!({
        "name": "lab", "engine": "postgres", "image": POSTGRES_17, "version": "17", "state": "running", "host": "localhost",
        "ports": [{"name": "postgres", "port": port}], "dbname": "trial", "dbuser": "ada",
        "url": format!("postgresql://ada@localhost:{port}/trial?sslmode=require"), "owner": "ada",
        "contact": "ada@example.org", "department": "Genetics", "description": "Reads of run 7", "backup_freq": made["backup_freq"],
        "storage": "standard", "memory": 300 << 20, "cpus": 0.5, "created_at": made["created_at"], "expires_at": null,
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&made[field], value, "{field}");
        assert!(keys(&made).contains(&field.as_str()), "{field} is present, even if it is null");
    }
    let created: chrono::DateTime<chrono::Utc> =
        made["created_at"].as_str().expect("a time").parse().expect("RFC 3339");
    assert!(created <= portal.clock.now());
    let password = made["password"].as_str().expect("the generated password");
    portal.connect("lab", password).await.expect("it is the password of the user");
    let mut shown = api.get("/api/v1/containers/lab").await.expect(200).json();
    assert!(shown.get("password").is_none());
    shown["password"] = made["password"].clone();
    assert_eq!(keys(&shown), keys(&made), "otherwise the two have the same fields");
    let typed = json!({"name": "typed", "dbname": "trial", "dbuser": "ada", "dbuserpass": "correct-horse"});
    let made = api.json(Method::POST, "/api/v1/containers?wait=300", &typed).await.expect(201);
    assert!(
        !made.body.contains("correct-horse") && made.json().get("password").is_none(),
        "a chosen password is not repeated"
    );
    portal.connect("typed", "correct-horse").await.expect("it is the chosen one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_stopped_started_deleted_and_restored() {
    let portal = TestPortal::start().await;
    let api = portal.token(&portal.user("ada").await).await;
    let body = json!({"name": "lab", "dbname": "trial", "dbuser": "ada", "dbuserpass": "correct-horse"});
    api.json(Method::POST, "/api/v1/containers?wait=300", &body).await.expect(201);
    let db = portal.connect("lab", "correct-horse").await.expect("it runs");
    db.batch_execute("create table kept as select 7 as x").await.expect("and works");

    let state = async |verb: &str| {
        post(&api, &format!("/api/v1/containers/lab/{verb}?wait=300")).await.expect(200).json()["state"].clone()
    };
    assert_eq!(state("stop").await, "stopped");
    assert!(portal.connect("lab", "correct-horse").await.is_err());
    for verb in ["stop", "restart", "undelete"] {
        let problem = post(&api, &format!("/api/v1/containers/lab/{verb}")).await.expect(409).json();
        assert!(problem["detail"].as_str().is_some_and(|d| d.contains("stopped")), "{verb}: {problem}");
    }
    assert_eq!(state("start").await, "running");
    let started = portal.sql("select started_at from container");
    assert_eq!(state("restart").await, "running");
    assert_ne!(portal.sql("select started_at from container"), started, "it was restarted");
    let job = post(&api, "/api/v1/containers/lab/restart").await.expect(202);
    assert_eq!(job.json()["kind"], "restart");
    assert_eq!(api.get(&format!("{}?wait=300", job.location)).await.expect(200).json()["status"], "succeeded");

    for path in ["", "?confirm=lba", "?confirm="] {
        let problem =
            api.send(Method::DELETE, &format!("/api/v1/containers/lab{path}"), |r| r).await.expect(422).json();
        assert!(problem["errors"]["confirm"].as_str().is_some_and(|s| s.contains("lab")), "{path}: {problem}");
    }
    let gone = api.send(Method::DELETE, "/api/v1/containers/lab?confirm=lab&wait=300", |r| r).await.expect(200).json();
    assert_eq!(gone["state"], "trashed");
    assert!(gone["purge_after"].is_string(), "{gone}");
    assert_eq!(portal.containers(), Vec::<String>::new());
    assert_eq!(state("undelete").await, "running");
    let db = portal.connect("lab", "correct-horse").await.expect("it is back");
    let x: i32 = db.query_one("select x from kept", &[]).await.expect("with its data").get(0);
    assert_eq!(x, 7);
    // The name may also be in the body.
    let job = api.json(Method::DELETE, "/api/v1/containers/lab", &json!({"confirm": "lab"})).await.expect(202).json();
    assert_eq!(job["kind"], "delete");
}
