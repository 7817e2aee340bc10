//! After a restore or a load, only the portal's own account may be an administrator or able to become one. The server itself
//! says what a user or role may do, including roles of roles. In its own databases an account may do anything; on the server
//! and in the server's databases it may read, make backups (the built-in role `backup`), and write to single collections
//! of `admin` that hold no accounts. The portal's own accounts are reset first, because no manifest contains them.

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use serde_json::json;

use crate::engine::conversation::Print;
use crate::engine::mongodb::commands::report;
use crate::engine::mongodb::own_accounts::make_own;
use crate::engine::mongodb::script::{Names, Script, Server};
use crate::engine::mongodb::wire::WireError;

/// Actions that change neither data nor accounts of others.
const HARMLESS: [&str; 41] = [
    "allCollectionStats",
    "appendOplogNote",
    "changeStream",
    "checkFreeMonitoringStatus",
    "collStats",
    "connPoolStats",
    "dbHash",
    "dbStats",
    "find",
    "getClusterParameter",
    "getCmdLineOpts",
    "getDatabaseVersion",
    "getDefaultRWConcern",
    "getLog",
    "getParameter",
    "getShardMap",
    "getShardVersion",
    "hostInfo",
    "indexStats",
    "inprog",
    "killCursors",
    "listCollections",
    "listDatabases",
    "listIndexes",
    "listSearchIndexes",
    "listSessions",
    "listShards",
    "netstat",
    "operationMetrics",
    "planCacheRead",
    "replSetGetConfig",
    "replSetGetStatus",
    "serverStatus",
    "setUserWriteBlockMode",
    "shardedDataDistribution",
    "shardingState",
    "top",
    "useUUID",
    "validate",
    "viewRole",
    "viewUser",
];
/// The server's databases. The empty name stands for all databases.
const SERVERS: [&str; 4] = ["", "admin", "local", "config"];

/// Reports every account that may do more than the owner of a database.
pub(crate) struct CheckRights;

#[async_trait]
impl Script for CheckRights {
    async fn run(&self, server: &mut Server, names: &Names, print: &Print) -> Result<(), WireError> {
        make_own(server, names).await?;
        for (kind, collection, field, asked, answered) in [
            ("user", "system.users", "user", "usersInfo", "users"),
            ("role", "system.roles", "role", "rolesInfo", "roles"),
        ] {
            let list = doc! { "find": collection, "projection": { field: 1, "db": 1 } };
            for account in server.all("admin", list).await? {
                let (name, db) =
                    (account.get_str(field).unwrap_or_default(), account.get_str("db").unwrap_or_default());
                if kind == "user" && db == "admin" && name == names.admin {
                    continue;
                }
                let one = doc! { asked: { field: name, "db": db }, "showPrivileges": true };
                let answer = server.run("admin", one).await?;
                let found = answer.get_array(answered).ok().and_then(|all| all.first()).and_then(Bson::as_document);
                if let Some(fault) = judge(&format!("{kind} {name}@{db}"), found) {
                    print.text(report("fault", &json!(fault))).await;
                }
            }
        }
        Ok(())
    }
}

fn judge(account: &str, found: Option<&Document>) -> Option<String> {
    let Some(found) = found else { return Some(format!("The server does not say what the {account} may do.")) };
    let privileges = found.get_array("inheritedPrivileges").into_iter().flatten().filter_map(Bson::as_document);
    let rights: Vec<String> = privileges.flat_map(excess).take(3).collect();
    (!rights.is_empty())
        .then(|| format!("The {account} may do more than the owner of a database: {}.", rights.join(", ")))
}

/// What a privilege allows that an owner may not do, at most three actions.
fn excess(privilege: &Document) -> Vec<String> {
    let empty = Document::new();
    let resource = privilege.get_document("resource").unwrap_or(&empty);
    let (database, collection) =
        (resource.get_str("db").unwrap_or_default(), resource.get_str("collection").unwrap_or_default());
    let is = |name| resource.get_bool(name).unwrap_or(false);
    // Accounts are in the collections admin.system.users and admin.system.roles.
    // What is written to the oplog is applied to them when the server recovers. The role `backup` may write to
    // config.settings.
    let own = !matches!(database, "" | "local" | "config") || (database == "config" && collection == "settings");
    let single = own && !collection.is_empty() && !collection.starts_with("system.");
    let place = match database {
        _ if is("cluster") => "the server".to_owned(),
        _ if single => return Vec::new(),
        _ if is("anyResource") => "every database".to_owned(),
        "" => "every database".to_owned(),
        database if SERVERS.contains(&database) => format!("the database {database}"),
        _ => return Vec::new(),
    };
    let actions = privilege.get_array("actions").into_iter().flatten().filter_map(Bson::as_str);
    actions.filter(|a| !HARMLESS.contains(a)).take(3).map(|action| format!("{action} in {place}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(resource: Document, action: &str) -> Vec<String> {
        excess(&doc! { "resource": resource, "actions": ["find", action] })
    }

    #[test]
    fn only_privileges_beyond_their_own_databases_are_excessive() {
        assert_eq!(of(doc! { "cluster": true }, "shutdown"), ["shutdown in the server"]);
        assert_eq!(of(doc! { "anyResource": true }, "anyAction"), ["anyAction in every database"]);
        assert_eq!(of(doc! { "db": "", "collection": "" }, "insert"), ["insert in every database"]);
        assert_eq!(of(doc! { "db": "", "system_buckets": "" }, "insert"), ["insert in every database"]);
        let accounts = doc! { "db": "admin", "collection": "system.users" };
        assert_eq!(of(accounts.clone(), "update"), ["update in the database admin"]);
        assert!(of(accounts, "find").is_empty());
        assert!(of(doc! { "db": "admin", "collection": "notes" }, "insert").is_empty());
        assert!(of(doc! { "db": "config", "collection": "settings" }, "insert").is_empty());
        for (db, collection) in [("local", "oplog.rs"), ("local", "notes"), ("config", "transactions")] {
            assert_eq!(
                of(doc! { "db": db, "collection": collection }, "insert"),
                [format!("insert in the database {db}")]
            );
        }
        assert!(of(doc! { "db": "trial", "collection": "" }, "dropDatabase").is_empty());
        assert!(of(doc! { "cluster": true }, "serverStatus").is_empty());
    }

    #[test]
    fn an_account_without_a_description_is_reported() {
        assert!(judge("user ada@trial", None).unwrap().contains("does not say what the user ada@trial may do"));
        assert_eq!(judge("user ada@trial", Some(&doc! { "inheritedPrivileges": [] })), None);
        let powers = doc! { "inheritedPrivileges": [{ "resource": { "cluster": true }, "actions": ["shutdown"] }] };
        assert!(judge("user ada@trial", Some(&powers)).unwrap().contains("shutdown in the server"));
    }
}
