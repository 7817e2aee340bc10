//! Reports the content of databases, one line per collection. The server's own hash of a collection covers all its
//! documents in the order of their keys. Views are not read, because that would run their owner's code.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use serde_json::json;

use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::{Collection, collections, indexes, report};
use crate::engine::mongodb::own_accounts::{OBSERVER, TIME_SERIES};
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::{WireError, as_number};

/// Counts, and on request hashes, of these databases.
pub(crate) struct Counts {
    pub databases: Vec<String>,
    pub fingerprints: bool,
}

#[async_trait]
impl Script for Counts {
    async fn run(&self, server: &mut Server, _names: &Names, print: &Print) -> Result<(), WireError> {
        for database in &self.databases {
            self.count(server, database, print).await?;
        }
        Ok(())
    }
}

impl Counts {
    async fn count(&self, server: &mut Server, database: &str, print: &Print) -> Result<(), WireError> {
        let all = collections(server, database).await?;
        if database != "admin" {
            all_in_place(server, database, &all).await?;
        }
        let hashes = if self.fingerprints { hashes(server, database).await? } else { Document::new() };
        let counted = |kind: &str, name: &str, rows: i64, fingerprint: Option<&str>| {
            let mut count = json!({ "database": database, "kind": kind, "name": name, "rows": rows });
            if let (Some(hash), Some(count)) = (fingerprint, count.as_object_mut()) {
                count.insert("fingerprint".to_owned(), json!(hash));
            }
            report("count", &count)
        };
        let (mut views, mut all_indexes) = (0, 0);
        // Neither what the server writes at every start nor what the portal keeps in every server is user data.
        let kept = |one: &&Collection| database != "admin" || !["system.version", "system.keys"].contains(&&*one.name);
        for one in all.iter().filter(kept) {
            if one.kind == "view" {
                views += 1;
                continue;
            }
            if one.name.starts_with("system.buckets.") || ["system.views", "system.profile"].contains(&&*one.name) {
                continue;
            }
            let others = others(database, &one.name);
            let accounts = others.is_some();
            let rows = documents(server, database, &one.name, others.unwrap_or_default()).await?;
            // The collection exists only because of the portal's own roles.
            if accounts && one.name == "system.roles" && rows == 0 {
                continue;
            }
            let series = one.kind == "timeseries";
            // The documents of a time series are in buckets, so the hash of the buckets covers them. The administrator's
            // password differs in every copy.
            let stored = if series { format!("system.buckets.{}", one.name) } else { one.name.clone() };
            let fingerprint = hashes.get_str(&stored).ok().filter(|_| !accounts);
            let kind = if series { "time series" } else { "collection" };
            print.text(counted(kind, &one.name, rows, fingerprint)).await;
            if !series {
                all_indexes += indexes(server, database, &one.name).await?.len();
            }
        }
        print.text(counted("object", "view", views, None)).await;
        print.text(counted("object", "index", i64::try_from(all_indexes).unwrap_or(i64::MAX), None)).await;
        Ok(())
    }
}

/// The filter that leaves out the portal's own accounts; `None` if the collection contains no accounts.
fn others(database: &str, collection: &str) -> Option<Document> {
    match (database, collection) {
        ("admin", "system.users") => Some(doc! { "user": { "$ne": OBSERVER } }),
        ("admin", "system.roles") => Some(doc! { "role": { "$nin": [OBSERVER, TIME_SERIES] } }),
        _ => None,
    }
}

async fn documents(server: &mut Server, database: &str, name: &str, filter: Document) -> Result<i64, WireError> {
    let stages: Vec<Bson> = [doc! { "$match": filter }, doc! { "$group": { "_id": Bson::Null, "n": { "$sum": 1 } } }]
        .map(Bson::from)
        .to_vec();
    let found = server.all(database, doc! { "aggregate": name, "pipeline": stages, "cursor": {} }).await?;
    Ok(found.first().and_then(|all| all.get("n")).and_then(as_number).unwrap_or(0))
}

async fn hashes(server: &mut Server, database: &str) -> Result<Document, WireError> {
    let mut answer = server
        .run(database, doc! { "dbHash": 1 })
        .await
        .map_err(|e| WireError::Broken(format!("the server did not hash {database}: {e}")))?;
    match answer.remove("collections") {
        Some(Bson::Document(hashes)) => Ok(hashes),
        _ => Err(WireError::Broken(format!("the server did not hash {database}"))),
    }
}

/// Rejects data that is stored outside the data directory. The creator of a collection or an index may tell the storage engine which
/// file to use: one outside the data directory, which no copy includes, or one of another collection. A server that looks
/// for such a file in a copy terminates, so this check comes before all reading.
async fn all_in_place(server: &mut Server, database: &str, all: &[Collection]) -> Result<(), WireError> {
    for one in all {
        in_place(database, &format!("The collection {}", one.name), &one.options)?;
        if one.kind == "collection" {
            for index in indexes(server, database, &one.name).await? {
                in_place(database, &format!("An index of {}", one.name), &index)?;
            }
        }
    }
    Ok(())
}

fn in_place(database: &str, what: &str, options: &Document) -> Result<(), WireError> {
    let told = |options: Option<&Document>| {
        let engine = options?.get_document("storageEngine").ok()?.get_document("wiredTiger").ok()?;
        engine.get("configString").map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned))
    };
    let told = [told(Some(options)), told(options.get_document("indexOptionDefaults").ok())];
    let Some(told) = told.into_iter().flatten().find(|told| told.contains("source") || told.contains("import")) else {
        return Ok(());
    };
    let told: String = told.chars().take(200).collect();
    Err(WireError::Broken(format!(
        "{what} of {database} lies in a file that its maker chose ({told}), which no backup can hold. Copy what is in it to \
         one that was made without the option storageEngine, and drop it."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_engine_options_are_found_in_collections_and_indexes() {
        let chosen = doc! { "storageEngine": { "wiredTiger": { "configString": "source=\"file:other.wt\"" } } };
        for options in [chosen.clone(), doc! { "indexOptionDefaults": chosen }] {
            let fault = in_place("trial", "The collection c", &options).unwrap_err().to_string();
            assert!(fault.contains("The collection c of trial") && fault.contains("other.wt"), "{fault}");
        }
        let harmless = doc! { "storageEngine": { "wiredTiger": { "configString": "block_compressor=zlib" } } };
        assert!(in_place("trial", "The collection c", &harmless).is_ok());
        assert!(in_place("trial", "The collection c", &doc! { "capped": true }).is_ok());
    }
}
