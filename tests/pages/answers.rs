//! Requests the portal rejects: the right status, a page or problem document that says what to do, nothing changed, and
//! security headers on every response.

use reqwest::Method;
use scraper::{Html, Selector};

use crate::support::{Client, Reply, TestPortal};

const FORM: &str = "application/x-www-form-urlencoded";

/// Checks the headers that every response must have.
fn is_safe(what: &str, reply: &Reply) {
    let header = |name: &str| reply.headers.get(name).map_or("", |v| v.to_str().expect("text"));
    let csp = header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(csp.split("; ").any(|p| p.trim() == part), "{what}: {part} in {csp}");
    }
    assert!(!csp.contains("unsafe") && !csp.contains('*') && !csp.contains("http"), "{what}: {csp}");
    assert_eq!(header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(header("x-frame-options"), "DENY", "{what}");
    assert_eq!(header("referrer-policy"), "same-origin", "{what}");
    assert_eq!(header("x-request-id").len(), 16, "{what}");
}

/// Checks an error page: HTML with a heading, a link or button to continue, and the request id.
fn is_error_page(what: &str, reply: &Reply, status: u16) {
    assert_eq!(reply.status.as_u16(), status, "{what}: {}", reply.text());
    is_safe(what, reply);
    assert!(reply.headers["content-type"].to_str().expect("text").starts_with("text/html"), "{what}");
    let id = reply.headers["x-request-id"].to_str().expect("text");
    assert!(reply.text().contains(&format!("Request ID: {id}")), "{what}: {}", reply.text());
    assert_eq!(reply.all("h1").len(), 1, "{what}");
    assert!(!reply.all("main .actions a, main .button").is_empty(), "{what}: a way to continue");
}

/// Checks a problem document of the API (RFC 9457).
fn is_problem(what: &str, reply: &Reply, status: u16) {
    assert_eq!(reply.status.as_u16(), status, "{what}: {}", reply.body);
    is_safe(what, reply);
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{what}");
    let problem = reply.json();
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["request_id"], reply.headers["x-request-id"].to_str().expect("text"), "{what}");
    for field in ["type", "title", "detail"] {
        assert!(problem[field].as_str().is_some_and(|t| !t.is_empty()), "{what}: {field} in {problem}");
    }
}

async fn sent(who: &Client, method: Method, path: &str, kind: &str, body: String) -> Reply {
    who.send(method, path, |r| r.header("content-type", kind).body(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_requests_get_a_status_with_a_page_or_a_problem() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    let big = || format!("name=lab&description={}", "x".repeat(64 * 1024));

    is_error_page("too large", &sent(&ada, Method::POST, "/containers", FORM, big()).await, 413);
    is_error_page("sign-in too large", &sent(&portal.nobody(), Method::POST, "/login", FORM, big()).await, 413);
    let json = format!("{{\"description\": \"{}\"}}", "x".repeat(64 * 1024));
    is_problem("too large", &sent(&api, Method::POST, "/api/v1/containers", "application/json", json).await, 413);
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        is_error_page(kind, &sent(&ada, Method::POST, "/containers", kind, "{}".to_owned()).await, 415);
    }
    for kind in [FORM, "text/plain", "text/json"] {
        is_problem(kind, &sent(&api, Method::POST, "/api/v1/containers", kind, "{}".to_owned()).await, 415);
    }
    for broken in ["{", "[1]", "\"x\"", "{\"name\": }", ""] {
        let reply = sent(&api, Method::POST, "/api/v1/containers", "application/json", broken.to_owned()).await;
        is_problem(broken, &reply, 400);
    }
    is_error_page("not UTF-8", &ada.get("/containers/%ff%fe").await, 400);
    is_error_page("no number", &ada.get("/containers/new?engine=a&engine=b").await, 400);
    for (path, name) in [
        ("/nowhere", "nowhere"),
        ("/containers/none", "no database"),
        ("/jobs/7", "no job"),
        ("/docs/none", "no help"),
        ("/static/none.css", "no file"),
    ] {
        is_error_page(name, &ada.get(path).await, 404);
    }
    is_error_page("nowhere", &portal.nobody().get("/nowhere").await, 404);
    is_error_page("another's page", &ada.get("/admin/log").await, 403);
    for path in ["/api/v1/nowhere", "/api/v1/containers/none", "/api/v1/jobs/7", "/api/v2"] {
        is_problem(path, &api.get(path).await, 404);
    }
    is_problem("no token", &portal.nobody().get("/api/v1/containers").await, 401);
    for (method, path, allowed) in [
        (Method::PUT, "/containers", "POST"),
        (Method::DELETE, "/containers/lab", "GET"),
        (Method::GET, "/containers/lab/restart", "POST"),
        (Method::PATCH, "/login", "POST"),
        (Method::POST, "/healthz", "GET"),
    ] {
        let reply = ada.send(method.clone(), path, |r| r).await;
        is_error_page(path, &reply, 405);
        assert!(
            reply.headers["allow"].to_str().expect("text").contains(allowed),
            "{method} {path}: {:?}",
            reply.headers
        );
    }
    let reply = api.send(Method::PUT, "/api/v1/containers", |r| r).await;
    is_problem("PUT", &reply, 405);
    assert_eq!(reply.headers["allow"], "GET,HEAD,POST");
    for path in ["/", "/containers/new", "/account", "/docs/first-steps", "/static/style.css", "/healthz", "/ca.pem"] {
        is_safe(path, &ada.get(path).await.expect(200));
    }
    is_safe("a redirect", &portal.nobody().get("/").await.expect(303));
    assert_eq!(portal.sql("select count(*) from container"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_by_another_site_changes_nothing() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let own = portal.base.as_str();
    for headers in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        [("sec-fetch-site", "same-site"), ("origin", "https://other.localhost")],
        [("sec-fetch-site", "cross-site"), ("origin", own)],
        [("x-none", ""), ("origin", "https://evil.example")],
        [("x-none", ""), ("origin", "null")],
        // Another port of the same machine is another site.
        [("x-none", ""), ("origin", "https://localhost:1")],
    ] {
        for (path, fields) in [
            ("/containers", vec![("name", "lab"), ("dbname", "trial"), ("dbuser", "ada")]),
            ("/account/tokens", vec![("name", "stolen"), ("days", "1")]),
            ("/login", vec![("username", "ada"), ("password", "researcher-1")]),
            ("/logout", vec![]),
        ] {
            let reply = ada.send(Method::POST, path, |mut r| {
                for (name, value) in headers {
                    r = r.header(name, value);
                }
                r.form(&fields)
            });
            is_error_page(&format!("{path} {headers:?}"), &reply.await, 403);
        }
    }
    assert_eq!(portal.sql("select (select count(*) from container) + (select count(*) from token)"), "0");
    ada.get("/").await.expect(200);
    // The portal's own forms, from browsers that send the origin of a form and from those that do not.
    for (name, value) in
        [("origin", own), ("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("x-none", "")]
    {
        ada.send(Method::POST, "/containers", |r| r.header(name, value).form(&[("name", "")])).await.expect(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_character_that_cannot_be_stored_is_a_client_error() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let api = portal.token(&ada).await;
    for path in [
        "/containers/%00",
        "/containers/a%00b/logs",
        "/?q=%00",
        "/?after=%00",
        "/?sort=name&after=%00",
        "/containers/new?engine=%00",
    ] {
        assert!(!ada.get(path).await.status.is_server_error(), "{path}");
    }
    for path in [
        "/admin/log?actor=%00",
        "/admin/log?container=a%00",
        "/admin/users?after=%00",
        "/admin/containers?q=%00",
        "/admin/jobs?after=%00",
    ] {
        assert!(!admin.get(path).await.status.is_server_error(), "{path}");
    }
    for path in [
        "/api/v1/containers/%00",
        "/api/v1/containers?q=%00",
        "/api/v1/containers?owner=%00",
        "/api/v1/containers?cursor=%00",
        "/api/v1/jobs/%00",
    ] {
        assert!(!api.get(path).await.status.is_server_error(), "{path}");
    }
    let nobody = portal.nobody();
    let nul = nobody.post("/login", &[("username", "ada\0"), ("password", "researcher-1\0")]).await;
    assert!(nul.status.is_client_error(), "{}", nul.status);
    let nul = admin.submit_create("lab", &[("owner", "ada\0")]).await;
    assert!(nul.status.is_client_error(), "{}", nul.status);
    ada.post("/account/tokens", &[("name", "a\0b"), ("days", "1")]).await.expect(422);
    assert!(!ada.post("/theme", &[("theme", "dark"), ("next", "/\0")]).await.status.is_server_error());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_inline_scripts_or_styles() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    admin.create("lab", &[("dbuserpass", "")]).await;
    let job = portal.sql("select id from job");
    let mut pages: Vec<_> = mydb::web::routes::ROUTES
        .iter()
        .filter(|r| {
            r.method == Method::GET
                && !r.path.starts_with("/api/")
                && !r.path.contains("events")
                && !r.path.contains('*')
        })
        .map(|r| r.path.replace("{name}", "lab").replace("{id}", &job).replace("{page}", "connecting"))
        .collect();
    pages.push("/nowhere".to_owned());
    let mut seen = 0;
    for path in pages {
        let reply = admin.get(&path).await;
        if !reply.headers.get("content-type").is_some_and(|t| t.to_str().is_ok_and(|t| t.starts_with("text/html"))) {
            continue;
        }
        seen += 1;
        let html = Html::parse_document(&reply.body);
        for selector in ["script:not([src])", "style", "[style]", "[src^='http'], [href^='http:'], link[href^='http']"]
        {
            assert_eq!(html.select(&Selector::parse(selector).expect("a selector")).count(), 0, "{path}: {selector}");
        }
        let handlers = html.tree.nodes().filter_map(|n| n.value().as_element()).flat_map(|e| e.attrs());
        let handlers: Vec<_> = handlers.filter(|(name, _)| name.starts_with("on")).collect();
        assert!(handlers.is_empty(), "{path}: {handlers:?}");
    }
    assert!(seen > 15, "only {seen} pages were checked");
}
