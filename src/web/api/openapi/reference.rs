//! The page *API reference*: the operations and what they return, as Markdown.

use std::fmt::Write;

use serde_json::Value;

use super::answer::schemas;
use super::fields;
use super::operations::{Body, GROUPS, Operation};

/// The operations as Markdown, below headings of level 2.
pub fn operations() -> String {
    let mut text = String::new();
    for group in GROUPS {
        let _ = writeln!(text, "## {} {{#{}}}\n", group.title, anchor(group.title));
        for operation in group.operations {
            let _ = writeln!(text, "### `{} {}`\n\n{}\n", operation.method, operation.path, operation.summary);
            table(&mut text, operation);
            let _ = writeln!(text, "```sh\n{}\n```\n", example(operation));
            let _ = writeln!(text, "{}\n", returned(operation));
        }
    }
    text
}

fn anchor(title: &str) -> String {
    title.to_ascii_lowercase().replace(' ', "-")
}

/// Parameters and fields of an operation.
fn table(text: &mut String, operation: &Operation) {
    let (required, optional) = operation.body.fields();
    let mut rows = Vec::new();
    for name in operation.query {
        rows.push((*name, "query", fields::parameter(name)));
    }
    for name in required {
        rows.push((*name, "required", fields::field(name)));
    }
    for name in optional {
        rows.push((name, "optional", fields::field(name)));
    }
    if rows.is_empty() {
        return;
    }
    text.push_str("| field | | meaning |\n|---|---|---|\n");
    for (name, kind, meaning) in rows {
        let _ = writeln!(text, "| `{name}` | {kind} | {meaning} |");
    }
    text.push('\n');
}

/// A request as a command, with the fields that it needs.
fn example(operation: &Operation) -> String {
    let path = operation.path.replace("{name}", "genome-1").replace("{id}", "ID");
    let method = if operation.method == "GET" { String::new() } else { format!("-X {} ", operation.method) };
    let (required, optional) = operation.body.fields();
    let confirm = if operation.query.contains(&"confirm") { "?confirm=genome-1" } else { "" };
    let body = match operation.body {
        Body::Empty => String::new(),
        Body::Form(..) => {
            let pairs =
                required.iter().filter(|name| **name != "dump").map(|name| format!(" -F {name}={}", value(name)));
            format!("{} -F dump=@genome.pgdump", pairs.collect::<String>())
        }
        Body::Optional(_) if !confirm.is_empty() => String::new(),
        Body::Optional(_) | Body::Object(..) => {
            let first = optional.iter().take(usize::from(required.is_empty()));
            let mut pairs: Vec<String> =
                required.iter().chain(first).map(|name| format!("\"{name}\": \"{}\"", value(name))).collect();
            if (operation.method, operation.path) == ("POST", "/api/v1/templates") {
                // One of several sources is required.
                pairs.push("\"source\": {\"database\": \"genome-1\"}".to_owned());
            }
            format!(" \\\n  -H 'Content-Type: application/json' -d '{{{}}}'", pairs.join(", "))
        }
    };
    let file = if operation.path.ends_with("/download") { " -o genome-1.tar" } else { "" };
    format!("api {method}\"$PORTAL{path}{confirm}\"{body}{file}")
}

/// A value for an example.
fn value(name: &str) -> &'static str {
    match name {
        "engine" => "postgres",
        "image" => "17",
        "confirm" => "genome-1",
        "ttl" => "7d",
        "file" => "shop.sql",
        "note" => "before the import",
        "contact" => "ada@example.org",
        _ => "genome-2",
    }
}

/// What is returned, as a sentence.
fn returned(operation: &Operation) -> String {
    let parts: Vec<String> = operation
        .answers
        .iter()
        .map(|(code, answer)| match answer.schema() {
            None => format!("{code} with the file"),
            Some((name, true)) => format!("{code} with a list: `items` of [{name}](#{})", anchor(name)),
            Some((name, false)) => format!("{code} with [{name}](#{})", anchor(name)),
        })
        .collect();
    format!("Returns {}.", parts.join(", or "))
}

/// The objects that are returned as Markdown, below headings of level 3.
pub fn objects() -> String {
    let mut text = String::new();
    for (name, schema) in schemas() {
        let _ = writeln!(text, "### {name} {{#{}}}\n\n| field | type | meaning |\n|---|---|---|", anchor(&name));
        for (field, about) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let meaning = about["description"].as_str().unwrap_or_default().replace('\n', " ");
            let _ = writeln!(text, "| `{field}` | {} | {meaning} |", kind(about));
        }
        text.push('\n');
    }
    text
}

/// The type of a property in words.
fn kind(about: &Value) -> String {
    if let Some(name) = about["$ref"].as_str() {
        let name = name.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", anchor(name));
    }
    match &about["type"] {
        Value::String(word) if word == "array" => format!("list of {}", kind(&about["items"])),
        Value::String(word) => named(word, about).to_owned(),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.iter().map(|word| named(word, about)).collect::<Vec<_>>().join(" or ")
        }
        _ => match about["oneOf"].as_array() {
            Some(some) => some.iter().map(kind).collect::<Vec<_>>().join(" or "),
            None => "object".to_owned(),
        },
    }
}

fn named<'a>(word: &'a str, about: &'a Value) -> &'a str {
    match (word, about["format"].as_str()) {
        ("string", Some("date-time")) => "time",
        ("string", Some("date")) => "date",
        ("string", Some("uuid")) => "id",
        ("string", _) => "text",
        _ => word,
    }
}
