//! Succeeds, and prints the version, once the server accepts writes from its users. Drivers connect to the name that the
//! replica set itself gives for its only member, so that name must be the one that people use: it is set here when the
//! set is created, and again when the published port has changed.

use std::time::Duration;

use async_trait::async_trait;
use bson::{Bson, Document, doc};

use crate::engine::conversation::Print;
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::{WireError, as_number, is};

/// The server's number for a replica set that has no configuration yet.
const NOT_YET_INITIALIZED: i32 = 94;
/// How often, and how many times, to ask whether the server has become the primary.
const INTERVAL: Duration = Duration::from_millis(25);
const TRIES: u32 = 200;

/// Whether the server accepts writes, as the member with this address. A seed has no address, because each copy of it will
/// have its own.
pub(crate) struct Ready {
    pub member: Option<String>,
}

#[async_trait]
impl Script for Ready {
    async fn run(&self, server: &mut Server, _names: &Names, print: &Print) -> Result<(), WireError> {
        let options = server.run("admin", doc! { "getCmdLineOpts": 1 }).await?;
        let set = options.get_document("parsed").and_then(|parsed| parsed.get_document("replication"));
        if !set.is_ok_and(|set| is(set, "replSet", "rs0")) {
            // This is the temporary server that an image starts to create the administrator.
            return Err(WireError::Broken("the image is still creating its data".to_owned()));
        }
        if let Some(member) = &self.member {
            found(server, member).await?;
            primary(server).await?;
        }
        let info = server.run("admin", doc! { "buildInfo": 1 }).await?;
        print.text(info.get_str("version").unwrap_or_default().to_owned()).await;
        Ok(())
    }
}

/// Initiates the replica set, or changes the address of its member.
async fn found(server: &mut Server, member: &str) -> Result<(), WireError> {
    let mut config = match server.run("admin", doc! { "replSetGetConfig": 1 }).await {
        Ok(mut answer) => match answer.remove("config") {
            Some(Bson::Document(config)) => config,
            _ => {
                return Err(WireError::Broken(
                    "the server does not state the configuration of its replica set".to_owned(),
                ));
            }
        },
        Err(e) if e.code() == Some(NOT_YET_INITIALIZED) => {
            let config = doc! { "_id": "rs0", "members": [{ "_id": 0, "host": member }] };
            return server.run("admin", doc! { "replSetInitiate": config }).await.map(drop);
        }
        Err(e) => return Err(e),
    };
    if !renamed(&mut config, member) {
        return Ok(());
    }
    server.run("admin", doc! { "replSetReconfig": config, "force": true }).await.map(drop)
}

/// Sets the address of the only member, and returns whether that changed anything.
fn renamed(config: &mut Document, member: &str) -> bool {
    let first = config.get_array_mut("members").ok().and_then(|members| members.first_mut());
    let Some(first) = first.and_then(Bson::as_document_mut) else { return false };
    if is(first, "host", member) {
        return false;
    }
    first.insert("host", member);
    let version = config.get("version").and_then(as_number).unwrap_or(0);
    config.insert("version", i32::try_from(version).unwrap_or(0).saturating_add(1));
    true
}

async fn primary(server: &mut Server) -> Result<(), WireError> {
    for _ in 0..TRIES {
        if server.run("admin", doc! { "hello": 1 }).await?.get_bool("isWritablePrimary").unwrap_or(false) {
            return Ok(());
        }
        tokio::time::sleep(INTERVAL).await;
    }
    Err(WireError::Broken("this server has not become the primary of its replica set".to_owned()))
}
