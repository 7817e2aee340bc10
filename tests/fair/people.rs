//! No one can lock out another user, and access gained with a password ends when that password changes.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};

use crate::support::{ADMIN_PASSWORD, Client, Options, TestPortal};

/// Starts a portal behind a proxy on this host, so that requests can come from any address.
async fn behind_a_proxy() -> TestPortal {
    let configure = Box::new(|c: &mut mydb::config::Config| {
        c.server.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
    });
    TestPortal::with(Options { configure, ..Options::default() }).await
}

async fn sign_in(client: &Client, from: &str, name: &str, password: &str) -> StatusCode {
    let fields = [("username", name), ("password", password)];
    let reply = client
        .send(Method::POST, "/login", |r| {
            r.header("sec-fetch-site", "same-origin").header("x-forwarded-for", from).form(&fields)
        })
        .await;
    if reply.status == StatusCode::TOO_MANY_REQUESTS {
        assert!(reply.headers.contains_key("retry-after"), "{:?}", reply.headers);
    }
    reply.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_wrong_passwords_slows_only_unknown_browsers() {
    let portal = behind_a_proxy().await;
    let ada = portal.user("ada").await;
    portal.user("bert").await;
    let (ok, wrong, later) = (StatusCode::SEE_OTHER, StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS);
    // Her browser is known, although she has signed out.
    ada.post("/logout", &[]).await.expect(303);
    let stranger = portal.nobody();
    let (mut tried, mut slowed) = (0, 0);
    for n in 0..90 {
        match sign_in(&stranger, &format!("10.1.{}.{}", n / 200, n % 200), "ada", "guess").await {
            s if s == wrong => tried += 1,
            s if s == later => slowed += 1,
            s => panic!("{s}"),
        }
    }
    assert!(slowed > 0 && tried >= 60, "{tried} tried, {slowed} slowed");
    assert_eq!(
        sign_in(&portal.nobody(), "10.1.0.1", "ada", "researcher-1").await,
        later,
        "unknown browsers are slowed down"
    );
    assert_eq!(sign_in(&ada, "10.2.0.1", "ada", "researcher-1").await, ok, "her own browser is not slowed down");
    assert_eq!(
        sign_in(&portal.nobody(), "10.2.0.2", "bert", "researcher-1").await,
        ok,
        "other accounts are not slowed down"
    );
    // The same from her own address: someone behind the same router cannot lock her out.
    for _ in 0..40 {
        sign_in(&stranger, "10.3.0.1", "nobody", "guess").await;
    }
    assert_eq!(sign_in(&ada, "10.3.0.1", "ada", "researcher-1").await, ok);
    // Known browsers are per account: bert's browser is unknown for ada's account.
    let bert = portal.nobody();
    assert_eq!(sign_in(&bert, "10.4.0.1", "bert", "researcher-1").await, ok);
    for n in 0..90 {
        if sign_in(&stranger, &format!("10.5.0.{n}"), "ada", "guess").await == later {
            break;
        }
    }
    assert_eq!(sign_in(&bert, "10.4.0.1", "ada", "researcher-1").await, later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_tokens_unless_they_are_kept() {
    let portal = TestPortal::start().await;
    let (admin, ada) = (portal.admin().await, portal.user("ada").await);
    let change = async |from: &str, to: &str, tokens: &str| {
        let mut fields = vec![("current", from), ("new", to), ("again", to)];
        fields.extend((!tokens.is_empty()).then_some(("tokens", tokens)));
        ada.post("/account/password", &fields).await.expect(303);
    };
    let works = async |token: &Client| token.get("/api/v1/containers").await.status;

    let token = portal.token(&ada).await;
    change("researcher-1", "researcher-2", "keep").await;
    assert_eq!(works(&token).await, StatusCode::OK);
    change("researcher-2", "researcher-3", "").await;
    assert_eq!(works(&token).await, StatusCode::UNAUTHORIZED);

    let id = portal.sql("select id from account where username = 'ada'");
    let reset = async |password: &str, tokens: &str| {
        let fields = [("password", password), ("tokens", tokens)];
        admin.post(&format!("/admin/users/{id}/password"), &fields).await.expect(303);
        ada.sign_in("ada", password).await;
    };
    let token = portal.token(&ada).await;
    reset("researcher-4", "keep").await;
    assert_eq!(works(&token).await, StatusCode::OK);
    reset("researcher-5", "end").await;
    assert_eq!(works(&token).await, StatusCode::UNAUTHORIZED);
    assert!(portal.sql("select string_agg(detail, ' ') from log where action = 'user.password'").contains("revoked"));
}

/// Returns how long a stream continues after `end`.
async fn goes_on(portal: &TestPortal, watcher: &Client, path: &str, end: impl AsyncFnOnce()) -> Duration {
    let (watcher, path) = (watcher.clone(), path.to_owned());
    let watching = tokio::spawn(async move {
        let reply = watcher.get(&path).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!watching.is_finished(), "the stream ended by itself: {}", portal.instance);
    end().await;
    let begin = Instant::now();
    let ended = tokio::time::timeout(Duration::from_secs(30), watching).await;
    ended.expect("the stream ends within 30 s").expect("the stream was readable");
    begin.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_permission_is_lost() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    let ada = portal.user("ada").await;
    ada.create("lab", &[]).await;
    let short = Duration::from_secs(6);
    let log = "/containers/lab/logs/events";
    let id = portal.sql("select id from account where username = 'ada'");

    let took = goes_on(&portal, &ada, log, async || {
        admin.post(&format!("/admin/users/{id}/disable"), &[]).await.expect(303);
    });
    assert!(took.await < short, "the account was disabled");
    admin.post(&format!("/admin/users/{id}/enable"), &[]).await.expect(303);

    ada.sign_in("ada", "researcher-1").await;
    let took = goes_on(&portal, &ada, log, async || {
        ada.post("/logout", &[]).await.expect(303);
    });
    assert!(took.await < short, "she signed out");

    // A user who was an administrator watches the log of ada's database.
    let bert = portal.user("bert").await;
    let bert_id = portal.sql("select id from account where username = 'bert'");
    let role = async |role: &str| {
        admin.post(&format!("/admin/users/{bert_id}/role"), &[("role", role)]).await.expect(303);
    };
    role("admin").await;
    let took = goes_on(&portal, &bert, log, async || role("user").await);
    assert!(took.await < short, "his role changed");

    // A job that is scheduled for later.
    ada.sign_in("ada", "researcher-1").await;
    portal.sql(
        "insert into job (id, kind, container_id, run_at, created_by, created_at)
         select gen_random_uuid(), 'restart', id, now() + interval '4 minutes', 'ada', now() from container",
    );
    let job = portal.sql("select id from job where kind = 'restart'");
    let events = format!("/jobs/{job}/events");
    let took = goes_on(&portal, &ada, &events, async || {
        portal.sql(&format!("update container set account_id = '{bert_id}'"));
    });
    assert!(took.await < short, "the database belongs to another user");
    admin.sign_in("admin", ADMIN_PASSWORD).await;
}
