//! The log: who did what, from where, to which database, with which outcome; and nobody can change it.

use crate::support::TestPortal;

#[tokio::test(flavor = "multi_thread")]
async fn the_log_records_every_action_and_rejection() {
    let portal = TestPortal::start().await;
    let (ada, eve) = (portal.user("ada").await, portal.user("eve").await);
    let admin = portal.admin().await;
    portal.nobody().post("/login", &[("username", "ada"), ("password", "guess-work")]).await.expect(401);
    ada.create("lab", &[]).await;
    eve.post("/containers/lab/stop", &[]).await.expect(404);
    eve.get("/admin/users").await.expect(403);
    ada.post("/containers/lab/restart", &[]).await.expect(303);
    ada.wait_for("lab", "running").await;
    ada.post("/containers/lab/delete", &[("confirm", "lab")]).await.expect(303);
    ada.wait_for("lab", "in the trash").await;
    eve.post("/logout", &[]).await.expect(303);

    let told =
        portal.sql("select actor || ' ' || action || ' ' || container_name || ' ' || outcome from log order by id");
    let told: Vec<_> = told.lines().collect();
    for line in [
        "admin user.add  ok",
        "ada session.sign_in  ok",
        "ada session.sign_in  refused",
        "ada container.create lab ok",
        "eve container.stop lab refused",
        "ada container.restart lab ok",
        "ada container.delete lab ok",
        "eve session.sign_out  ok",
    ] {
        assert!(told.contains(&line), "“{line}” is missing: {told:#?}");
    }
    let people = "actor in ('ada', 'eve') and address in ('127.0.0.1', '::1') and length(request_id) = 16 and at > now() - interval '5 minutes'";
    let vague = portal.sql(&format!(
        "select actor, action, address, request_id from log where actor in ('ada', 'eve') and not ({people})"
    ));
    assert_eq!(vague, "", "each row has an address and a request id");

    // The admin finds it by its filters; the owner of the database does not see it.
    let page = admin.get("/admin/log?actor=eve&outcome=refused").await.expect(200);
    let rows = page.all("main tbody tr");
    assert!(rows.iter().any(|r| r.contains("container.stop") && r.contains("lab")), "{rows:#?}");
    assert!(rows.iter().all(|r| r.contains("eve") && r.contains("refused")), "{rows:#?}");
    let page = admin.get("/admin/log?container=lab&action=container.restart").await.expect(200);
    assert!(!page.all("main tbody tr").is_empty());
    assert!(page.all("main tbody tr").iter().all(|r| r.contains("container.restart")), "{}", page.text());
    ada.get("/admin/log").await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_change_or_empty_the_log() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let before = portal.sql("select count(*), md5(string_agg(l::text, '' order by id)) from log l");
    // With psql as the portal's own role: what this role cannot do, nothing in the portal can.
    let psql = |statement: &str| {
        std::process::Command::new("psql").args([&portal.tables, "-XAtqc", statement]).output().expect("psql")
    };
    assert!(psql("select count(*) from log").status.success(), "psql can connect");
    for statement in [
        "update log set actor = 'eve'",
        "update log set outcome = 'ok' where false or id = 1",
        "delete from log",
        "delete from log where id = (select max(id) from log)",
        "truncate log",
        "truncate container cascade",
        "insert into log (id, at, actor, action, outcome) values (1, now(), 'x', 'y', 'ok')",
    ] {
        let said = psql(statement);
        let error = String::from_utf8_lossy(&said.stderr);
        let refused =
            error.contains("the log is append-only") || error.contains("non-DEFAULT value into column \"id\"");
        assert!(!said.status.success() && refused, "{statement}: {error}");
    }
    assert_eq!(portal.sql("select count(*), md5(string_agg(l::text, '' order by id)) from log l"), before);
    assert!(!before.starts_with("0|"), "the log is not empty");
}
