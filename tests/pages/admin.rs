//! The administration pages, the account page and the help, as seen by browsers without scripts.

use crate::support::TestPortal;

/// The id between these two texts, at the first occurrence on the page.
fn id_between(body: &str, before: &str, after: &str) -> String {
    let start = body.find(before).unwrap_or_else(|| panic!("{before} is on the page")) + before.len();
    body[start..].split(after).next().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_manages_accounts() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    let ada = portal.user("ada").await;
    let id = portal.sql("select id from account where username = 'ada'");
    let own = portal.sql("select id from account where username = 'admin'");
    let path = |id: &str, verb: &str| format!("/admin/users/{id}/{verb}");

    let fields = [("username", "ada"), ("password", "researcher-2"), ("role", "user"), ("email", "a@b")];
    let again = admin.post("/admin/users", &fields).await.expect(422);
    assert!(again.text().contains("already exists"), "{}", again.text());
    assert!(
        again.body.contains("value=\"a@b\"") && !again.body.contains("researcher-2"),
        "values are kept, passwords never"
    );
    admin.post("/admin/users", &[("username", "Bo"), ("password", "x"), ("role", "boss")]).await.expect(422);
    for name in ["bo", "cy"] {
        admin
            .post("/admin/users", &[("username", name), ("password", "researcher-1"), ("role", "user")])
            .await
            .expect(303);
    }
    let after = admin.get("/admin/users?after=ada").await.expect(200).text();
    assert!(after.contains("bo") && after.contains("First page"), "{after}");

    admin.post(&path(&id, "disable"), &[]).await.expect(303);
    assert_eq!(ada.get("/").await.status, 303, "a disabled account is signed out");
    ada.post("/login", &[("username", "ada"), ("password", "researcher-1")]).await.expect(401);
    admin.post(&path(&id, "enable"), &[]).await.expect(303);
    ada.sign_in("ada", "researcher-1").await;

    admin.post(&path(&id, "password"), &[("password", "short")]).await.expect(422);
    admin.post(&path(&id, "password"), &[("password", "researcher-2")]).await.expect(303);
    assert_eq!(ada.get("/").await.status, 303, "a new password ends the sessions of the old one");
    ada.sign_in("ada", "researcher-2").await;

    ada.get("/admin/users").await.expect(403);
    admin.post(&path(&id, "role"), &[("role", "admin")]).await.expect(303);
    ada.get("/admin/users").await.expect(200);
    admin.post(&path(&id, "role"), &[("role", "owner")]).await.expect(400);

    for (verb, fields) in
        [("disable", vec![]), ("role", vec![("role", "user")]), ("password", vec![("password", "long enough")])]
    {
        admin.post(&path(&own, verb), &fields).await.expect(409);
    }
    admin.post(&path("not-an-id", "disable"), &[]).await.expect(404);
    admin.post(&path("00000000-0000-7000-8000-000000000000", "disable"), &[]).await.expect(404);

    let log = admin.get("/admin/log?actor=admin&outcome=refused").await.expect(200).text();
    assert!(log.contains("their own account"), "{log}");
    for action in ["user.add", "user.disable", "user.enable", "user.role", "user.password"] {
        assert_ne!(
            portal.sql(&format!("select count(*) from log where action = '{action}' and outcome = 'ok'")),
            "0",
            "{action}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_admins_can_not_disable_each_other_at_once() {
    let portal = TestPortal::start().await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    portal.sql("update account set role = 'admin'");
    let own = portal.sql("select id from account where username = 'admin'");
    let id = portal.sql("select id from account where username = 'ada'");
    let (to_ada, to_admin) = (format!("/admin/users/{id}/disable"), format!("/admin/users/{own}/disable"));
    tokio::join!(admin.post(&to_ada, &[]), ada.post(&to_admin, &[]));
    assert_eq!(portal.sql("select count(*) from account where disabled_at is null"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_manage_their_own_account() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let elsewhere = portal.nobody();
    elsewhere.sign_in("ada", "researcher-1").await;

    let fields = |current, new, again| [("current", current), ("new", new), ("again", again)];
    ada.post("/account/password", &fields("researcher-1", "short", "other")).await.expect(422);
    let wrong = ada.post("/account/password", &fields("wrong-one", "researcher-2", "researcher-2")).await.expect(422);
    assert!(wrong.text().contains("current password is wrong") && !wrong.body.contains("researcher-2"));
    ada.post("/account/password", &fields("researcher-1", "researcher-2", "researcher-2")).await.expect(303);
    assert_eq!(elsewhere.get("/").await.status, 303, "other sessions end");
    ada.get("/account").await.expect(200);
    elsewhere.sign_in("ada", "researcher-2").await;

    let made = ada.post("/account/tokens", &[("name", "notebook"), ("days", "")]).await.expect(200);
    assert!(made.text().contains("Authorization: Bearer $DB4SCI_TOKEN"), "{}", made.text());
    assert!(made.body.contains(&format!("{}/api/v1/containers", portal.base)));
    ada.post("/account/tokens", &[("name", "notebook")]).await.expect(422);
    ada.post("/account/tokens", &[("name", ""), ("days", "0")]).await.expect(422);
    let page = ada.get("/account").await.expect(200);
    let id = id_between(&page.body, "/account/tokens/", "/revoke");
    assert_eq!(page.all("details.ask form[action$='/revoke'] button").len(), 1, "it asks once, without scripting");
    let revoke = format!("/account/tokens/{id}/revoke");
    portal.admin().await.post(&revoke, &[]).await.expect(404);
    let api = portal.token(&ada).await;
    api.get("/api/v1/containers").await.expect(200);
    ada.post(&revoke, &[]).await.expect(303);
    ada.post(&revoke, &[]).await.expect(404);
    ada.post("/account/tokens", &[("name", "notebook")]).await.expect(200);

    ada.post("/account/sessions/end-others", &[]).await.expect(303);
    assert_eq!(elsewhere.get("/").await.status, 303);
    ada.get("/account").await.expect(200);
    for action in ["user.password", "token.create", "token.revoke", "session.end_others"] {
        assert_ne!(
            portal.sql(&format!("select count(*) from log where action = '{action}' and actor = 'ada'")),
            "0",
            "{action}"
        );
    }
    for _ in 0..12 {
        ada.post("/account/password", &fields("guess-guess", "researcher-3", "researcher-3")).await;
    }
    ada.post("/account/password", &fields("guess-guess", "researcher-3", "researcher-3")).await.expect(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_sees_the_state_of_the_portal() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    // Lists need only rows; no servers are created for them.
    portal.sql(
        "with made as (insert into container (id, name, engine, image, dbname, dbuser, account_id, storage, memory_bytes, millicpus,
                                              docker_name, created_by, created_at)
            select gen_random_uuid(), 'db-' || n, 'postgres', 'docker.io/library/postgres:17', 'd', 'u', a.id, 'standard', 1, 1,
                   'x-' || n, 'test', now() - n * interval '1 minute'
              from generate_series(1, 150) n, account a returning id)
         insert into state (container_id, state, last_state, changed_by, changed_at, failed_reason)
         select id, 'failed', 'requested', 'test', now() - interval '1 hour', E'It broke.\\nMore lines' from made",
    );
    portal.sql(
        "insert into job (id, kind, container_id, run_at, created_by, created_at, status, finished_at, error)
         select gen_random_uuid(), 'create', id, now(), 'test', now(), 'failed', now(), 'It broke' from container",
    );
    let overview = admin.get("/admin").await.expect(200).text();
    for part in
        ["failed It broke.", "145 more databases failed", "150 jobs failed in the last 24 hours", "0 running of 150"]
    {
        assert!(overview.contains(part), "{part}: {overview}");
    }

    let states = admin.get("/admin/states").await.expect(200);
    assert!(states.text().contains("100 databases on this page"), "{}", states.text());
    let next = id_between(&states.body, "/admin/states?after=", "\"");
    let rest = admin.get(&format!("/admin/states?after={next}")).await.expect(200).text();
    assert!(rest.contains("50 databases on this page") && rest.contains("db-150"), "{rest}");
    admin.get("/admin/states?after=rubbish").await.expect(200);
    admin.post("/admin/states/check", &[]).await.expect(303);

    let jobs = admin.get("/admin/jobs?status=failed").await.expect(200);
    assert!(jobs.text().contains("failed · 150 in the last 24 hours"), "{}", jobs.text());
    let next = id_between(&jobs.body, "/admin/jobs?status=failed&#38;after=", "\"");
    let rest = admin.get(&format!("/admin/jobs?status=failed&after={next}")).await.expect(200).text();
    assert!(rest.contains("50 jobs on this page"), "{rest}");

    portal.sql(
        "insert into log (at, actor, action, outcome, container_name)
         select now(), 'ada', 'container.start', 'ok', case n when 1 then 'db-1' else 'gone' end from generate_series(1, 130) n",
    );
    let log = admin.get("/admin/log?actor=ada&container=gone").await.expect(200);
    assert!(log.text().contains("100 rows on this page") && !log.body.contains("/containers/gone"), "{}", log.text());
    let before = id_between(&log.body, "&#38;before=", "\"");
    let rest = admin.get(&format!("/admin/log?actor=ada&container=gone&before={before}")).await.expect(200).text();
    assert!(rest.contains("29 rows on this page"), "{rest}");
    assert!(admin.get("/admin/log?container=db-1").await.body.contains("/containers/db-1"));

    let storage = admin.get("/admin/storage").await.expect(200).text();
    assert!(storage.contains("everyone"), "{storage}");
    // Periodic tasks appear after their first run.
    portal.until("select count(*) from schedule where name = 'reconcile' and last_run is not null", |n| n == "1").await;
    let system = admin.get("/admin/system").await.expect(200).text();
    for part in
        ["responding", "PostgreSQL 1", &portal.instance, "Desired and actual states", "docker.io/library/postgres:17"]
    {
        assert!(system.contains(part), "{part}: {system}");
    }
    // The seeds of all tests of this run: one for each image and tier.
    let images = admin.get("/admin/system").await.expect(200).all("table tr:has(code)");
    let postgres = images.iter().find(|row| row.contains("postgres:17")).expect("the image");
    assert!(postgres.contains("standard: "), "{postgres}");
    let metrics = portal.nobody().get("/metrics").await.expect(200).body;
    let seed = "db4sci_seed_timestamp_seconds{image=\"docker.io/library/postgres:17\",tier=\"standard\"}";
    assert!(metrics.contains(seed), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn read_only_mode_blocks_users_and_shows_a_banner() {
    let portal = TestPortal::start().await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    admin.post("/admin/read-only", &[("read_only", "on"), ("message", " ")]).await.expect(422);
    admin.post("/admin/read-only", &[("read_only", "maybe")]).await.expect(400);
    admin.post("/admin/read-only", &[("read_only", "on"), ("message", "new disks until noon")]).await.expect(303);
    assert!(ada.get("/").await.text().contains("new disks until noon"));
    ada.submit_create("lab", &[]).await.expect(403);
    ada.post("/account/tokens", &[("name", "x")]).await.expect(403);
    admin.post("/admin/read-only", &[("read_only", "off")]).await.expect(303);
    ada.post("/account/tokens", &[("name", "x")]).await.expect(200);
    assert_eq!(portal.sql("select count(*) from log where action = 'portal.read_only'"), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_available_to_everybody() {
    let portal = TestPortal::start().await;
    let nobody = portal.nobody();
    assert_eq!(nobody.get("/docs").await.expect(303).location, "/docs/first-steps");
    for name in [
        "first-steps",
        "connecting",
        "postgres",
        "mariadb",
        "mongodb",
        "neo4j",
        "backups",
        "copies",
        "templates",
        "limits",
        "api",
        "deleting",
        "questions",
        "changes",
    ] {
        let page = nobody.get(&format!("/docs/{name}")).await.expect(200);
        assert_eq!(page.all("h1").len(), 1, "{name}");
        assert_eq!(page.all("nav[aria-label='Help pages'] a").len(), 14, "{name}");
    }
    assert!(nobody.get("/docs/deleting").await.text().contains("10 days"));
    for name in ["nothing", "..%2F..%2FREADME", "first-steps.md"] {
        nobody.get(&format!("/docs/{name}")).await.expect(404);
    }
}
