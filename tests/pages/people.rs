//! Signing in and out, and what ends a session.

use reqwest::Method;

use crate::support::{Client, Reply, TestPortal};

async fn sign_in(who: &Client, username: &str, password: &str) -> Reply {
    who.post("/login", &[("username", username), ("password", password)]).await
}

/// A response without the parts that differ in every response, and without the typed name.
fn told(reply: &Reply, username: &str) -> (u16, String) {
    let id = reply.headers["x-request-id"].to_str().expect("text");
    (reply.status.as_u16(), reply.body.replace(id, "ID").replace(username, "NAME"))
}

/// Whether a client is redirected to the sign-in page.
async fn is_out(who: &Client) -> bool {
    let reply = who.get("/account").await;
    reply.status == 303 && reply.location.starts_with("/login?next=")
}

#[tokio::test(flavor = "multi_thread")]
async fn all_failed_sign_ins_get_the_same_response() {
    let portal = TestPortal::start().await;
    portal.user("ada.lovelace").await;
    portal.user("gone.person").await;
    let admin = portal.admin().await;
    let id = portal.sql("select id from account where username = 'gone.person'");
    admin.post(&format!("/admin/users/{id}/disable"), &[]).await.expect(303);

    let nobody = portal.nobody();
    let wrong = sign_in(&nobody, "ada.lovelace", "researcher-2").await;
    assert_eq!(wrong.status, 401);
    assert!(wrong.all("#login-error").concat().contains("User name or password is wrong."), "{}", wrong.text());
    assert!(!wrong.body.contains("researcher-2"), "the password is not repeated");
    let wrong = told(&wrong, "ada.lovelace");
    assert_eq!(told(&sign_in(&nobody, "no.such.name", "researcher-1").await, "no.such.name"), wrong);
    assert_eq!(told(&sign_in(&nobody, "gone.person", "researcher-1").await, "gone.person"), wrong);
    assert!(is_out(&nobody).await);
    for (name, password) in
        [("", ""), ("ada.lovelace", ""), ("ADA.LOVELACE", "researcher-1"), ("ada.lovelace' or 1=1 --", "x")]
    {
        assert_eq!(sign_in(&nobody, name, password).await.status, 401, "{name:?}");
    }
    let refused = portal
        .sql("select count(*) from log where action = 'session.sign_in' and outcome = 'refused' and address <> ''");
    assert_eq!(refused, "7", "each is in the log");
    assert_eq!(
        portal.sql("select count(*) from log where detail like '%researcher%' or actor like '%researcher%'"),
        "0"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_blocked_after_ten_attempts_without_affecting_others() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    portal.user("eve").await;
    // The sign-in above was the first of the ten.
    for n in 2..=10 {
        let guess = sign_in(&portal.nobody(), "ada", &format!("guess-{n}-of-many")).await;
        assert_eq!(guess.status, 401, "try {n}");
    }
    let limited = sign_in(&portal.nobody(), "ada", "researcher-1").await;
    assert_eq!(limited.status, 429, "even the right one has to wait now");
    let said = limited.all("#login-error").concat();
    assert!(said.contains("Too many attempts. Wait") && said.contains(" s and try again."), "{said:?}");
    assert!(is_out(&portal.nobody()).await);
    assert!(!is_out(&ada).await, "an existing session continues");
    sign_in(&portal.nobody(), "eve", "researcher-1").await.expect(303);
    assert_eq!(portal.sql("select count(*) from log where actor = 'ada' and detail = 'too many attempts'"), "1");
    // Password changes are limited too, but attempts by strangers do not count against a signed-in user.
    let change = [("current", "guess-again"), ("new", "researcher-3"), ("again", "researcher-3")];
    ada.post("/account/password", &change).await.expect(422);
    let mut last = 422;
    for _ in 0..14 {
        last = ada.post("/account/password", &change).await.status.as_u16();
    }
    assert_eq!(last, 429);
    // An address has its own limit, across all names.
    let mut last = 401;
    for n in 0..20 {
        last = sign_in(&portal.nobody(), &format!("name-{n}"), "guess-of-many").await.status.as_u16();
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_session_cookie_is_bound_to_the_portal_and_ends_with_sign_out() {
    let portal = TestPortal::start().await;
    portal.user("ada").await;
    let browser = portal.nobody();
    let reply = sign_in(&browser, "ada", "researcher-1").await.expect(303);
    let cookie = reply.headers["set-cookie"].to_str().expect("text").to_owned();
    let (pair, rules) = cookie.split_once(';').expect("rules");
    assert!(pair.starts_with("__Host-"), "{pair}");
    for rule in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(rules.split(';').any(|r| r.trim() == rule), "{rule} in {rules}");
    }
    assert!(!rules.contains("Domain") && !rules.contains("Expires") && !rules.contains("Max-Age"), "{rules}");
    let (_, secret) = pair.split_once('=').expect("a value");
    assert!(!portal.sql("select string_agg(s::text, '') from session s").contains(secret), "only its hash is kept");

    // A stolen cookie no longer works either: the session itself ends, not only the cookie.
    let thief = portal.nobody();
    let steal = async || thief.send(Method::GET, "/account", |r| r.header("cookie", pair)).await.status.as_u16();
    assert_eq!(steal().await, 200);
    assert_eq!(browser.post("/logout", &[]).await.expect(303).location, "/login");
    assert!(is_out(&browser).await);
    assert_eq!(steal().await, 303);
    let idle = portal.nobody();
    idle.sign_in("ada", "researcher-1").await;
    portal.clock.shift(portal.config.server.session.as_secs().cast_signed() + 60);
    assert!(is_out(&idle).await, "an idle session ends by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_an_account_signs_the_user_out_and_keeps_the_database_running() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    ada.create("lab", &[]).await;
    let page = ada.get("/containers/lab").await.expect(200);
    for action in ["stop", "restart"] {
        let form = format!("form[action='/containers/lab/{action}']");
        assert_eq!(
            (page.all(&format!("details.ask {form}")).len(), page.all(&form).len()),
            (1, 1),
            "{action} asks once"
        );
    }
    let id = portal.sql("select id from account where username = 'ada'");
    admin.post(&format!("/admin/users/{id}/disable"), &[]).await.expect(303);
    assert!(is_out(&ada).await);
    assert!(ada.post("/containers/lab/stop", &[]).await.expect(303).location.starts_with("/login"));
    assert_eq!(sign_in(&portal.nobody(), "ada", "researcher-1").await.status, 401);
    portal.connect("lab", "correct-horse").await.expect("the database keeps running");
    admin.post(&format!("/admin/users/{id}/enable"), &[]).await.expect(303);
    assert!(is_out(&ada).await, "the old session does not come back");
    sign_in(&ada, "ada", "researcher-1").await.expect(303);
    ada.get("/containers/lab").await.expect(200);
    let own = portal.sql("select id from account where username = 'admin'");
    admin.post(&format!("/admin/users/{own}/disable"), &[]).await.expect(409);
    admin.get("/admin").await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_session() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let laptop = portal.nobody();
    laptop.sign_in("ada", "researcher-1").await;
    let change = async |current: &str, new: &str, again: &str| {
        ada.post("/account/password", &[("current", current), ("new", new), ("again", again)]).await
    };
    for (reply, field, piece) in [
        (change("wrong-one", "researcher-2", "researcher-2").await, "current", "current password is wrong"),
        (change("researcher-1", "short", "short").await, "new", "at least 8"),
        (change("researcher-1", "researcher-2", "researcher-3").await, "again", "do not match"),
    ] {
        let reply = reply.expect(422);
        let said = reply.all(&format!("#{field}-error")).concat();
        assert!(said.contains(piece), "{field}: {said:?}");
        assert!(!reply.body.contains("researcher-"), "no password is repeated");
    }
    assert!(!is_out(&laptop).await, "a refused change ends no session");
    change("researcher-1", "researcher-2", "researcher-2").await.expect(303);
    assert!(is_out(&laptop).await && !is_out(&ada).await);
    assert_eq!(sign_in(&laptop, "ada", "researcher-1").await.status, 401);
    sign_in(&laptop, "ada", "researcher-2").await.expect(303);
    // A password set by an administrator ends all sessions.
    let id = portal.sql("select id from account where username = 'ada'");
    admin.post(&format!("/admin/users/{id}/password"), &[("password", "researcher-4")]).await.expect(303);
    assert!(is_out(&laptop).await && is_out(&ada).await);
    sign_in(&ada, "ada", "researcher-4").await.expect(303);
    laptop.sign_in("ada", "researcher-4").await;
    ada.post("/account/sessions/end-others", &[]).await.expect(303);
    assert!(is_out(&laptop).await && !is_out(&ada).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_returns_to_the_requested_page_and_never_to_another_site() {
    let portal = TestPortal::start().await;
    let (ada, mut names) = (portal.user("ada").await, ["ada", "eve"]);
    portal.user("eve").await;
    let first = portal.nobody().get("/containers/new?engine=postgres").await.expect(303);
    let form = portal.nobody().get(&first.location).await.expect(200);
    let html = scraper::Html::parse_document(&form.body);
    let hidden = scraper::Selector::parse("main input[name=next]").expect("a selector");
    let next = html.select(&hidden).next().and_then(|e| e.attr("value")).expect("a field").to_owned();
    assert_eq!(next, "/containers/new?engine=postgres");
    for (next, leads_to) in [
        (next.as_str(), next.as_str()),
        ("/account", "/account"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("\n//evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("/login", "/"),
        ("", "/"),
    ] {
        // Two users take turns, because one alone would exceed the limit of sign-ins.
        names.rotate_left(1);
        let fields = [("username", names[0]), ("password", "researcher-1"), ("next", next)];
        assert_eq!(portal.nobody().post("/login", &fields).await.expect(303).location, leads_to, "{next:?}");
    }
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    for evil in ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"] {
        let reply = ada.get(&format!("/login?next={}", encode(evil))).await.expect(303);
        assert_eq!(reply.location, "/", "{evil:?}, signed in already");
        assert_eq!(
            ada.post("/theme", &[("theme", "dark"), ("next", evil)]).await.expect(303).location,
            "/",
            "{evil:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_after_the_session_expired_leads_back_to_its_page() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let send = async |who: &Client, path: &str, referer: &str| {
        who.send(Method::POST, path, |r| r.header("referer", referer).form(&[("theme", "dark")])).await
    };
    let page = format!("{}/containers/new?engine=postgres", portal.base);
    for (path, referer, next) in [
        ("/containers", page.as_str(), "%2Fcontainers%2Fnew%3Fengine%3Dpostgres"),
        // The target of a form cannot be opened as a page.
        ("/containers", "", "%2F"),
        ("/account/password", "no address", "%2F"),
    ] {
        let reply = send(&portal.nobody(), path, referer).await.expect(303);
        assert_eq!(reply.location, format!("/login?next={next}"), "{path} from {referer:?}");
    }
    // The same applies to changing the theme on a form that was refused.
    let faulty = send(&ada, "/containers", &page).await.expect(422);
    let html = scraper::Html::parse_document(&faulty.body);
    let hidden = scraper::Selector::parse("form.theme input[name=next]").expect("a selector");
    let back = html.select(&hidden).next().and_then(|e| e.attr("value")).expect("a field").to_owned();
    let chosen = ada.post("/theme", &[("theme", "dark"), ("next", &back)]).await.expect(303);
    ada.get(&chosen.location).await.expect(200);
}
