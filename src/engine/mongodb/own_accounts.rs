//! What the portal keeps in every server in addition to its administrator: a read-only role and user, and a role that
//! gives the database's user what the built-in roles leave out, the collections in which the server stores time series.
//! Without them, the owner's own mongodump and mongorestore fail. Existing accounts are repaired.

use bson::{Bson, Document, doc};
use secrecy::ExposeSecret;

use super::script::{Names, Server};
use super::wire::{WireError, is};

/// Name of the read-only role and user.
pub(super) const OBSERVER: &str = "db4sci_observer";
/// Name of the role for time series.
pub(super) const TIME_SERIES: &str = "db4sci_time_series";

/// The server's numbers for a role or user that exists.
const EXISTS: [i32; 2] = [51002, 51003];
const LOOKS: [&str; 4] = ["find", "listIndexes", "collStats", "validate"];

fn privilege(resource: Document, actions: &[&str]) -> Bson {
    Bson::from(doc! { "resource": resource, "actions": actions })
}

fn observing() -> Vec<Bson> {
    let all = [&LOOKS[..], &["listCollections", "dbStats", "dbHash"]].concat();
    let systems = ["system.js", "system.views", "system.profile"].map(|name| ("", name));
    let accounts = ["system.users", "system.roles"].map(|name| ("admin", name));
    let mut found = vec![
        privilege(doc! { "cluster": true }, &["listDatabases", "serverStatus", "inprog", "getParameter"]),
        privilege(doc! { "db": "", "collection": "" }, &all),
        privilege(doc! { "db": "", "system_buckets": "" }, &LOOKS),
    ];
    let single = |(db, collection): (&str, &str)| privilege(doc! { "db": db, "collection": collection }, &LOOKS);
    found.extend(systems.into_iter().chain(accounts).map(single));
    found
}

fn time_series(database: &str) -> Vec<Bson> {
    let changes = [
        "indexStats",
        "insert",
        "update",
        "remove",
        "createCollection",
        "dropCollection",
        "collMod",
        "createIndex",
        "dropIndex",
    ];
    vec![
        privilege(doc! { "db": database, "system_buckets": "" }, &[&LOOKS[..], &changes].concat()),
        privilege(doc! { "db": database, "collection": "system.views" }, &["find"]),
    ]
}

/// A kind of account, as in the names of the server's commands.
#[derive(Clone, Copy)]
pub(super) enum Account {
    User,
    Role,
}

/// Creates an account, or changes it if it exists.
pub(super) async fn set(
    server: &mut Server,
    database: &str,
    (kind, name): (Account, &str),
    fields: &Document,
) -> Result<(), WireError> {
    let (create, update) = match kind {
        Account::User => ("createUser", "updateUser"),
        Account::Role => ("createRole", "updateRole"),
    };
    let command = |verb: &str| {
        let mut command = doc! { verb: name };
        command.extend(fields.clone());
        command
    };
    match server.run(database, command(create)).await {
        Err(e) if e.code().is_some_and(|code| EXISTS.contains(&code)) => {
            server.run(database, command(update)).await.map(drop)
        }
        created => created.map(drop),
    }
}

/// Creates or repairs the portal's own accounts.
pub(super) async fn make_own(server: &mut Server, names: &Names) -> Result<(), WireError> {
    for (role, privileges) in [(TIME_SERIES, time_series(&names.database)), (OBSERVER, observing())] {
        set(server, "admin", (Account::Role, role), &doc! { "roles": [], "privileges": privileges }).await?;
    }
    let password = names.observer_password.expose_secret();
    let user = doc! { "pwd": password, "roles": [{ "role": OBSERVER, "db": "admin" }] };
    set(server, "admin", (Account::User, OBSERVER), &user).await
}

/// Gives the database's user the role for time series. A user that is older than this role does not have it.
pub(super) async fn grant_time_series(server: &mut Server, names: &Names) -> Result<(), WireError> {
    let found = server.run(&names.database, doc! { "usersInfo": &names.user }).await?;
    let user = found.get_array("users").ok().and_then(|users| users.first()).and_then(Bson::as_document);
    let Some(roles) = user.and_then(|user| user.get_array("roles").ok()) else { return Ok(()) };
    let this = |role: &Document| is(role, "role", TIME_SERIES) && is(role, "db", "admin");
    if roles.iter().filter_map(Bson::as_document).any(this) {
        return Ok(());
    }
    let granted = doc! { "grantRolesToUser": &names.user, "roles": [{ "role": TIME_SERIES, "db": "admin" }] };
    server.run(&names.database, granted).await.map(drop)
}
