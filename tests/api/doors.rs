//! Access to the API, and its errors for create calls that are rejected.

use reqwest::Method;
use serde_json::json;

use crate::support::{Client, Reply, TestPortal};

const LIST: &str = "/api/v1/containers";

fn is_shut(what: &str, reply: &Reply) {
    assert_eq!(reply.status.as_u16(), 401, "{what}: {}", reply.body);
    assert_eq!(reply.headers["www-authenticate"], "Bearer", "{what}");
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_valid_token_of_an_enabled_account_opens_the_api() {
    let portal = TestPortal::start().await;
    let (ada, admin) = (portal.user("ada").await, portal.admin().await);
    let nobody = portal.nobody();
    is_shut("nothing", &nobody.get(LIST).await);
    is_shut("a session's cookie", &ada.get(LIST).await);
    let body = json!({"name": "lab", "dbname": "trial", "dbuser": "ada"});
    is_shut("a session's cookie", &ada.json(Method::POST, LIST, &body).await);
    is_shut("made up", &nobody.with_token(&"0".repeat(64)).get(LIST).await);
    is_shut("no text", &nobody.with_token("").get(LIST).await);
    for header in ["Basic YWRhOnJlc2VhcmNoZXItMQ==", "Bearer", "Token x"] {
        is_shut(header, &nobody.send(Method::GET, LIST, |r| r.header("authorization", header)).await);
    }

    let api = portal.token(&ada).await;
    api.get(LIST).await.expect(200);
    assert_eq!(portal.sql("select last_used_at is not null from token"), "t", "its use is recorded");
    assert_eq!(
        portal.sql("select expires_at - created_at = interval '1 day' from token"),
        "t",
        "the day that was asked for"
    );
    // A disabled account loses access at once, and regains it when it is enabled.
    let id = portal.sql("select id from account where username = 'ada'");
    admin.post(&format!("/admin/users/{id}/disable"), &[]).await.expect(303);
    is_shut("disabled", &api.get(LIST).await);
    admin.post(&format!("/admin/users/{id}/enable"), &[]).await.expect(303);
    api.get(LIST).await.expect(200);
    // The token expires after a day.
    portal.clock.shift(24 * 3600 - 60);
    api.get(LIST).await.expect(200);
    portal.clock.shift(24 * 3600 + 60);
    is_shut("ended", &api.get(LIST).await);
    portal.clock.shift(0);
    api.get(LIST).await.expect(200);
    // Revoked by the owner, who has to sign in again because disabling the account ended the session.
    ada.sign_in("ada", "researcher-1").await;
    let token = portal.sql("select id from token");
    ada.post(&format!("/account/tokens/{token}/revoke"), &[]).await.expect(303);
    is_shut("revoked", &api.get(LIST).await);
    assert_eq!(portal.sql("select count(*) from container"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_not_open_pages_and_is_shown_once() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let made = ada.post("/account/tokens", &[("name", "notebook"), ("days", "30")]).await.expect(200);
    let secret = made.all("#token").concat().trim().to_owned();
    assert_eq!(secret.len(), 64, "{secret}");
    assert!(!ada.get("/account").await.expect(200).body.contains(&secret));
    assert!(!portal.sql("select string_agg(t::text, '') from token t").contains(&secret), "only its hash is kept");
    let api = portal.nobody().with_token(&secret);
    api.get(LIST).await.expect(200);
    for page in ["/", "/account", "/containers/new"] {
        assert!(api.get(page).await.expect(303).location.starts_with("/login?next="), "{page}");
    }
    let again = ada.post("/account/tokens", &[("name", "notebook"), ("days", "30")]).await.expect(422);
    assert!(again.all("#name-error").concat().contains("You already have a token with this name"), "{}", again.text());
    // No other user can revoke it, whatever their role.
    let id = portal.sql("select id from token");
    for other in [portal.user("eve").await, portal.admin().await] {
        other.post(&format!("/account/tokens/{id}/revoke"), &[]).await.expect(404);
    }
    api.get(LIST).await.expect(200);
    let log = portal
        .sql("select string_agg(action || ' ' || actor || ' ' || detail, '; ') from log where action like 'token.%'");
    assert_eq!(log, "token.create ada notebook");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_create_names_every_field_and_creates_nothing() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    let create = async |api: &Client, body: serde_json::Value| api.json(Method::POST, LIST, &body).await;
    let wrong = json!({
        "engine": "postgres", "image": "9", "name": "My DB", "dbname": "postgres", "dbuser": "a b", "dbuserpass": "short",
        "owner": "admin", "storage": "gold", "memory": "lots", "cpus": "many", "contact": ["a"], "colour": "red",
    });
    let problem = create(&api, wrong).await.expect(422).json();
    let errors = problem["errors"].as_object().expect("errors by field");
    let mut named: Vec<_> = errors.keys().map(String::as_str).collect();
    named.sort_unstable();
    let expected =
        ["colour", "contact", "cpus", "dbname", "dbuser", "dbuserpass", "image", "memory", "name", "owner", "storage"];
    assert_eq!(named, expected, "{problem}");
    for (field, said) in errors {
        assert!(
            said.as_str().is_some_and(|s| s.ends_with(['.', '?']) && s.contains(' ')),
            "{field}: the error is a sentence: {said}"
        );
    }
    assert!(!problem.to_string().contains("\"short\""), "the password is not repeated");
    let empty = create(&api, json!({})).await.expect(422).json();
    let mut named: Vec<_> = empty["errors"].as_object().expect("errors").keys().collect();
    named.sort_unstable();
    assert_eq!(named, ["name"], "everything else has a default");
    let hushed = api.send(Method::POST, LIST, |r| {
        r.header("content-type", "application/json").body("{\"dbuserpass\": \"hush-hush-hush\" \"x\"}")
    });
    let hushed = hushed.await.expect(400);
    assert!(!hushed.body.contains("hush-hush"), "an invalid body is not repeated: {}", hushed.body);
    assert_eq!(portal.sql("select count(*) from container"), "0");

    create(&api, json!({"name": "ux-my-mice", "dbuser": ""})).await.expect(202);
    assert_eq!(portal.sql("select dbname || ' ' || dbuser from container"), "ux_my_mice ux_my_mice");
    ada.submit_create("lab", &[]).await.expect(303);
    let taken = create(&api, json!({"name": "lab", "dbname": "trial", "dbuser": "ada"})).await.expect(409).json();
    assert_eq!(taken["detail"], "A database with this name already exists.");
    let eve = portal.token(&portal.user("eve").await).await;
    create(&eve, json!({"name": "lab", "dbname": "trial", "dbuser": "ada"})).await.expect(409);
    let refused = "select count(*) from log where action = 'container.create' and outcome = 'refused'";
    assert_eq!(portal.sql(refused), "2", "refusals are logged");
}
