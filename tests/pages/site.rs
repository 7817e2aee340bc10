//! What a site sets for every page, and what every page says about the portal.

use std::net::TcpListener;

use reqwest::redirect::Policy;

use crate::support::{Options, TestPortal, http};

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_name_of_the_site_and_the_version_and_mode_of_the_portal() {
    let configure = |config: &mut mydb::config::Config| "Institute of Mice & Men".clone_into(&mut config.branding.name);
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let (admin, version) = (portal.admin().await, env!("CARGO_PKG_VERSION"));
    for path in ["/", "/containers/new", "/account", "/docs/first-steps", "/admin", "/admin/system", "/none"] {
        let page = admin.get(path).await;
        assert!(page.all("header, nav").concat().contains("Institute of Mice & Men"), "{path}: {}", page.text());
        assert!(page.all("title").concat().contains("Institute of Mice & Men"), "{path}: {}", page.text());
        assert!(page.all("footer").concat().contains(version), "{path}: {}", page.text());
        assert_eq!(page.all(".mode").concat().trim(), "development", "{path}");
    }
    let page = portal.nobody().get("/login").await.expect(200).text();
    assert!(page.contains("Institute of Mice & Men") && page.contains(version), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_the_configured_or_default_icon() {
    let png = b"\x89PNG\r\n\x1a\nan icon";
    let configure = move |config: &mut mydb::config::Config| {
        std::fs::create_dir_all(&config.data_dir).expect("a directory");
        let file = config.data_dir.join("icon.png");
        std::fs::write(&file, png).expect("an icon");
        config.branding.favicon = Some(file);
    };
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let (admin, nobody) = (portal.admin().await, portal.nobody());
    for (client, path) in
        [(&nobody, "/login"), (&admin, "/containers/new"), (&admin, "/docs/first-steps"), (&admin, "/none")]
    {
        let icons = "link[rel=icon][href='/branding/favicon']";
        assert_eq!(client.get(path).await.all(icons).len(), 1, "{path}");
    }
    let icon = nobody.get("/branding/favicon").await.expect(200);
    assert_eq!(icon.headers["content-type"], "image/png");
    assert!(icon.body.contains("an icon"), "{}", icon.body);

    let plain = TestPortal::start().await;
    let page = plain.nobody().get("/login").await.expect(200);
    assert_eq!(page.all("link[rel=icon][href^='/static/favicon.svg']").len(), 1, "{}", page.body);
    plain.nobody().get("/branding/favicon").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_redirects_to_the_same_url_on_https() {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port");
    let configure = move |config: &mut mydb::config::Config| config.server.redirect_listen = Some(free);
    let portal = TestPortal::with(Options { configure: Box::new(configure), ..Options::default() }).await;
    let client = http().redirect(Policy::none()).build().expect("a client");
    for path in ["/", "/containers/lab?tab=a%20b", "//elsewhere/x"] {
        let said = client.get(format!("http://localhost:{}{path}", free.port())).send().await.expect("an answer");
        assert_eq!(said.status().as_u16(), 308, "{path}");
        let to = said.headers().get("location").and_then(|l| l.to_str().ok()).expect("an address");
        assert_eq!(to, format!("{}{path}", portal.base));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_is_prefilled_with_the_accounts_email_and_department() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    portal.sql("update account set email = 'ada@mice.example', department = 'Genomics' where username = 'ada'");
    let form = ada.get("/containers/new?engine=postgres").await.expect(200).body;
    assert!(form.contains("ada@mice.example") && form.contains("Genomics"), "{form}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_shows_the_extensions_of_the_selected_version() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let form =
        ada.get("/containers/new?engine=postgres&image=docker.io%2Flibrary%2Fpostgres%3A15").await.expect(200).body;
    assert!(form.contains("Create PostgreSQL 15 database"), "{form}");
    // Without scripting, links lead to the form of each version.
    let link = "/containers/new?engine=postgres&#38;image=docker.io%2Flibrary%2Fpostgres%3A17";
    assert!(form.contains("<noscript>") && form.contains(link), "{form}");
    let form = ada.get("/containers/new?engine=postgres&image=unknown").await.expect(200).body;
    assert!(form.contains("Create PostgreSQL 17 database"), "{form}");
}
