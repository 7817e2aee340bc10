//! Counts the connections that the user has open.

use async_trait::async_trait;
use bson::{Bson, doc};

use crate::engine::conversation::Print;
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// The number of the user's connections.
pub(crate) struct CountSessions;

#[async_trait]
impl Script for CountSessions {
    async fn run(&self, server: &mut Server, names: &Names, print: &Print) -> Result<(), WireError> {
        let stages: Vec<Bson> = [
            doc! { "$currentOp": { "allUsers": true, "idleConnections": true } },
            doc! { "$match": { "effectiveUsers.user": &names.user, "effectiveUsers.db": &names.database } },
            doc! { "$group": { "_id": "$connectionId" } },
        ]
        .map(Bson::from)
        .to_vec();
        let open = server.all("admin", doc! { "aggregate": 1, "pipeline": stages, "cursor": {} }).await?;
        print.text(open.len().to_string()).await;
        Ok(())
    }
}
