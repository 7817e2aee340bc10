//! Invalid values of `ttl`: an error beside the field, wherever it can be entered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{POSTGRES_17, Reply, TestPortal};

/// The input, and a part of the error.
pub const WRONG: [(&str, &str); 15] = [
    ("0", "A time to live of 0 would end the database at once."),
    ("0d", "A time to live of 0"),
    ("-1", "“-1” is negative."),
    ("-3h", "“-3h” is negative."),
    ("1000000000000000000", "more than 100 years ahead"),
    ("1e3", "“1e3” is not a whole number."),
    ("1.5h", "“1.5h” is not a whole number."),
    ("soon", "“soon” is not a time to live."),
    ("5 parsecs", "is not a time to live."),
    ("2020-01-01", "2020-01-01 23:59 UTC is in the past."),
    ("2026-03-29 02:30", "is in the past."),
    ("2027-02-30", "“2027-02-30” is not a valid date."),
    ("31.12.2030", "is not a valid date."),
    ("9999-12-31", "more than 100 years ahead"),
    ("<script>alert(1)</script>", "is not a time to live."),
];

/// The error beside the field.
fn beside(reply: &Reply) -> String {
    reply.all("p.error#ttl-error").concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_time_to_live_is_explained_at_the_field() {
    let portal = TestPortal::start().await;
    let ada = portal.user("ada").await;
    let api = portal.token(&ada).await;
    ada.create("lab", &[("ttl", "7d")]).await;
    let before = portal.sql("select expires_at from container");
    for (typed, why) in WRONG {
        let create = ada.submit_create("new", &[("ttl", typed)]).await.expect(422);
        let clone = ada.post("/containers/lab/clone", &[("name", "copy"), ("ttl", typed)]).await.expect(422);
        let settings = ada.post("/containers/lab/settings", &[("ttl", typed)]).await.expect(422);
        let extend = ada.post("/containers/lab/extend", &[("ttl", typed)]).await.expect(422);
        for reply in [&create, &clone, &settings, &extend] {
            let said = beside(reply);
            assert!(said.contains(why) && said.trim().ends_with('.'), "{typed}: {said}");
            assert!(!reply.body.contains("<script>alert"), "it is shown as text");
        }
        refused(&api, &json!(typed), why).await;
    }
    for (number, why) in [
        (json!(0), "of 0"),
        (json!(-5), "negative"),
        (json!(1e3), "whole number"),
        (json!(1_000_000_000_000_000_000_i64), "100 years"),
    ] {
        refused(&api, &number, why).await;
    }
    refused(&api, &json!({ "hours": 8 }), "The value must be a string or a number.").await;
    assert_eq!(portal.sql("select expires_at from container"), before, "nothing was created or changed");
    // Days on which clocks change are accepted like any other day.
    for day in ["2027-03-28", "2027-10-31", "2027-03-28 02:30", "2027-10-31T02:30"] {
        ada.post("/containers/lab/extend", &[("ttl", day)]).await.expect(303);
        assert!(portal.sql("select expires_at from container").starts_with(&day[..10]), "{day}");
    }
}

/// Every call of the API rejects the value with the field's name and the error.
async fn refused(api: &crate::support::Client, value: &Value, why: &str) {
    let create = json!({ "engine": "postgres", "image": POSTGRES_17, "name": "new", "dbname": "x", "dbuser": "ada", "ttl": value });
    let calls = [
        (Method::POST, "", create),
        (Method::POST, "/lab/clone", json!({ "name": "copy", "ttl": value })),
        (Method::PATCH, "/lab", json!({ "ttl": value })),
        (Method::POST, "/lab/extend", json!({ "ttl": value })),
    ];
    for (method, path, body) in calls {
        let said = api.json(method, &format!("/api/v1/containers{path}"), &body).await.expect(422).json().to_string();
        assert!(said.contains("ttl") && said.contains(why), "{path} {value}: {said}");
    }
}
