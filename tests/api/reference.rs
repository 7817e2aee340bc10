//! The description of the API is compared with what the portal accepts.

use std::collections::BTreeSet;

use mydb::web::api::openapi::operations::{self, Body, Operation};
use reqwest::Method;
use serde_json::{Value, json};

use super::lists::fill;
use crate::support::{Client, TestPortal};

/// The names in the sentence about an unknown parameter or field.
fn known(errors: &Value) -> BTreeSet<String> {
    let said = errors["nonsense"].as_str().unwrap_or_else(|| panic!("the unknown name is not refused: {errors}"));
    match said.split_once("Known fields: ") {
        Some((_, names)) => names.trim_end_matches('.').split(", ").map(str::to_owned).collect(),
        None => BTreeSet::new(),
    }
}

async fn refused(api: &Client, operation: &Operation, query: &str, body: &Value) -> Value {
    let id = "01990c3e-7d53-7c70-a3a4-1f0d6f4f2b11";
    let path = format!("{}{query}", operation.path.replace("{name}", "lab").replace("{id}", id));
    let method: Method = operation.method.parse().expect("a method");
    let reply = match method {
        Method::GET => api.get(&path).await,
        _ => api.json(method, &path, body).await,
    };
    let said = reply.text();
    let said: Value =
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("{} {path}: {e}: {said}", operation.method));
    assert_eq!(said["status"], json!(422), "{} {path}: {said}", operation.method);
    said["errors"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_accepts_its_documented_parameters_and_fields() {
    let portal = TestPortal::start().await;
    let admin = portal.admin().await;
    let api = portal.token(&admin).await;
    fill(&portal, "admin", &["lab".to_owned()]);
    for operation in operations::all() {
        // The form with a file, and the backup to download, come before anything else.
        if matches!(operation.body, Body::Form(..)) || operation.path.ends_with("/download") {
            continue;
        }
        let errors = refused(&api, operation, "?nonsense=1", &json!({})).await;
        let described: BTreeSet<_> = operation.query.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(known(&errors), described, "{} {}: parameters", operation.method, operation.path);
        // Which fields a restore takes depends on what is restored, and which backup that is, is looked up first.
        if operation.body == Body::Empty || operation.path.ends_with("/backups/{id}/restore") {
            continue;
        }
        let errors = refused(&api, operation, "", &json!({ "nonsense": 1 })).await;
        let (required, optional) = operation.body.fields();
        let described: BTreeSet<_> = required.iter().chain(&optional).map(|name| (*name).to_owned()).collect();
        assert_eq!(known(&errors), described, "{} {}: fields", operation.method, operation.path);
    }
    let document = api.get("/api/openapi.json").await.expect(200).json();
    assert_eq!(document["openapi"], json!("3.1.0"));
    let page = admin.get("/docs/api").await.expect(200).text();
    for operation in operations::all() {
        assert!(page.contains(&format!("{} {}", operation.method, operation.path)), "{}", operation.path);
    }
}
