//! Canonical extended JSON as the shell of MongoDB prints it, in which the backups of older portals state definitions.
//! The shell does not distinguish a double without a fraction from an integer, so neither does this.

use bson::Bson;
use serde_json::{Map, Value, json};

/// The value as canonical extended JSON. Recurses as deep as the server nests, which is at most 200 levels.
pub(super) fn canonical(value: Bson) -> Value {
    match value {
        Bson::Document(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, canonical(value))).collect::<Map<_, _>>())
        }
        Bson::Array(list) => Value::Array(list.into_iter().map(canonical).collect()),
        Bson::Double(number) => double(number),
        other => other.into_canonical_extjson(),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the number is an integer within these limits")]
fn double(number: f64) -> Value {
    let integer = number.fract() == 0.0 && !(number == 0.0 && number.is_sign_negative());
    if integer && number.abs() <= f64::from(i32::MAX) {
        return json!({ "$numberInt": (number as i32).to_string() });
    }
    if integer && number.abs() < 9_223_372_036_854_775_807.0 {
        return json!({ "$numberLong": (number as i64).to_string() });
    }
    json!({ "$numberDouble": decimal(number) })
}

/// A number as JavaScript prints it: ECMAScript, Number::toString.
fn decimal(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if number == 0.0 {
        return if number.is_sign_negative() { "-0.0" } else { "0" }.to_owned();
    }
    if (1e-6..1e21).contains(&number.abs()) {
        return number.to_string();
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::doc;

    #[test]
    fn numbers_are_printed_as_the_shell_prints_them() {
        let shown = |value: Bson| canonical(value).to_string();
        for (value, expected) in [
            (Bson::Int32(1), r#"{"$numberInt":"1"}"#),
            (Bson::Double(1.0), r#"{"$numberInt":"1"}"#),
            (Bson::Double(-2_147_483_647.0), r#"{"$numberInt":"-2147483647"}"#),
            (Bson::Double(4e9), r#"{"$numberLong":"4000000000"}"#),
            (Bson::Int64(1), r#"{"$numberLong":"1"}"#),
            (Bson::Double(1.5), r#"{"$numberDouble":"1.5"}"#),
            (Bson::Double(1e21), r#"{"$numberDouble":"1e+21"}"#),
            (Bson::Double(2.5e-7), r#"{"$numberDouble":"2.5e-7"}"#),
            (Bson::Double(-0.0), r#"{"$numberDouble":"-0.0"}"#),
            (Bson::Double(f64::NEG_INFINITY), r#"{"$numberDouble":"-Infinity"}"#),
        ] {
            assert_eq!(shown(value), expected);
        }
    }

    #[test]
    fn fields_keep_their_order_at_every_depth() {
        let value = doc! { "z": 1, "a": [{ "y": true, "b": Bson::Null }] };
        let expected = r#"{"z":{"$numberInt":"1"},"a":[{"y":true,"b":null}]}"#;
        assert_eq!(canonical(Bson::Document(value)).to_string(), expected);
    }
}
