//! Invalid names and times to live, wherever they can be given for a template or a database made from it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{portal, sql, update, write};
use crate::backups::cli;
use crate::lifetime::inputs::WRONG;
use crate::support::{Client, TestPortal};

/// Asserts that a call rejects the value, and that the response names the field and says why in a sentence.
async fn refused(api: &Client, method: Method, path: &str, body: &Value, field: &str, why: &str) {
    let said = api.json(method.clone(), path, body).await.expect(422).json().to_string();
    assert!(said.contains(field) && said.contains(why), "{method} {path} {body}: {said}");
}

async fn with_a_template() -> (TestPortal, Client, Client) {
    let portal = portal().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    write(&portal, "shop.sql", sql("create table mice (id int primary key);\n"));
    update(&portal, &api).await;
    (portal, admin, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_times_to_live_are_rejected_with_a_sentence() {
    let (portal, admin, api) = with_a_template().await;
    for (typed, why) in WRONG {
        let clone = json!({ "name": "copy", "ttl": typed });
        refused(&api, Method::POST, "/api/v1/templates/shop/clone", &clone, "ttl", why).await;
        let page = admin.post("/templates/shop/clone", &[("name", "copy"), ("ttl", typed)]).await.expect(422);
        let said = page.all("p.error").concat();
        assert!(said.contains(why) && !page.body.contains("<script>alert"), "{typed}: {said}");
        // A template has a duration, never a date.
        let is_date = why.contains("past") || why.contains("date") || typed.starts_with("9999");
        let why = if is_date { " is not a " } else { why };
        refused(&api, Method::PATCH, "/api/v1/templates/shop", &json!({ "ttl": typed }), "ttl", why).await;
        admin.post("/templates/shop", &[("ttl", typed)]).await.expect(422);
    }
    assert_eq!(portal.sql("select count(*) from container"), "0", "nothing was created");
    // Days on which clocks change are accepted like any other day.
    for (n, day) in ["2027-03-28", "2027-10-31", "2027-03-28 02:30", "2027-10-31T02:30"].into_iter().enumerate() {
        let body = json!({ "name": format!("copy-{n}"), "ttl": day });
        api.json(Method::POST, "/api/v1/templates/shop/clone", &body).await.expect(202);
        let ends = portal.sql(&format!("select expires_at from container where name = 'copy-{n}'"));
        assert!(ends.starts_with(&day[..10]), "{day}: {ends}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_names_are_rejected_with_a_sentence() {
    let (portal, admin, api) = with_a_template().await;
    let long = "a".repeat(300);
    for name in ["../x", "a/b", "-x", ".x", "a b", "", "ä", "a\nb", "<script>", long.as_str()] {
        let file = json!({ "file": "shop.sql", "name": name });
        if !name.is_empty() {
            refused(&api, Method::POST, "/api/v1/templates", &file, "name", "").await;
        }
        let source = json!({ "name": name, "source": { "database": "lab" } });
        refused(&api, Method::POST, "/api/v1/templates", &source, "name", "").await;
        refused(&api, Method::PATCH, "/api/v1/templates/shop", &json!({ "name": name }), "name", "").await;
        let page = admin.post("/templates/shop", &[("name", name)]).await.expect(422);
        assert!(!page.all("p.error").is_empty() && !page.body.contains("<script>\""), "{name}: {}", page.body);
        if !name.contains('\n') {
            let (code, said) = cli(&portal, &["template", "import", "shop.sql", &format!("--name={name}")]);
            assert!(code == 1 && said.trim().ends_with('.'), "{name}: {code} {said}");
        }
    }
    assert_eq!(portal.sql("select string_agg(name, ',') from template"), "shop");
    let names: Vec<_> =
        std::fs::read_dir(super::dumps(&portal)).expect("read").flatten().map(|e| e.file_name()).collect();
    assert_eq!(names, ["shop.sql"]);
}
