//! Commands that several conversations need, and the lines that they report.

use bson::{Bson, Document, doc};
use serde_json::{Value, json};

use super::script::Server;
use super::wire::WireError;

/// A line of a report, as [`crate::backup::pipeline`] reads it.
pub(super) fn report(kind: &str, value: &Value) -> String {
    format!("db4sci: {}\n", json!({ kind: value }))
}

/// The names of all databases.
pub(super) async fn databases(server: &mut Server) -> Result<Vec<String>, WireError> {
    let found = server.run("admin", doc! { "listDatabases": 1, "nameOnly": true }).await?;
    Ok(listed(&found).filter_map(|one| one.get_str("name").ok().map(str::to_owned)).collect())
}

/// The databases in an answer to `listDatabases`.
pub(super) fn listed(answer: &Document) -> impl Iterator<Item = &Document> {
    answer.get_array("databases").into_iter().flatten().filter_map(Bson::as_document)
}

/// A collection, view or time series.
pub(super) struct Collection {
    /// Its name.
    pub name: String,
    /// Its type, in the server's words: `collection`, `view` or `timeseries`.
    pub kind: String,
    /// Its options.
    pub options: Document,
}

/// All collections of a database.
pub(super) async fn collections(server: &mut Server, database: &str) -> Result<Vec<Collection>, WireError> {
    let found = server.all(database, doc! { "listCollections": 1 }).await?;
    let collection = |one: Document| Collection {
        name: one.get_str("name").unwrap_or_default().to_owned(),
        kind: one.get_str("type").unwrap_or("collection").to_owned(),
        options: one.get_document("options").cloned().unwrap_or_default(),
    };
    Ok(found.into_iter().map(collection).collect())
}

/// All indexes of a collection.
pub(super) async fn indexes(server: &mut Server, database: &str, name: &str) -> Result<Vec<Document>, WireError> {
    server.all(database, doc! { "listIndexes": name }).await
}
