//! Removes all databases and collections except the wanted ones and the server's own.

use async_trait::async_trait;
use bson::doc;

use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::{collections, databases};
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// Keeps only this database, and of it only this collection if one is given.
pub(crate) struct DropUnselected {
    pub database: String,
    pub collection: Option<String>,
}

#[async_trait]
impl Script for DropUnselected {
    async fn run(&self, server: &mut Server, _names: &Names, _print: &Print) -> Result<(), WireError> {
        for name in databases(server).await? {
            if name != self.database && !["admin", "local", "config"].contains(&name.as_str()) {
                server.run(&name, doc! { "dropDatabase": 1 }).await?;
            }
        }
        let Some(wanted) = &self.collection else { return Ok(()) };
        for one in collections(server, &self.database).await? {
            if one.name != *wanted && !one.name.starts_with("system.") {
                server.run(&self.database, doc! { "drop": &one.name }).await?;
            }
        }
        Ok(())
    }
}
