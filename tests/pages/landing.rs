//! After an action on a database, a person is on the tab they came from, with the result or the reason of a rejection.

use mydb::web::routes::ROUTES;

use crate::backups::back_up;
use crate::support::{POSTGRES_15, POSTGRES_17, TestPortal};

/// What the action leads to.
enum Lands {
    /// This tab.
    On(&'static str),
    /// Another page, with its own tests.
    Elsewhere,
}
use Lands::{Elsewhere, On};

/// Fields of a form.
type Fields = &'static [(&'static str, &'static str)];

/// Every action on a database: its route, its fields, the page with its button, and the tab that follows.
const ACTIONS: &[(&str, Fields, &str, Lands)] = &[
    ("/settings", &[("description", "of run 7")], "/settings", On("/settings")),
    ("/maintenance", &[("maintenance", "off")], "/settings", On("/settings")),
    ("/start", &[], "/settings", On("/settings")),
    ("/stop", &[], "/metrics", On("/metrics")),
    ("/restart", &[], "/logs", On("/logs")),
    ("/restart", &[], "/snapshots", On("/snapshots")),
    ("/restart", &[], "", On("")),
    // Pages that are not tabs, or that belong to somebody else.
    ("/restart", &[], "/backups/x/restore", On("")),
    ("/extend", &[("tab", "Backups")], "/extend", On("/backups")),
    ("/extend", &[("tab", "https://elsewhere.example")], "/extend", On("")),
    // The new password is shown on the overview.
    ("/rotate-password", &[], "/rotate-password", On("")),
    ("/delete", &[("confirm", "lab")], "/delete", On("")),
    ("/undelete", &[], "", On("")),
    ("/purge", &[("confirm", "lab")], "/purge", On("")),
    ("/backup", &[], "/backups", On("/backups")),
    ("/backups/{id}/drill", &[], "/backups", On("/backups")),
    ("/backups/{id}/restore", &[("in_place", "true"), ("confirm", "lab")], "/backups/{id}/in-place", On("/backups")),
    ("/notices/{id}/seen", &[], "/backups", On("/backups")),
    ("/snapshot", &[], "/snapshots", On("/snapshots")),
    ("/snapshots/{id}/restore", &[], "/snapshots/{id}/restore", On("/snapshots")),
    ("/reset", &[], "/reset", On("/snapshots")),
    ("/refresh", &[], "/refresh", On("/snapshots")),
    ("/promote", &[], "/promote", On("/snapshots")),
    ("/upgrade", &[("image", POSTGRES_17), ("confirm", "lab")], "/upgrade", On("/settings")),
    ("/snapshots/{id}/delete", &[], "/snapshots/{id}/delete", On("/snapshots")),
    // The page with the password, and that of the new database.
    ("/password", &[], "", Elsewhere),
    ("/clone", &[], "/clone", Elsewhere),
];

/// A snapshot that only has a row.
const SNAPSHOT: &str = "00000000-0000-7000-8000-00000000000a";

#[tokio::test(flavor = "multi_thread")]
async fn every_action_leads_back_to_its_tab_with_the_result() {
    let missing: Vec<_> = ROUTES
        .iter()
        .filter(|r| r.method == "POST")
        .filter_map(|r| r.path.strip_prefix("/containers/{name}"))
        .filter(|path| ACTIONS.iter().all(|(known, ..)| known != path))
        .collect();
    assert!(missing.is_empty(), "these actions have no case in this test: {missing:?}");

    let portal = TestPortal::with_store().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[("image", POSTGRES_15)]).await;
    // Accepted, with a job that the tab follows.
    let at = |page: &str| format!("/containers/lab{page}");
    for (from, action, state) in
        [("/settings", "/settings", "running"), ("/metrics", "/stop", "stopped"), ("/snapshots", "/start", "running")]
    {
        let fields = [("memory", "300m")];
        let fields: &[_] = if action == "/settings" { &fields } else { &[] };
        let reply = ada.post_from(&at(from), &at(action), fields).await.expect(303);
        assert_eq!(reply.location, at(from), "{action}");
        let page = ada.get(&reply.location).await.expect(200);
        assert_eq!(page.all("#steps").len(), 1, "{action}: the tab shows the job: {}", page.text());
        ada.wait_for("lab", state).await;
    }
    let backup = back_up(&portal, &ada, "lab").await;
    portal.until("select count(*) from job where status in ('queued', 'running')", |open| open == "0").await;
    // Now another job is running, so everything that needs one is rejected.
    portal.sql(&format!(
        "insert into snapshot (id, container_id, reason, image, image_after, requested_at, made_at, frozen_at, bytes)
         select '{SNAPSHOT}', id, 'user', image, image, now(), now(), now(), 1 from container;
         insert into job (id, kind, container_id, status, attempt, run_at, lease_until, worker, created_by, created_at, started_at)
         select gen_random_uuid(), 'restart', id, 'running', 1, now(), now() + interval '1 day', 'elsewhere', 'ada', now(), now()
           from container"
    ));
    let at = |page: &str| at(&page.replace("/backups/{id}", &format!("/backups/{backup}")).replace("{id}", SNAPSHOT));
    for (action, fields, from, lands) in ACTIONS {
        let On(tab) = lands else { continue };
        let who = if *action == "/maintenance" { &admin } else { &ada };
        let reply = who.post_from(&at(from), &at(action), fields).await;
        assert_eq!(reply.status.as_u16(), 303, "{action} from {from}: {}", reply.text());
        assert_eq!(reply.location, at(tab), "{action} from {from}");
        let page = who.get(&reply.location).await.expect(200);
        let said = page.all(".callout[role=status], #steps").concat();
        assert!(!said.trim().is_empty(), "{action} from {from} leaves no message: {}", page.text());
    }
    portal
        .sql("update job set status = 'cancelled', finished_at = now(), lease_until = null where worker = 'elsewhere'");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_marks_its_place_in_the_navigation() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[]).await;
    let job = portal.sql("select id from job");
    let places = [
        ("/containers/new", "New database"),
        ("/containers/", "My databases"),
        ("/jobs/", "My databases"),
        ("/backups", "My databases"),
        ("/templates", "Templates"),
        ("/docs", "Help"),
        ("/account", "Account and tokens"),
        ("/admin/containers", "All databases"),
        ("/admin/states", "States"),
        ("/admin/jobs", "Jobs"),
        ("/admin/backups", "Backups"),
        ("/admin/contents", "Contents"),
        ("/admin/log", "Log"),
        ("/admin/users", "Users"),
        ("/admin/storage", "Storage"),
        ("/admin/system", "System"),
        ("/admin", "Overview"),
        ("/", "My databases"),
    ];
    let mut seen = 0;
    let pages = ROUTES.iter().filter(|r| r.method == "GET" && !r.path.contains("events") && !r.path.contains("/api/"));
    for route in pages.filter(|r| !r.path.contains('*')) {
        let path = route.path.replace("{name}", "lab").replace("{id}", &job).replace("{page}", "connecting");
        let reply = admin.get(&path).await;
        let is_page = reply.headers.get("content-type").is_some_and(|t| t.as_bytes().starts_with(b"text/html"));
        if reply.status != 200 || !is_page {
            continue;
        }
        seen += 1;
        let (_, place) = places.iter().find(|(beginning, _)| path.starts_with(beginning)).expect("a place");
        let marked = reply.all(".side [aria-current=page], .who .item[aria-current=page]");
        assert_eq!(marked.iter().map(|m| m.trim()).collect::<Vec<_>>(), [*place], "{path}");
    }
    assert!(seen > 25, "only {seen} pages were checked");
}
