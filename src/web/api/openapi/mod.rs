//! `/api/openapi.json`: the description of the API for programs, in OpenAPI 3.1. The page *API reference* is made from
//! the same tables.

pub mod answer;
pub mod fields;
pub mod operations;
pub mod reference;

use axum::Json;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use self::answer::{Answer, schemas};
use self::operations::{Body, GROUPS, Operation};

const JSON: &str = "application/json";

/// `GET /api/openapi.json`
pub async fn show() -> Response {
    ([(header::CACHE_CONTROL, "no-cache")], Json(document())).into_response()
}

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for group in GROUPS {
        for operation in group.operations {
            let item = paths.entry(operation.path).or_insert_with(|| json!({}));
            if let Value::Object(item) = item {
                item.insert(operation.method.to_ascii_lowercase(), described(group.title, operation));
            }
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "DB4SCI", "version": env!("CARGO_PKG_VERSION"), "description": "Databases for researchers." },
        "security": [{ "token": [] }],
        "tags": GROUPS.iter().map(|group| json!({ "name": group.title })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "A token from your account page." } },
            "schemas": schemas(),
        },
    })
}

fn described(tag: &str, operation: &Operation) -> Value {
    let in_path = ["name", "id"].into_iter().filter(|name| operation.path.contains(&format!("{{{name}}}")));
    let parameters = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .chain(operation.query.iter().map(|name| {
            json!({ "name": name, "in": "query", "description": fields::parameter(name), "schema": { "type": "string" } })
        }));
    let mut responses: Map<String, Value> =
        operation.answers.iter().map(|(code, answer)| (code.to_string(), response(*code, *answer))).collect();
    let problem = json!({ "application/problem+json": { "schema": reference_to("Problem") } });
    responses.insert("default".to_owned(), json!({ "description": "A problem (RFC 9457).", "content": problem }));
    let mut all = json!({
        "operationId": id(operation),
        "tags": [tag],
        "summary": operation.summary,
        "parameters": parameters.collect::<Vec<_>>(),
        "responses": responses,
    });
    if let (Some(body), Value::Object(all)) = (body(operation.body), &mut all) {
        all.insert("requestBody".to_owned(), body);
    }
    all
}

fn reference_to(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn response(code: u16, answer: Answer) -> Value {
    let what = if code == 202 { "The job, which continues." } else { "Done." };
    let Some((name, is_list)) = answer.schema() else {
        return json!({ "description": what, "content": { "application/octet-stream": {} } });
    };
    let schema = if is_list {
        let next = json!({ "type": ["string", "null"], "description": "Cursor of the next page." });
        json!({ "type": "object", "required": ["items", "next"],
                "properties": { "items": { "type": "array", "items": reference_to(name) }, "next": next } })
    } else {
        reference_to(name)
    };
    json!({ "description": what, "content": { JSON: { "schema": schema } } })
}

fn body(body: Body) -> Option<Value> {
    let (required, optional) = body.fields();
    if body == Body::Empty {
        return None;
    }
    let names = required.iter().chain(&optional);
    let properties: Map<String, Value> = names.map(|name| ((*name).to_owned(), fields::schema(name))).collect();
    // A dump that was sent before is named instead of being sent.
    let required: Vec<&&str> = required.iter().filter(|name| **name != "dump").collect();
    let schema =
        json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false });
    let kind = if matches!(body, Body::Form(..)) { "multipart/form-data" } else { JSON };
    Some(json!({ "required": !required.is_empty(), "content": { kind: { "schema": schema } } }))
}

/// A name for generated clients, such as `post_containers_name_clone`.
fn id(operation: &Operation) -> String {
    let words = operation.path.trim_start_matches("/api/v1/").split(['/', '-']);
    let words = words.map(|word| word.trim_matches(['{', '}']));
    std::iter::once(operation.method.to_ascii_lowercase().as_str()).chain(words).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::web::access::Access;
    use crate::web::routes::ROUTES;

    #[test]
    fn every_route_of_the_api_is_described_and_nothing_else() {
        let routes: BTreeSet<_> = ROUTES
            .iter()
            .filter(|r| r.path.starts_with("/api/v1/"))
            .map(|r| format!("{} {}", r.method, r.path))
            .collect();
        let described: BTreeSet<_> = operations::all().map(|o| format!("{} {}", o.method, o.path)).collect();
        assert_eq!(routes, described);
        assert_eq!(operations::all().count(), described.len(), "an operation is described twice");
        for route in ROUTES.iter().filter(|r| r.path.starts_with("/api/v1/")) {
            let operation = operations::all().find(|o| o.method == route.method.as_str() && o.path == route.path);
            let said = operation.is_some_and(|o| o.summary.ends_with(" Only for administrators."));
            assert_eq!(said, route.access == Access::Admin, "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn every_name_has_a_meaning_and_every_id_is_unique() {
        let mut ids = BTreeSet::new();
        for operation in operations::all() {
            assert!(ids.insert(id(operation)), "{}", id(operation));
            assert!(operation.summary.ends_with('.'), "{}", operation.summary);
            for name in operation.query {
                assert_ne!(fields::parameter(name), "", "{}: {name}", operation.path);
            }
            let (required, optional) = operation.body.fields();
            for name in required.iter().chain(&optional) {
                assert_ne!(fields::field(name), "", "{}: {name}", operation.path);
            }
        }
    }

    #[test]
    fn every_property_is_described_and_every_reference_leads_somewhere() {
        let all = schemas();
        for (name, schema) in &all {
            let properties = schema["properties"].as_object().expect("an object");
            for (property, about) in properties {
                assert!(
                    about["description"].is_string() || about["oneOf"].is_array() || about["$ref"].is_string(),
                    "{name}.{property}: {about}"
                );
            }
        }
        let text = document().to_string();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap_or_default();
            assert!(all.contains_key(name), "{name}");
        }
    }
}
