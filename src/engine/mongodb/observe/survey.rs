//! Describes the server and the largest collections of each database. Counts come from the collections' own bookkeeping,
//! not from a scan, and views are not read.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::{Collection, collections, listed};
use crate::engine::mongodb::own_accounts::OBSERVER;
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::{WireError, as_number, is};

/// The server's number for a collection that does not exist, because it has just been dropped.
const NOT_FOUND: i32 = 26;
/// Roles that make a user an administrator.
const POWERS: [&str; 6] = ["root", "__system", "userAdminAnyDatabase", "userAdmin", "dbOwner", "restore"];
/// Maximum numbers of users, databases and collections to describe.
const USERS: i64 = 500;
const DATABASES: usize = 50;
const COLLECTIONS: usize = 200;

/// JSON lines: the server, then the collections of each database.
pub(crate) struct SurveyServer;

#[async_trait]
impl Script for SurveyServer {
    async fn run(&self, server: &mut Server, _names: &Names, print: &Print) -> Result<(), WireError> {
        let status = server.run("admin", doc! { "serverStatus": 1, "metrics": 0, "locks": 0, "repl": 0 }).await?;
        let answer = server.run("admin", doc! { "listDatabases": 1 }).await?;
        let system = ["admin", "config", "local"];
        let databases: Vec<_> =
            listed(&answer).filter(|d| !system.contains(&d.get_str("name").unwrap_or_default())).collect();
        let asked = doc! {
            "find": "system.users", "filter": { "user": { "$ne": OBSERVER } },
            "projection": { "user": 1, "db": 1, "roles": 1 }, "limit": USERS,
        };
        let users = server.all("admin", asked).await?;
        let connections = |name| at(&status, &["connections", name]);
        let first = json!({
            "version": status.get_str("version").unwrap_or_default(),
            "uptime_seconds": at(&status, &["uptime"]),
            "connections": connections("current"),
            "connections_max": connections("current").zip(connections("available")).map(|(a, b)| a + b),
            "cache_hit": cache_hit(&status),
            "roles": users.iter().map(role).collect::<Vec<_>>(),
            "databases": databases.iter()
                .map(|d| json!({ "name": d.get_str("name").unwrap_or_default(), "bytes": at(d, &["sizeOnDisk"]) }))
                .collect::<Vec<_>>(),
        });
        print.text(first.to_string()).await;
        for database in databases.iter().take(DATABASES).filter_map(|d| d.get_str("name").ok()) {
            let objects = objects(server, database).await?;
            print.text(format!("\n{}", json!({ "database": database, "objects": objects }))).await;
        }
        Ok(())
    }
}

/// The number at this path.
fn at(document: &Document, path: &[&str]) -> Option<i64> {
    let (last, parents) = path.split_last()?;
    let parent = parents.iter().try_fold(document, |at, name| at.get_document(name).ok())?;
    parent.get(last).and_then(as_number)
}

/// The share of pages that were found in the cache. A ratio over a few reads would be meaningless.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more precision")]
fn cache_hit(status: &Document) -> Option<f64> {
    let cache = |name| at(status, &["wiredTiger", "cache", name]);
    let asked = cache("pages requested from the cache").filter(|asked| *asked >= 1000)?;
    let read = cache("pages read into cache")?;
    Some((1.0 - read as f64 / asked as f64).max(0.0))
}

fn role(user: &Document) -> Value {
    let text = |name| user.get_str(name).unwrap_or_default();
    let roles = user.get_array("roles").into_iter().flatten().filter_map(Bson::as_document);
    let powerful =
        |role: &Document| is(role, "db", "admin") && POWERS.contains(&role.get_str("role").unwrap_or_default());
    json!({ "name": format!("{}@{}", text("user"), text("db")), "admin": roles.into_iter().any(powerful) })
}

async fn objects(server: &mut Server, database: &str) -> Result<Vec<Value>, WireError> {
    let mut found = Vec::new();
    // What the server keeps for itself, such as the list of views, is not a collection of the user.
    let own = |one: &Collection| !one.name.starts_with("system.");
    for one in collections(server, database).await?.into_iter().filter(own).take(COLLECTIONS) {
        if one.kind == "view" {
            found.push((0, json!({ "name": one.name, "kind": "view" })));
            continue;
        }
        let stages = vec![Bson::from(doc! { "$collStats": { "storageStats": {} } })];
        let asked = doc! { "aggregate": &one.name, "pipeline": stages, "cursor": {} };
        let stats = match server.all(database, asked).await {
            Err(e) if e.code() == Some(NOT_FOUND) => continue,
            stats => stats?,
        };
        let stats = stats.first().and_then(|all| all.get_document("storageStats").ok());
        let number = |name| stats.and_then(|stats| at(stats, &[name])).unwrap_or(0);
        let bytes = number("storageSize") + number("totalIndexSize");
        let kind = if one.kind == "timeseries" { "time series" } else { "collection" };
        let object = json!({ "name": one.name, "kind": kind, "rows": number("count"), "exact": false, "bytes": bytes });
        found.push((bytes, object));
    }
    found.sort_by_key(|(bytes, _)| std::cmp::Reverse(*bytes));
    Ok(found.into_iter().map(|(_, object)| object).collect())
}
