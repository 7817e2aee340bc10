//! Reads JSON bodies, with a specific error for each way a body can be malformed.

use std::fmt::Display;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::forms::create::Faults;
use crate::web::portal::Shared;

/// Fields whose value may be `true` or `false`.
pub const FLAGS: &[&str] = &["in_place", "no_backup", "beside"];
/// Fields whose value may be a number.
pub const NUMBERS: &[&str] = &["memory", "cpus", "cpuset", "days", "ttl"];

/// Fields whose value may be a list of strings.
pub const LISTS: &[&str] = &["extensions", "users"];

/// A required JSON object.
#[derive(Debug)]
pub struct Body(Map<String, Value>);

/// An optional JSON object; empty if no body was sent.
#[derive(Debug)]
pub struct MaybeBody(Map<String, Value>);

impl Body {
    /// Whether this field is `true`.
    pub fn asks(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|v| v == &Value::Bool(true))
    }

    /// Removes a nested object from the body and parses it; `null` means that it is absent.
    pub fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, String> {
        let value = self.0.remove(name).filter(|value| !value.is_null());
        value.map(serde_json::from_value).transpose().map_err(|e| format!("The value cannot be parsed: {e}."))
    }

    /// Converts the object to form fields.
    pub fn fields(self, known: &[&str]) -> (Fields, Faults) {
        fields(self.0, known)
    }
}

impl MaybeBody {
    /// Converts the object to form fields.
    pub fn fields(self, known: &[&str]) -> (Fields, Faults) {
        fields(self.0, known)
    }
}

impl FromRequest<Shared> for Body {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, AppError> {
        let typed = is_json(request.headers());
        match read(request, state).await? {
            Some(object) => Ok(Self(object)),
            None if typed => Err(AppError::BadRequest("The body is empty. Send a JSON object.".to_owned())),
            None => Err(AppError::UnsupportedMedia),
        }
    }
}

impl FromRequest<Shared> for MaybeBody {
    type Rejection = AppError;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, AppError> {
        Ok(Self(read(request, state).await?.unwrap_or_default()))
    }
}

async fn read(request: Request, state: &Shared) -> Result<Option<Map<String, Value>>, AppError> {
    let typed = is_json(request.headers());
    let bytes = Bytes::from_request(request, state).await.map_err(|e| match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => AppError::TooLarge,
        _ => AppError::BadRequest("The body ended before it was complete.".to_owned()),
    })?;
    match (bytes.is_empty(), typed) {
        (true, _) => Ok(None),
        (false, false) => Err(AppError::UnsupportedMedia),
        (false, true) => object(&bytes).map(Some).map_err(AppError::BadRequest),
    }
}

/// Parses an object. The error gives line and column but never the content, which may include a password.
fn object(bytes: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("Send a JSON object: { … }.".to_owned()),
        Err(e) => Err(format!("The body is not JSON: {e}.")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The error message for an unknown field or parameter.
pub fn unknown(known: &[impl Display]) -> String {
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        return "Unknown field.".to_owned();
    }
    format!("Unknown field. Known fields: {}.", names.join(", "))
}

/// Converts an object to form fields. `null` counts as not sent.
fn fields(object: Map<String, Value>, known: &[&str]) -> (Fields, Faults) {
    let mut pairs = Vec::new();
    let mut faults = Faults::new();
    for (name, value) in object {
        if !known.contains(&name.as_str()) {
            faults.push((name, unknown(known)));
            continue;
        }
        match value {
            Value::Null => {}
            Value::String(text) => pairs.push((name, text)),
            // An empty list is sent on purpose, and differs from none.
            Value::Array(items) if LISTS.contains(&name.as_str()) && items.is_empty() => {
                pairs.push((name, String::new()));
            }
            Value::Array(items) if LISTS.contains(&name.as_str()) && items.iter().all(Value::is_string) => {
                pairs.extend(items.iter().filter_map(Value::as_str).map(|item| (name.clone(), item.to_owned())));
            }
            Value::Bool(said) if FLAGS.contains(&name.as_str()) => pairs.push((name, said.to_string())),
            Value::Number(number) if NUMBERS.contains(&name.as_str()) => pairs.push((name, number.to_string())),
            _ if NUMBERS.contains(&name.as_str()) => {
                faults.push((name, "The value must be a string or a number.".to_owned()));
            }
            _ => faults.push((name, "The value must be a string.".to_owned())),
        }
    }
    (pairs.into_iter().collect(), faults)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_becomes_fields_and_every_error_is_named() {
        let text =
            br#"{"name": "lab", "memory": 536870912, "cpus": 0.5, "contact": null, "dbname": 7, "colour": "red"}"#;
        let (fields, faults) = fields(object(text).unwrap(), &["name", "memory", "cpus", "contact", "dbname"]);
        assert_eq!((fields.text("name"), fields.text("memory"), fields.text("cpus")), ("lab", "536870912", "0.5"));
        assert!(!fields.has("contact"));
        let mut named: Vec<_> = faults.iter().map(|(name, _)| name.as_str()).collect();
        named.sort_unstable();
        assert_eq!(named, ["colour", "dbname"]);
    }

    #[test]
    fn invalid_bodies_are_rejected_with_position_and_without_content() {
        let said = object(b"{\n  \"dbuserpass\": \"hush-hush\" \"x\"}").unwrap_err();
        assert!(said.contains("line 2 column") && !said.contains("hush"), "{said}");
        assert!(object(b"[1]").is_err());
        assert!(object("[".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn content_types() {
        let with = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            is_json(&headers)
        };
        assert!(
            with("application/json") && with("Application/JSON; charset=utf-8") && with("application/merge-patch+json")
        );
        assert!(!with("text/plain") && !with("application/x-www-form-urlencoded") && !is_json(&HeaderMap::new()));
    }
}
