//! MongoDB's Extended JSON: the current form, and the older ones that `mongoexport` wrote until version 4.0.

use bson::{Bson, Document};
use serde_json::{Map, Value, json};

/// Types whose value is a number written as text. Some programs write the number itself.
const NUMBERS: [&str; 4] = ["$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"];

/// Reads a document.
///
/// # Errors
/// A clause that says why it is not a document.
pub(super) fn document(value: Value) -> Result<Document, String> {
    match Bson::try_from(current(value)) {
        Ok(Bson::Document(document)) => Ok(document),
        Ok(_) => Err("it is not a document, which is written in braces".to_owned()),
        Err(e) => Err(format!("it is not Extended JSON of MongoDB ({e})")),
    }
}

/// Translates older forms, at any depth.
fn current(value: Value) -> Value {
    match value {
        Value::Array(values) => Value::Array(values.into_iter().map(current).collect()),
        Value::Object(fields) => match translated(&fields) {
            Some(value) => value,
            None => Value::Object(fields.into_iter().map(|(name, value)| (name, current(value))).collect()),
        },
        other => other,
    }
}

/// The current form of a value in an older one; `None` for anything else.
fn translated(fields: &Map<String, Value>) -> Option<Value> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    if let (2, Some(pattern), Some(options)) = (fields.len(), text("$regex"), text("$options")) {
        return Some(json!({ "$regularExpression": { "pattern": pattern, "options": options } }));
    }
    if let (2, Some(bytes), Some(kind)) = (fields.len(), text("$binary"), text("$type")) {
        // Kinds from 80 on were also written as negative numbers of 32 bits.
        let kind = kind.strip_prefix("ffffff").unwrap_or(kind);
        return Some(json!({ "$binary": { "base64": bytes, "subType": format!("{kind:0>2}") } }));
    }
    if fields.len() != 1 {
        return None;
    }
    if let Some(date) = text("$date") {
        return complete_date(date).map(|date| json!({ "$date": date }));
    }
    if let Some(moment) = fields.get("$date").filter(|moment| moment.is_object()) {
        return Some(json!({ "$date": current(moment.clone()) }));
    }
    let (name, number) = fields.iter().next()?;
    (NUMBERS.contains(&name.as_str()) && number.is_number()).then(|| json!({ name.as_str(): number.to_string() }))
}

/// A date with the seconds, and the colon in its offset, that it lacks; `None` if it lacks nothing or is no date.
fn complete_date(date: &str) -> Option<String> {
    let (day, rest) = date.split_once('T')?;
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-'])?);
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let (sign, digits) = offset.split_at_checked(1)?;
    let offset = match digits.split_at_checked(2) {
        Some((hours, minutes)) if digits.len() == 4 => format!("{sign}{hours}:{minutes}"),
        _ => offset.to_owned(),
    };
    Some(format!("{day}T{time}{seconds}{offset}")).filter(|complete| complete != date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::spec::BinarySubtype;
    use bson::{Binary, DateTime, Timestamp, doc, oid::ObjectId};

    fn read(text: &str) -> Result<Bson, String> {
        let value = serde_json::from_str(&format!("{{\"deep\":[{{\"v\":{text}}}]}}")).map_err(|e| e.to_string())?;
        let mut found = document(value)?;
        let Some(Bson::Array(mut deep)) = found.remove("deep") else { return Err("it is gone".to_owned()) };
        let Some(Bson::Document(mut inner)) = deep.pop() else { return Err("it is gone".to_owned()) };
        inner.remove("v").ok_or_else(|| "it is gone".to_owned())
    }

    #[test]
    fn numbers_keep_their_last_bit() {
        for (text, number) in [
            ("11.864301104745289", 11.864_301_104_745_289_f64),
            ("978.7563371173723", 978.756_337_117_372_3),
            ("406.95218238504003", 406.952_182_385_040_03),
        ] {
            assert_eq!(number.to_string(), text);
            let Ok(Bson::Double(found)) = read(text) else { panic!("{text} is not a number") };
            assert_eq!(found.to_bits(), number.to_bits(), "{text}");
        }
        // Numbers with all their digits, from a sequence that is the same each time.
        let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..10_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = f64::from_bits(bits);
            if number.is_finite() {
                assert_eq!(read(&format!("{number:e}")), Ok(Bson::Double(number)));
            }
        }
    }

    #[test]
    fn older_forms_have_their_types() {
        let binary = |subtype| Bson::Binary(Binary { subtype, bytes: vec![0, 1, 2] });
        let at = |millis| Bson::DateTime(DateTime::from_millis(millis));
        let regex = |pattern: &str, options: &str| {
            Bson::try_from(json!({ "$regularExpression": { "pattern": pattern, "options": options } })).unwrap()
        };
        let id = ObjectId::parse_str("5f0000000000000000000001").unwrap();
        for (text, wanted) in [
            (r#"{"$regex":"^a","$options":"i"}"#, regex("^a", "i")),
            (r#"{"$regex":"","$options":""}"#, regex("", "")),
            (r#"{"$regularExpression":{"pattern":"a","options":"x"}}"#, regex("a", "x")),
            (r#"{"$binary":"AAEC","$type":"00"}"#, binary(BinarySubtype::Generic)),
            (r#"{"$type":"4","$binary":"AAEC"}"#, binary(BinarySubtype::Uuid)),
            (r#"{"$binary":"AAEC","$type":"ffffff80"}"#, binary(BinarySubtype::UserDefined(0x80))),
            (r#"{"$binary":{"base64":"AAEC","subType":"00"}}"#, binary(BinarySubtype::Generic)),
            (r#"{"$date":"2014-03-05T10:22:33.000+0100"}"#, at(1_394_011_353_000)),
            (r#"{"$date":"2014-03-05T10:22:33.000+01:00"}"#, at(1_394_011_353_000)),
            (r#"{"$date":"2014-03-05T04:52:33-0430"}"#, at(1_394_011_353_000)),
            (r#"{"$date":"2014-03-05T09:22Z"}"#, at(1_394_011_320_000)),
            (r#"{"$date":1394011353000}"#, at(1_394_011_353_000)),
            (r#"{"$date":-1}"#, at(-1)),
            (r#"{"$date":{"$numberLong":"-5"}}"#, at(-5)),
            (r#"{"$date":{"$numberLong":-5}}"#, at(-5)),
            (r#"{"$timestamp":{"t":1,"i":2}}"#, Bson::Timestamp(Timestamp { time: 1, increment: 2 })),
            (r#"{"$numberLong":"5"}"#, Bson::Int64(5)),
            (r#"{"$numberLong":5}"#, Bson::Int64(5)),
            (r#"{"$numberDouble":2.5}"#, Bson::Double(2.5)),
            (r#"{"$undefined":true}"#, Bson::Undefined),
            (r#"{"$minKey":1}"#, Bson::MinKey),
            (r#"{"$oid":"5f0000000000000000000001"}"#, Bson::ObjectId(id)),
            (
                r#"{"$ref":"mice","$id":{"$oid":"5f0000000000000000000001"}}"#,
                Bson::Document(doc! { "$ref": "mice", "$id": id }),
            ),
        ] {
            assert_eq!(read(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn an_older_regular_expression_is_one() {
        assert!(matches!(read(r#"{"$regex":"^a","$options":"i"}"#), Ok(Bson::RegularExpression(_))));
    }

    #[test]
    fn what_only_looks_like_an_older_form_stays() {
        for (text, wanted) in [
            (r#"{"$regex":"a"}"#, doc! { "$regex": "a" }),
            (r#"{"$regex":"a","$options":1}"#, doc! { "$regex": "a", "$options": 1 }),
            (r#"{"$regex":"a","$options":"i","n":1}"#, doc! { "$regex": "a", "$options": "i", "n": 1 }),
        ] {
            assert_eq!(read(text), Ok(Bson::Document(wanted)), "{text}");
        }
        for text in [r#"{"$date":"yesterday"}"#, r#"{"$date":"T+é"}"#, r#"{"$binary":"?","$type":"00"}"#] {
            assert!(read(text).unwrap_err().contains("not Extended JSON"), "{text}");
        }
    }
}
