//! What a backup of the server must contain.

use async_trait::async_trait;
use bson::doc;
use serde_json::json;

use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::databases;
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// The databases and facts of a server, as one JSON object.
pub(crate) struct InventoryFacts;

#[async_trait]
impl Script for InventoryFacts {
    async fn run(&self, server: &mut Server, _names: &Names, print: &Print) -> Result<(), WireError> {
        let asked = doc! { "getParameter": 1, "featureCompatibilityVersion": 1 };
        let parameter = server.run("admin", asked).await?;
        let compatible = parameter.get_document("featureCompatibilityVersion").and_then(|v| v.get_str("version"));
        // "local" is the server's own; "admin" has the users.
        let mut names = databases(server).await?;
        names.retain(|name| name != "local" && name != "config");
        names.sort();
        let status = server.run("admin", doc! { "serverStatus": 1, "metrics": 0, "locks": 0, "repl": 0 }).await?;
        let hello = server.run("admin", doc! { "hello": 1 }).await?;
        let engine = status.get_document("storageEngine").and_then(|engine| engine.get_str("name"));
        let inventory = json!({
            "version": status.get_str("version").unwrap_or_default(),
            "databases": names,
            "facts": {
                "feature_compatibility": compatible.ok(),
                "storage_engine": engine.ok(),
                "replica_set": hello.get_str("setName").ok(),
            },
        });
        print.text(inventory.to_string()).await;
        Ok(())
    }
}
