//! Concurrent requests: the same form twice, many forms, a second action, and exhausted resources.

use std::collections::BTreeSet;
use std::net::TcpListener;

use futures::future::join_all;
use mydb::config::Config;
use mydb::runtime::fault::{Fault, FaultTiming};

use crate::support::{Client, Options, Reply, TestPortal};

async fn portal_with(configure: impl FnOnce(&mut Config) + Send + 'static) -> TestPortal {
    TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await
}

fn with_status(replies: &[Reply], status: u16) -> Vec<&Reply> {
    replies.iter().filter(|r| r.status.as_u16() == status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_simultaneous_forms_create_one_database() {
    let portal = TestPortal::start().await;
    let (ada, eve) = (portal.user("ada").await, portal.user("eve").await);
    let submit = |who: &Client| {
        let who = who.clone();
        async move { who.submit_create("lab", &[]).await }
    };
    let replies = join_all([submit(&ada), submit(&ada), submit(&ada), submit(&ada)]).await;
    let (made, late) = (with_status(&replies, 303), with_status(&replies, 409));
    assert_eq!((made.len(), late.len()), (1, 3));
    for reply in late {
        let said = reply.all("#name-error").concat();
        assert!(said.contains("A database with this name already exists. Choose another name."), "{said:?}");
        assert!(!reply.body.contains("correct-horse"));
    }
    let theirs = submit(&eve).await.expect(409);
    assert!(theirs.all("#name-error").concat().contains("already exists"), "no other user can take it either");
    ada.wait_for("lab", "running").await;
    assert_eq!(portal.containers(), [portal.container("lab")]);
    let rows = "select (select count(*) from container), (select count(*) from job), (select count(*) from port), (select count(*) from state)";
    assert_eq!(portal.sql(rows), "1|1|1|1");
}

/// Number of databases: fifty in a full run, otherwise twenty, because each takes seconds of two cores.
fn many() -> usize {
    if std::env::var_os("DB4SCI_TEST_FULL").is_some() {
        return 50;
    }
    eprintln!("Creates 20 databases at once; with DB4SCI_TEST_FULL=1 it is 50.");
    20
}

#[tokio::test(flavor = "multi_thread")]
async fn many_simultaneous_creates_are_correct_and_share_no_port() {
    let portal = portal_with(|config| config.limits.memory_default = mydb::domain::quantity::ByteSize(128 << 20)).await;
    let ada = portal.user("ada").await;
    let names: Vec<_> = (1..=many()).map(|n| format!("db-{n}")).collect();
    let forms = names.iter().map(|name| {
        let (ada, password) = (ada.clone(), format!("password of {name}"));
        async move { ada.submit_create(name, &[("dbuserpass", &password)]).await }
    });
    for reply in join_all(forms).await {
        reply.expect(303);
    }
    portal.until("select count(*) from job where status in ('queued', 'running')", |open| open == "0").await;
    let failed = "select string_agg(c.name || ': ' || s.failed_reason, e'\\n') from state s join container c on c.id = s.container_id where s.state <> 'running'";
    assert_eq!(portal.sql(failed), "", "every one runs");
    let ports: BTreeSet<_> =
        portal.sql("select port from port where container_id is not null").lines().map(str::to_owned).collect();
    assert_eq!(ports.len(), names.len(), "no port is used twice");
    assert_eq!(portal.containers().len(), names.len());
    for name in &names {
        let db = portal.connect(name, &format!("password of {name}")).await.unwrap_or_else(|e| panic!("{name}: {e}"));
        let row = db.query_one("select current_database()::text, pg_is_in_recovery()", &[]).await.expect("it answers");
        assert_eq!((row.get::<_, String>(0), row.get::<_, bool>(1)), ("trial".to_owned(), false), "{name}");
        assert!(portal.connect(name, "password of another").await.is_err(), "{name} has its own password");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_action_on_a_busy_database_is_rejected() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let token = portal.token(&ada).await;
    ada.create("lab", &[]).await;
    // At first the restart cannot stop the server, and it retries after a second, so it is running that long.
    portal.faults.inject(Fault { operation: "stop", strike: FaultTiming::Before, times: 2, transient: true });
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    let busy = "Another operation on this database is running. Wait until it is finished.";
    for (path, fields) in
        [("stop", vec![]), ("restart", vec![]), ("start", vec![]), ("delete", vec![("confirm", "lab")])]
    {
        let reply = ada.post(&format!("/containers/lab/{path}"), &fields).await.expect(303);
        assert_eq!(reply.location, "/containers/lab", "{path}");
        let page = ada.get("/containers/lab").await.expect(200).text();
        assert!(page.contains(busy), "{path}: {page}");
        assert!(!ada.get("/containers/lab").await.text().contains(busy), "the message is shown once");
    }
    let limits =
        ada.post("/containers/lab/settings", &[("memory", "300m"), ("description", "of run 7")]).await.expect(409);
    assert!(limits.text().contains(busy) && limits.body.contains("of run 7"), "{}", limits.text());
    let problem = token.send(reqwest::Method::POST, "/api/v1/containers/lab/stop", |r| r).await.expect(409).json();
    assert_eq!(problem["detail"], busy);
    ada.wait_for("lab", "running").await;
    assert_eq!(
        portal.sql("select count(*) from job where kind <> 'create'"),
        "1",
        "only the first action was executed"
    );
    assert_eq!(portal.sql("select state from state"), "running", "a refused delete leaves the state alone");
    portal.connect("lab", "correct-horse").await.expect("it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exhausted_port_range_is_reported_and_nothing_is_written() {
    let portal = portal_with(|config| {
        config.databases.ports = *config.databases.ports.start()..=config.databases.ports.start() + 1;
    })
    .await;
    let ada = portal.user("ada").await;
    let token = portal.token(&ada).await;
    ada.submit_create("one", &[]).await.expect(303);
    ada.submit_create("two", &[]).await.expect(303);
    // Wait until they run, because their jobs still write rows.
    for name in ["one", "two"] {
        ada.wait_for(name, "running").await;
    }
    let before = portal
        .sql("select (select count(*) from container), (select count(*) from job), (select count(*) from credential)");
    let reply = ada.submit_create("three", &[("description", "of run 7")]).await.expect(409);
    let said = reply.all("#errors").concat();
    assert!(said.contains("All database ports are in use. An administrator can extend the range"), "{said:?}");
    assert!(reply.all("#description").concat().contains("of run 7"), "what was typed is kept");
    let body = serde_json::json!({"name": "three", "dbname": "trial", "dbuser": "ada"});
    let problem = token.json(reqwest::Method::POST, "/api/v1/containers", &body).await.expect(409).json();
    assert!(problem["detail"].as_str().is_some_and(|d| d.contains("All database ports")), "{problem}");
    assert_eq!(
        portal.sql(
            "select (select count(*) from container), (select count(*) from job), (select count(*) from credential)"
        ),
        before
    );
    ada.get("/containers/three").await.expect(404);
    // The port of a permanently deleted database is available again.
    ada.post("/containers/one/delete", &[("confirm", "one")]).await.expect(303);
    ada.wait_for("one", "in the trash").await;
    ada.submit_create("three", &[]).await.expect(409);
    ada.post("/containers/one/purge", &[("confirm", "one")]).await.expect(303);
    ada.wait_until_gone("one").await;
    ada.create("three", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_used_by_another_program_is_marked_and_skipped() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let first = *portal.config.databases.ports.start();
    let other = TcpListener::bind(("127.0.0.1", first)).expect("the port is free");
    ada.create("lab", &[]).await;
    assert_eq!(portal.port("lab"), first + 1);
    portal.connect("lab", "correct-horse").await.expect("it answers on the other port");
    let page = ada.get("/containers/lab").await.expect(200);
    assert!(page.text().contains(&format!("port={}", first + 1)), "{}", page.text());
    let marked =
        portal.sql(&format!("select container_id is null, occupied_note <> '' from port where port = {first}"));
    assert_eq!(marked, "t|t", "the occupied one is marked");
    assert_eq!(portal.containers().len(), 1, "the incomplete container is removed");
    ada.create("next", &[]).await;
    assert_eq!(portal.port("next"), first + 2, "the marked port is not assigned");
    assert!(other.set_nonblocking(true).is_ok() && other.accept().is_err(), "no client was sent to the other program");
}

#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_creates_cannot_exceed_the_limit_of_databases() {
    let portal = portal_with(|config| config.limits.containers_per_user = 2).await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let posts = (1..=8).map(|n| {
        let ada = ada.clone();
        async move { ada.submit_create(&format!("db-{n}"), &[]).await }
    });
    // A lock holds them where they take their ports, so that all are running before the first one writes.
    let (held, connection) = tokio_postgres::connect(&portal.tables, tokio_postgres::NoTls).await.expect("the tables");
    tokio::spawn(connection);
    held.batch_execute("begin; lock table port in exclusive mode").await.expect("a lock");
    let posts = tokio::spawn(join_all(posts.collect::<Vec<_>>()));
    // At least eight: the portal's own cleanup may wait for the same table.
    let waiting =
        "select count(*) >= 8 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    portal.until(waiting, |so| so == "t").await;
    held.batch_execute("commit").await.expect("the lock is released");
    let replies = posts.await.expect("answers");
    let (made, over) = (with_status(&replies, 303), with_status(&replies, 409));
    assert_eq!((made.len(), over.len()), (2, 6));
    for reply in over {
        let said = reply.all("#errors").concat();
        assert!(said.contains("ada already has the maximum number of databases (2)."), "{said:?}");
    }
    assert_eq!(
        portal.sql("select (select count(*) from container), (select count(*) from port), (select count(*) from job)"),
        "2|2|2"
    );
    admin.submit_create("theirs", &[("owner", "ada")]).await.expect(409);
    admin.submit_create("mine", &[]).await.expect(303);
}
