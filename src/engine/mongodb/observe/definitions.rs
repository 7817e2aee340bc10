//! Reports what is defined in databases: collections with their options, views and indexes. For the whole server, reports
//! users and roles, except the portal's own. Ids and passwords are not definitions.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::extended_json::canonical;
use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::{collections, indexes, report};
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// Definitions of more UTF-16 units are represented by their hash.
const LONGEST: usize = 8192;

/// The definitions in these databases; `None` stands for the whole server.
pub(crate) struct Definitions {
    pub databases: Vec<Option<String>>,
}

#[async_trait]
impl Script for Definitions {
    async fn run(&self, server: &mut Server, _names: &Names, print: &Print) -> Result<(), WireError> {
        for database in &self.databases {
            match database {
                None => of_server(server, print).await?,
                Some(database) => of_database(server, database, print).await?,
            }
        }
        Ok(())
    }
}

fn define(database: &str, kind: &str, name: &str, value: Document) -> String {
    let text = canonical(Bson::Document(value)).to_string();
    let (form, text) = if text.encode_utf16().count() > LONGEST {
        ("sha256", hex::encode(Sha256::digest(text)))
    } else {
        ("text", text)
    };
    report("definition", &json!({ "database": database, "kind": kind, "name": name, form: text }))
}

/// The list in the order of its texts.
fn by_text(list: Option<&Bson>) -> Bson {
    let mut list = list.and_then(Bson::as_array).cloned().unwrap_or_default();
    list.sort_by_cached_key(|one| canonical(one.clone()).to_string().encode_utf16().collect::<Vec<_>>());
    Bson::Array(list)
}

/// The definition of an account: these lists in a fixed order, then these fields if it has them.
fn account(found: &Document, lists: &[&str], fields: &[&str]) -> Document {
    let lists = lists.iter().map(|name| ((*name).to_owned(), by_text(found.get(name))));
    let fields = fields.iter().filter_map(|name| Some(((*name).to_owned(), found.get(name)?.clone())));
    lists.chain(fields).collect()
}

async fn of_server(server: &mut Server, print: &Print) -> Result<(), WireError> {
    let others = doc! { "$not": bson::Regex { pattern: bson_text("^db4sci_")?, options: bson_text("")? } };
    let users = doc! {
        "find": "system.users", "filter": { "user": others.clone() }, "projection": { "credentials": 0, "userId": 0 },
    };
    let name = |found: &Document, field| {
        format!("{}@{}", found.get_str(field).unwrap_or_default(), found.get_str("db").unwrap_or_default())
    };
    for user in server.all("admin", users).await? {
        let defined = account(&user, &["roles"], &["customData", "authenticationRestrictions"]);
        print.text(define("", "user", &name(&user, "user"), defined)).await;
    }
    for role in server.all("admin", doc! { "find": "system.roles", "filter": { "role": others } }).await? {
        let defined = account(&role, &["roles", "privileges"], &["authenticationRestrictions"]);
        print.text(define("", "role", &name(&role, "role"), defined)).await;
    }
    Ok(())
}

fn bson_text(text: &str) -> Result<bson::raw::CString, WireError> {
    text.try_into().map_err(|e: bson::error::Error| WireError::Broken(e.to_string()))
}

async fn of_database(server: &mut Server, database: &str, print: &Print) -> Result<(), WireError> {
    for one in collections(server, database).await? {
        if one.name.starts_with("system.") && one.name != "system.js" {
            continue;
        }
        let kind = if one.kind == "timeseries" { "time series" } else { &one.kind };
        print.text(define(database, kind, &one.name, one.options)).await;
        if one.kind == "view" {
            continue;
        }
        for index in indexes(server, database, &one.name).await? {
            let name = format!("{}.{}", one.name, index.get_str("name").unwrap_or_default());
            print.text(define(database, "index", &name, index)).await;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_definitions_are_ordered_and_contain_no_secrets() {
        let found = doc! {
            "_id": "trial.ada", "user": "ada", "db": "trial", "credentials": { "a": 1 },
            "roles": [{ "role": "b", "db": "trial" }, { "role": "a", "db": "trial" }], "customData": { "n": 1 },
        };
        let text = define("", "user", "ada@trial", account(&found, &["roles"], &["customData", "other"]));
        let expected =
            r#"{"roles":[{"role":"a","db":"trial"},{"role":"b","db":"trial"}],"customData":{"n":{"$numberInt":"1"}}}"#;
        let line: serde_json::Value = serde_json::from_str(text.strip_prefix("db4sci: ").unwrap()).unwrap();
        assert_eq!(line["definition"]["text"], expected);
    }

    #[test]
    fn long_definitions_are_replaced_by_their_hash() {
        let of = |n: usize| define("trial", "view", "v", doc! { "text": "ä".repeat(n) });
        assert!(of(LONGEST - 11).contains("\"text\":\"{") && of(LONGEST).contains("\"sha256\":\""));
    }
}
