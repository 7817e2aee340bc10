//! Requests every route in the table anonymously and as another user, owner and administrator: each must respond
//! according to its access level. A route without a case here fails the test.

use std::collections::BTreeMap;

use mydb::web::access::Access;
use mydb::web::routes::{ROUTES, Route};
use reqwest::Method;

use crate::support::{Client, Options, Reply, TestPortal};

/// Expected statuses for the owner and an administrator. The requests change nothing that others rely on: the database
/// is stopped, destructive actions are not confirmed, and forms that would change an account are empty.
const CASES: &[(&str, &str, u16, u16)] = &[
    ("GET", "/healthz", 200, 200),
    ("GET", "/readyz", 200, 200),
    ("GET", "/metrics", 200, 200),
    ("GET", "/static/{*file}", 200, 200),
    ("GET", "/branding.css", 200, 200),
    ("GET", "/branding/logo", 200, 200),
    ("GET", "/branding/favicon", 200, 200),
    ("GET", "/ca.pem", 200, 200),
    ("GET", "/login", 303, 303),
    ("POST", "/login", 303, 303),
    ("POST", "/logout", 303, 303),
    ("POST", "/theme", 303, 303),
    ("GET", "/docs", 303, 303),
    ("GET", "/docs/{page}", 200, 200),
    ("GET", "/", 200, 200),
    ("GET", "/containers/new", 200, 200),
    ("GET", "/containers/new/from-dump", 200, 200),
    // Not a multipart form.
    ("POST", "/containers/new/from-dump", 400, 400),
    ("POST", "/containers", 422, 422),
    ("GET", "/templates", 200, 200),
    ("POST", "/templates", 422, 422),
    ("POST", "/templates/update", 403, 303),
    // There is no template of this name.
    ("GET", "/templates/from-dump", 403, 200),
    ("POST", "/templates/from-dump", 403, 400),
    ("GET", "/templates/{name}", 404, 404),
    ("POST", "/templates/{name}", 404, 404),
    ("POST", "/templates/{name}/clone", 404, 404),
    ("POST", "/templates/{name}/refresh", 404, 404),
    ("POST", "/templates/{name}/notices/{id}/seen", 403, 404),
    ("GET", "/templates/{name}/delete", 404, 404),
    ("POST", "/templates/{name}/delete", 404, 404),
    ("GET", "/account", 200, 200),
    ("POST", "/account/password", 422, 422),
    ("POST", "/account/tokens", 422, 422),
    // This page covers only one's own tokens: an administrator cannot revoke another user's token here.
    ("POST", "/account/tokens/{id}/revoke", 303, 404),
    ("POST", "/account/sessions/end-others", 303, 303),
    ("GET", "/containers/{name}", 200, 200),
    // The owner comes first and sees the password; after that it is not shown again.
    ("POST", "/containers/{name}/password", 200, 303),
    ("GET", "/containers/{name}/metrics", 200, 200),
    ("GET", "/containers/{name}/logs", 200, 200),
    ("GET", "/events", 200, 200),
    ("GET", "/events/templates", 200, 200),
    ("GET", "/admin/events", 403, 200),
    ("GET", "/containers/{name}/events", 200, 200),
    ("GET", "/containers/{name}/logs/events", 200, 200),
    ("GET", "/containers/{name}/settings", 200, 200),
    ("POST", "/containers/{name}/settings", 303, 303),
    ("POST", "/containers/{name}/maintenance", 403, 303),
    ("POST", "/containers/{name}/start", 303, 303),
    ("POST", "/containers/{name}/stop", 303, 303),
    ("POST", "/containers/{name}/restart", 303, 303),
    // Without a value it means the default time to live, which is none here.
    ("GET", "/containers/{name}/extend", 200, 200),
    ("POST", "/containers/{name}/extend", 303, 303),
    ("GET", "/containers/{name}/rotate-password", 200, 200),
    ("POST", "/containers/{name}/rotate-password", 303, 303),
    ("GET", "/containers/{name}/delete", 200, 200),
    ("POST", "/containers/{name}/delete", 422, 422),
    ("POST", "/containers/{name}/undelete", 303, 303),
    ("GET", "/containers/{name}/purge", 200, 200),
    ("POST", "/containers/{name}/purge", 422, 422),
    ("GET", "/containers/{name}/backups", 200, 200),
    // A backup is running: the request is redirected back with an error message.
    ("POST", "/containers/{name}/backup", 303, 303),
    ("POST", "/containers/{name}/backups/{id}/drill", 303, 303),
    // The database has no notices.
    ("POST", "/containers/{name}/notices/{id}/seen", 303, 303),
    ("GET", "/containers/{name}/backups/{id}/restore", 200, 200),
    ("POST", "/containers/{name}/backups/{id}/restore", 422, 422),
    ("GET", "/containers/{name}/backups/{id}/download", 200, 200),
    ("GET", "/containers/{name}/backups/{id}/in-place", 200, 200),
    // There is no previous data, and the database has the latest version.
    ("GET", "/containers/{name}/snapshots/{id}/restore", 404, 404),
    ("POST", "/containers/{name}/snapshots/{id}/restore", 404, 404),
    ("GET", "/containers/{name}/snapshots", 200, 200),
    ("POST", "/containers/{name}/snapshot", 303, 303),
    ("GET", "/containers/{name}/snapshots/{id}/delete", 404, 404),
    ("POST", "/containers/{name}/snapshots/{id}/delete", 404, 404),
    ("GET", "/containers/{name}/clone", 200, 200),
    ("POST", "/containers/{name}/clone", 422, 422),
    // It is not a clone.
    ("GET", "/containers/{name}/reset", 409, 409),
    ("POST", "/containers/{name}/reset", 303, 303),
    ("GET", "/containers/{name}/refresh", 409, 409),
    ("POST", "/containers/{name}/refresh", 303, 303),
    ("GET", "/containers/{name}/promote", 409, 409),
    ("POST", "/containers/{name}/promote", 303, 303),
    ("GET", "/containers/{name}/upgrade", 409, 409),
    ("POST", "/containers/{name}/upgrade", 422, 422),
    ("GET", "/backups", 200, 200),
    ("GET", "/backups/{id}/download", 200, 200),
    ("GET", "/backups/{id}/restore", 200, 200),
    ("POST", "/backups/{id}/restore", 422, 422),
    // Its database still exists.
    ("GET", "/backups/{id}/delete", 409, 409),
    ("POST", "/backups/{id}/delete", 409, 409),
    ("POST", "/jobs/{id}/cancel", 303, 303),
    ("GET", "/jobs/{id}", 200, 200),
    ("GET", "/jobs/{id}/events", 200, 200),
    ("GET", "/admin", 403, 200),
    ("GET", "/admin/containers", 403, 200),
    ("GET", "/admin/states", 403, 200),
    ("POST", "/admin/states/check", 403, 303),
    ("GET", "/admin/contents", 403, 200),
    ("GET", "/admin/backups", 403, 200),
    ("POST", "/admin/backups/audit", 403, 303),
    ("POST", "/admin/backups/admin-db", 403, 303),
    ("POST", "/admin/backups/all", 403, 303),
    ("GET", "/admin/backups/prune", 403, 200),
    ("POST", "/admin/backups/prune", 403, 303),
    ("GET", "/admin/backups/find", 403, 200),
    ("POST", "/admin/backups/import", 403, 303),
    ("GET", "/admin/backups/{id}", 403, 200),
    ("POST", "/admin/backups/{id}/drill", 403, 303),
    ("POST", "/admin/backups/{id}/lock", 403, 303),
    ("POST", "/admin/backups/{id}/restore", 403, 422),
    // The portal has no notices.
    ("POST", "/admin/notices/{id}/seen", 403, 303),
    ("GET", "/admin/log", 403, 200),
    ("GET", "/admin/jobs", 403, 200),
    ("GET", "/admin/storage", 403, 200),
    ("GET", "/admin/system", 403, 200),
    ("POST", "/admin/read-only", 403, 400),
    ("GET", "/admin/users", 403, 200),
    ("POST", "/admin/users", 403, 422),
    ("GET", "/admin/users/{id}", 403, 200),
    ("POST", "/admin/users/{id}", 403, 303),
    ("GET", "/admin/users/{id}/delete", 403, 200),
    ("POST", "/admin/users/{id}/delete", 403, 422),
    ("POST", "/admin/users/{id}/disable", 403, 303),
    ("POST", "/admin/users/{id}/enable", 403, 303),
    ("POST", "/admin/users/{id}/role", 403, 400),
    ("POST", "/admin/users/{id}/password", 403, 422),
    ("POST", "/admin/users/{id}/limits", 403, 303),
    ("GET", "/api/openapi.json", 200, 200),
    ("GET", "/api/v1/catalog", 200, 200),
    ("GET", "/api/v1/containers", 200, 200),
    ("POST", "/api/v1/containers", 422, 422),
    ("POST", "/api/v1/containers/from-dump", 415, 415),
    ("GET", "/api/v1/containers/{name}", 200, 200),
    ("PATCH", "/api/v1/containers/{name}", 200, 200),
    ("DELETE", "/api/v1/containers/{name}", 422, 422),
    ("POST", "/api/v1/containers/{name}/start", 202, 202),
    ("POST", "/api/v1/containers/{name}/stop", 409, 409),
    ("POST", "/api/v1/containers/{name}/restart", 409, 409),
    ("POST", "/api/v1/containers/{name}/undelete", 409, 409),
    ("POST", "/api/v1/containers/{name}/extend", 200, 200),
    ("POST", "/api/v1/containers/{name}/backup", 409, 409),
    ("POST", "/api/v1/containers/{name}/upgrade", 422, 422),
    ("GET", "/api/v1/containers/{name}/snapshots", 200, 200),
    ("POST", "/api/v1/containers/{name}/snapshots", 202, 202),
    ("POST", "/api/v1/containers/{name}/snapshots/{id}/restore", 404, 404),
    ("DELETE", "/api/v1/containers/{name}/snapshots/{id}", 404, 404),
    ("POST", "/api/v1/containers/{name}/clone", 422, 422),
    ("POST", "/api/v1/containers/{name}/reset", 409, 409),
    ("POST", "/api/v1/containers/{name}/refresh", 409, 409),
    ("POST", "/api/v1/containers/{name}/promote", 409, 409),
    ("GET", "/api/v1/containers/{name}/notices", 200, 200),
    // The database has no notices.
    ("POST", "/api/v1/containers/{name}/notices/{id}/seen", 404, 404),
    ("GET", "/api/v1/backups", 200, 200),
    ("GET", "/api/v1/backups/{id}/download", 200, 200),
    ("POST", "/api/v1/backups/{id}/restore", 422, 422),
    ("GET", "/api/v1/templates", 200, 200),
    ("POST", "/api/v1/templates", 422, 422),
    ("POST", "/api/v1/templates/from-dump", 403, 415),
    ("POST", "/api/v1/templates/update", 403, 200),
    ("GET", "/api/v1/templates/{name}", 404, 404),
    ("PATCH", "/api/v1/templates/{name}", 404, 404),
    ("DELETE", "/api/v1/templates/{name}", 404, 404),
    ("POST", "/api/v1/templates/{name}/refresh", 404, 404),
    ("POST", "/api/v1/templates/{name}/clone", 404, 404),
    ("GET", "/api/v1/jobs/{id}", 200, 200),
    ("POST", "/api/v1/jobs/{id}/cancel", 409, 409),
];

/// A user with a browser and a token.
struct Person {
    name: &'static str,
    password: &'static str,
    page: Client,
    api: Client,
}

struct World {
    portal: TestPortal,
    stranger: Person,
    owner: Person,
    admin: Person,
    /// Prefixes of paths with an `{id}`, and the id to insert.
    ids: BTreeMap<&'static str, String>,
}

impl World {
    async fn make() -> Self {
        let logo = Box::new(|config: &mut mydb::config::Config| {
            config.branding.logo = Some(config.home.join("static/logo.svg"));
            config.branding.favicon = Some(config.home.join("static/favicon.svg"));
            crate::support::store(config);
        });
        let portal = TestPortal::with(Options { configure: logo, ..Options::default() }).await;
        let person = async |name, password, page: Client| {
            let api = portal.token(&page).await;
            Person { name, password, page, api }
        };
        let owner = person("ada", "researcher-1", portal.user("ada").await).await;
        let stranger = person("eve", "researcher-1", portal.user("eve").await).await;
        let admin = person("admin", "administrator", portal.admin().await).await;
        portal.user("guinea").await;
        owner.page.post("/account/tokens", &[("name", "spare"), ("days", "1")]).await.expect(200);
        owner.page.create("lab", &[("dbuserpass", "")]).await;
        let backup = crate::backups::back_up(&portal, &owner.page, "lab").await;
        owner.page.post("/containers/lab/stop", &[]).await.expect(303);
        owner.page.wait_for("lab", "stopped").await;
        // As if a backup were running: a new one would interfere with the responses.
        portal.sql(
            "insert into backup_log (id, container_id, kind, reason, status, started_at, target)
             select gen_random_uuid(), id, 'backup', 'manual', 'running', now(), 'local' from container where name = 'lab'",
        );
        let ids = BTreeMap::from([
            ("/admin/notices/", uuid::Uuid::from_u128(7).to_string()),
            ("/account/tokens/", portal.sql("select id from token where name = 'spare'")),
            ("/admin/users/", portal.sql("select id from account where username = 'guinea'")),
            ("/templates/", backup.clone()),
            ("/containers/lab/backups/", backup.clone()),
            ("/containers/lab/notices/", backup.clone()),
            ("/containers/lab/snapshots/", backup.clone()),
            ("/api/v1/containers/lab/snapshots/", backup.clone()),
            ("/api/v1/containers/lab/notices/", backup.clone()),
            ("/backups/", backup.clone()),
            ("/admin/backups/", backup.clone()),
            ("/api/v1/backups/", backup),
            ("/jobs/", portal.sql("select id from job where kind = 'create'")),
            ("/api/v1/jobs/", portal.sql("select id from job where kind = 'create'")),
        ]);
        Self { portal, stranger, owner, admin, ids }
    }

    /// A visitor who is not signed in but could sign in as `guinea`.
    fn guest(&self) -> Person {
        Person { name: "guinea", password: "researcher-1", page: self.portal.nobody(), api: self.portal.nobody() }
    }

    /// The route's path with a real name, id, file or page.
    fn fill(&self, route: &Route) -> String {
        let mut path =
            route.path.replace("{name}", "lab").replace("{*file}", "style.css").replace("{page}", "first-steps");
        if path.contains("{id}") {
            let id = self.ids.iter().find(|(beginning, _)| path.starts_with(*beginning)).map(|(_, id)| id);
            path = path.replace("{id}", id.unwrap_or_else(|| panic!("no id for {path}")));
        }
        assert!(!path.contains('{'), "{path} still has a placeholder");
        path
    }

    async fn ask(&self, who: &Person, route: &Route, path: &str) -> Reply {
        match (path.starts_with("/api/"), &route.method) {
            (true, &Method::POST | &Method::PATCH) => {
                who.api.json(route.method.clone(), path, &serde_json::json!({})).await
            }
            (true, method) => who.api.send(method.clone(), path, |r| r).await,
            // These streams continue until the page is left.
            (false, &Method::GET)
                if ["/events", "/events/templates", "/admin/events", "/containers/lab/events"].contains(&path) =>
            {
                who.page.begin(path).await
            }
            (false, &Method::GET) => who.page.get(path).await,
            (false, &Method::POST) if path == "/login" => {
                who.page.post(path, &[("username", who.name), ("password", who.password)]).await
            }
            (false, &Method::POST) => who.page.post(path, &[]).await,
            (false, method) => panic!("{method} {path}: pages have no such method"),
        }
    }

    /// Waits until no job is open, so that each `start` finds the database free.
    async fn settle(&self) {
        let open = "select count(*) from job where status in ('queued', 'running')";
        self.portal.until(open, |said| said == "0").await;
    }
}

/// Whether the route enqueues a snapshot, which keeps the database busy for a moment.
fn takes_snapshot(route: &Route) -> bool {
    route.method == Method::POST && (route.path.ends_with("/snapshot") || route.path.ends_with("/snapshots"))
}

fn case(route: &Route) -> Option<(u16, u16)> {
    let found = CASES.iter().find(|(method, path, ..)| *method == route.method.as_str() && *path == route.path);
    found.map(|(_, _, owner, admin)| (*owner, *admin))
}

/// Checks that an anonymous visitor may use public routes and is sent to the sign-in page everywhere else.
fn nobody_is_answered_right(route: &Route, path: &str, owner: u16, reply: &Reply) {
    let (what, status) = (format!("nobody: {} {path}", route.method), reply.status.as_u16());
    if route.access == Access::Public {
        // The form redirects users who are already signed in.
        let expected = if path == "/login" && route.method == Method::GET { 200 } else { owner };
        assert_eq!(status, expected, "{what}: {}", reply.text());
        assert!(!reply.location.starts_with("/login?next"), "{what}: {}", reply.location);
    } else if path.starts_with("/api/") {
        assert_eq!(status, 401, "{what}");
        assert_eq!(reply.headers["www-authenticate"], "Bearer", "{what}");
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{what}");
        assert_eq!(reply.json()["status"], 401, "{what}");
    } else {
        assert_eq!(status, 303, "{what}");
        let next = reply.location.strip_prefix("/login?next=").unwrap_or_else(|| panic!("{what}: {}", reply.location));
        let next = percent_encoding::percent_decode_str(next).decode_utf8_lossy().into_owned();
        // A request that cannot be repeated by its URL leads to the front page after signing in.
        assert_eq!(next, if route.method == Method::GET { path } else { "/" }, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_enforces_its_access_level() {
    for (method, path, ..) in CASES {
        assert!(
            ROUTES.iter().any(|r| r.method.as_str() == *method && r.path == *path),
            "{method} {path} is not a route"
        );
    }
    let missing: Vec<_> =
        ROUTES.iter().filter(|r| case(r).is_none()).map(|r| format!("{} {}", r.method, r.path)).collect();
    assert!(missing.is_empty(), "these routes have no case in this test: {missing:#?}");

    let world = World::make().await;
    // Routes that start the database come after those that expect it to be stopped, and signing out comes last.
    let late = |r: &&Route| if r.path == "/logout" { 2 } else { i32::from(r.path.ends_with("/start")) };
    let mut routes: Vec<_> = ROUTES.iter().collect();
    routes.sort_by_key(late);
    for route in routes {
        let (path, (owner, admin)) = (world.fill(route), case(route).expect("looked up above"));
        let guest = world.guest();
        nobody_is_answered_right(route, &path, owner, &world.ask(&guest, route, &path).await);
        let stranger = match route.access {
            Access::Owner => 404,
            Access::SignedIn if route.path.contains('{') => 404,
            Access::Admin => 403,
            Access::Public | Access::SignedIn => owner,
        };
        for (who, expected) in [(&world.stranger, stranger), (&world.owner, owner), (&world.admin, admin)] {
            if route.path.ends_with("/start") || takes_snapshot(route) {
                world.settle().await;
            }
            let reply = world.ask(who, route, &path).await;
            let status = reply.status.as_u16();
            assert_eq!(status, expected, "{}: {} {path}: {}", who.name, route.method, reply.text());
            assert!(!reply.location.starts_with("/login?next"), "{}: {} {path}", who.name, route.method);
        }
        if takes_snapshot(route) {
            world.settle().await;
        }
    }
    refusals_are_logged(&world.portal);
}

fn refusals_are_logged(portal: &TestPortal) {
    let refused = |who: &str, more: &str| {
        portal.sql(&format!(
            "select count(*) from log where actor = '{who}' and outcome = 'refused' and address <> '' and {more}"
        ))
    };
    let count = |access: Access| ROUTES.iter().filter(|r| r.access == access).count().to_string();
    assert_eq!(
        refused("eve", "container_name = 'lab'"),
        count(Access::Owner),
        "each attempt on another user's database"
    );
    for who in ["eve", "ada"] {
        assert_eq!(
            refused(who, "detail like '%administrators%'"),
            count(Access::Admin),
            "each attempt of {who} on an administrator's page"
        );
    }
}
