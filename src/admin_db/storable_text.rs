//! Converts external text for mydb_admin: PostgreSQL's text and JSON types reject values that contain zero bytes.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use sqlx::types::Json;

/// Replacement for a zero byte.
const SIGN: &str = "\u{fffd}";

/// The text with zero bytes replaced.
pub fn text(of: &str) -> Cow<'_, str> {
    if of.contains('\0') { Cow::Owned(of.replace('\0', SIGN)) } else { Cow::Borrowed(of) }
}

/// The value as JSON with zero bytes replaced.
pub fn json(value: &impl Serialize) -> Result<Json<Value>, sqlx::Error> {
    let value = serde_json::to_value(value).map_err(|e| sqlx::Error::Encode(e.into()))?;
    Ok(Json(cleaned(value)))
}

fn cleaned(value: Value) -> Value {
    match value {
        Value::String(of) => Value::String(text(&of).into_owned()),
        Value::Array(of) => of.into_iter().map(cleaned).collect(),
        Value::Object(of) => of.into_iter().map(|(key, value)| (text(&key).into_owned(), cleaned(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bytes_are_removed() {
        assert_eq!(text("a\0b"), "a\u{fffd}b");
        let value = serde_json::json!({ "k\0": ["a\0", 1, null, { "x": "\0" }] });
        let Json(found) = json(&value).unwrap();
        assert_eq!(found, serde_json::json!({ "k\u{fffd}": ["a\u{fffd}", 1, null, { "x": "\u{fffd}" }] }));
    }
}
