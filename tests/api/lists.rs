//! Lists and the catalog: cursors, filters, and available images.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Client, TestPortal};

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().expect("items").iter().map(|c| c["name"].as_str().expect("a name")).collect()
}

async fn list(api: &Client, query: &str) -> Value {
    api.get(&format!("/api/v1/containers{query}")).await.expect(200).json()
}

/// Inserts rows for a list. No servers run for them, so there can be many.
pub fn fill(portal: &TestPortal, owner: &str, names: &[String]) {
    for name in names {
        portal.sql(&format!(
            "with c as (insert into container (id, name, engine, image, dbname, dbuser, account_id, description, storage,
                                               memory_bytes, millicpus, docker_name, created_by, created_at, started_at)
               select gen_random_uuid(), '{name}', 'postgres', 'docker.io/library/postgres:17', 'trial', 'ada', id, 'about {name}',
                      'standard', 268435456, 1000, 'none-{name}', '{owner}', now(), now() from account where username = '{owner}'
               returning id)
             insert into state (container_id, state, last_state, changed_by, changed_at)
             select id, 'stopped', 'running', '{owner}', now() from c"
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_paged_newest_first_without_duplicates() {
    let portal = TestPortal::start().await;
    let (ada, eve) = (portal.user("ada").await, portal.user("eve").await);
    let (api, other) = (portal.token(&ada).await, portal.token(&eve).await);
    let root = portal.token(&portal.admin().await).await;
    let made: Vec<_> = (1..=7).map(|n| format!("lab-{n}")).collect();
    fill(&portal, "ada", &made);
    fill(&portal, "eve", &["hers".to_owned()]);

    let (mut seen, mut query, mut pages) = (Vec::new(), "?limit=3".to_owned(), 0);
    loop {
        let page = list(&api, &query).await;
        pages += 1;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        assert!(names(&page).len() <= 3 && pages <= 3, "page {pages}: {page}");
        let Some(next) = page["next"].as_str() else { break };
        // Databases created meanwhile do not shift the pages.
        fill(&portal, "ada", &[format!("late-{pages}")]);
        query = format!("?limit=3&cursor={next}");
    }
    let newest_first: Vec<_> = made.iter().rev().cloned().collect();
    assert_eq!((seen, pages), (newest_first, 3));
    assert_eq!(list(&api, "?limit=200").await["next"], json!(null));
    assert_eq!(names(&list(&other, "").await), ["hers"], "databases of others are not listed");
    assert_eq!(names(&list(&root, "").await).len(), 10, "an administrator sees all databases");
    assert_eq!(names(&list(&root, "?owner=eve").await), ["hers"]);
    assert_eq!(list(&other, "?owner=ada").await, json!({"items": [], "next": null}));
    assert_eq!(names(&list(&api, "?q=about%20lab-3").await), ["lab-3"], "q searches the description");
    assert_eq!(list(&api, "?q=%25").await["items"], json!([]), "wildcards are plain characters");
    assert_eq!(list(&api, "?state=running").await["items"], json!([]));
    assert_eq!(names(&list(&api, "?state=stopped&limit=1").await).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_parameters_are_named() {
    let portal = TestPortal::start().await;
    let api = portal.token(&portal.user("ada").await).await;
    for (path, field) in [
        ("containers?limit=0", "limit"),
        ("containers?limit=201", "limit"),
        ("containers?limit=ten", "limit"),
        ("containers?cursor=rubbish", "cursor"),
        ("containers?cursor=1-2", "cursor"),
        ("containers?state=asleep", "state"),
        ("containers?stat=running", "stat"),
        ("catalog?engine=postgres", "engine"),
    ] {
        let problem = api.get(&format!("/api/v1/{path}")).await.expect(422).json();
        assert!(problem["errors"][field].is_string(), "{path}: {problem}");
    }
    let body = json!({"name": "lab", "dbname": "trial", "dbuser": "ada"});
    for wait in ["0", "301", "soon", "-1"] {
        let problem =
            api.json(Method::POST, &format!("/api/v1/containers?wait={wait}"), &body).await.expect(422).json();
        assert!(problem["errors"]["wait"].is_string(), "{wait}: {problem}");
    }
    assert_eq!(portal.sql("select count(*) from container"), "0", "nothing was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_accepts_what_the_catalog_offers() {
    let portal = TestPortal::start().await;
    let api = portal.token(&portal.user("ada").await).await;
    let catalog = api.get("/api/v1/catalog").await.expect(200).json();
    let engine = &catalog["engines"][0];
    assert_eq!((&engine["engine"], &engine["label"]), (&json!("postgres"), &json!("PostgreSQL")));
    let images = engine["images"].as_array().expect("images");
    let defaults: Vec<_> = images.iter().filter(|i| i["default"] == true).map(|i| &i["version"]).collect();
    assert_eq!(defaults, [&json!("17")], "the first of an engine is its default");
    let versions: BTreeSet<_> = images.iter().map(|i| i["version"].as_str().expect("a version")).collect();
    assert_eq!(versions, BTreeSet::from(["15", "16", "17", "18"]));
    let tiers: Vec<_> =
        catalog["storage"].as_array().expect("tiers").iter().map(|t| (&t["name"], &t["available"])).collect();
    assert!(tiers.contains(&(&json!("standard"), &json!(true))), "{tiers:?}");
    let limits = &catalog["limits"];
    assert_eq!((&limits["memory_default"], &limits["memory_max"]), (&json!(256 << 20), &json!(4i64 << 30)));
    // A create accepts what the catalog offers, by version and by complete reference.
    for (name, image) in [("by-version", "15"), ("by-reference", "docker.io/library/postgres:15")] {
        let body = json!({"name": name, "image": image, "dbname": "trial", "dbuser": "ada", "memory": limits["memory_default"]});
        api.json(Method::POST, "/api/v1/containers", &body).await.expect(202);
        let made = api.get(&format!("/api/v1/containers/{name}")).await.expect(200).json();
        assert_eq!((&made["version"], &made["memory"]), (&json!("15"), &limits["memory_default"]));
    }
}
