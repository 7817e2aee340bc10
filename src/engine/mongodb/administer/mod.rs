//! Changes of accounts, made by the administrator.

use async_trait::async_trait;
use bson::{Bson, doc};
use secrecy::{ExposeSecret, SecretString};

use super::own_accounts::{Account, OBSERVER, TIME_SERIES, make_own, set};
use super::script::{Names, Script, Server};
use super::wire::WireError;
use crate::engine::conversation::Print;

/// Creates the user, or sets its password if it exists. The database is created with its first document.
pub(super) struct Accounts {
    /// The user's password.
    pub password: SecretString,
    /// The administrator's own password, if it still has that of the seed that this server started from.
    pub own_password: Option<SecretString>,
}

#[async_trait]
impl Script for Accounts {
    async fn run(&self, server: &mut Server, names: &Names, _print: &Print) -> Result<(), WireError> {
        make_own(server, names).await?;
        let roles = [
            doc! { "role": "readWrite", "db": &names.database },
            doc! { "role": "dbAdmin", "db": &names.database },
            doc! { "role": TIME_SERIES, "db": "admin" },
        ];
        let user = doc! { "pwd": self.password.expose_secret(), "roles": roles.to_vec() };
        set(server, &names.database, (Account::User, &names.user), &user).await?;
        if let Some(password) = &self.own_password {
            set_admin_password(server, names, password).await?;
        }
        Ok(())
    }
}

/// Writes everything to the data files.
pub(super) struct Flush;

#[async_trait]
impl Script for Flush {
    async fn run(&self, server: &mut Server, _names: &Names, _print: &Print) -> Result<(), WireError> {
        server.run("admin", doc! { "fsync": 1 }).await.map(drop)
    }
}

/// Gives all users but the portal's and the owner's a password that nobody knows.
pub(super) struct LockOthers(pub SecretString);

#[async_trait]
impl Script for LockOthers {
    async fn run(&self, server: &mut Server, names: &Names, _print: &Print) -> Result<(), WireError> {
        let found = server.run("admin", doc! { "usersInfo": { "forAllDBs": true } }).await?;
        for user in found.get_array("users").into_iter().flatten().filter_map(Bson::as_document) {
            let (Ok(name), Ok(database)) = (user.get_str("user"), user.get_str("db")) else { continue };
            let own = (database, name) == (names.database.as_str(), names.user.as_str())
                || (database == "admin" && (name == names.admin || name == OBSERVER));
            if !own {
                server.run(database, doc! { "updateUser": name, "pwd": self.0.expose_secret() }).await?;
            }
        }
        Ok(())
    }
}

/// Gives the administrator and the read-only user other passwords.
pub(super) struct OtherPasswords(pub SecretString);

#[async_trait]
impl Script for OtherPasswords {
    async fn run(&self, server: &mut Server, names: &Names, _print: &Print) -> Result<(), WireError> {
        make_own(server, names).await?;
        set_admin_password(server, names, &self.0).await?;
        Ok(())
    }
}

async fn set_admin_password(server: &mut Server, names: &Names, password: &SecretString) -> Result<(), WireError> {
    let change = doc! { "updateUser": &names.admin, "pwd": password.expose_secret() };
    server.run("admin", change).await.map(drop)
}
