//! Creates the first administrator if there is none.

use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use super::passwords;
use crate::admin_db::log;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::accounts;
use crate::admin_db::people::accounts::NewAccount;
use crate::app::App;
use crate::domain::names::Username;
use crate::domain::password::Password;
use crate::domain::user::Role;
use crate::secrets::write_private;

/// User name of the first administrator.
pub const NAME: &str = "admin";

/// The file that contains the first administrator's password until somebody removes it.
pub fn password_file(app: &App) -> PathBuf {
    app.config.data_dir.join("admin-password")
}

/// Creates the account `admin` if no administrator can sign in. `given` is its password from the environment; without
/// it, a password is generated and written to a file that only its owner can read.
///
/// # Errors
/// If the given password violates the rules, or the account cannot be created.
pub async fn ensure(app: &App, given: Option<SecretString>) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    if accounts::any_admin(&mut db).await? {
        return Ok(());
    }
    let file = password_file(app);
    let password = match given {
        Some(text) => Password::parse(text.expose_secret())
            .map_err(|rule| anyhow::anyhow!("DB4SCI_ADMIN_PASSWORD can't be used: {rule}"))?,
        // The file is from an earlier start whose mydb_admin has been removed since.
        None if file.exists() => {
            let text = std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
            match Password::parse(text.trim()) {
                Ok(password) => password,
                Err(rule) => bail!("the password in {} can't be used: {rule}", file.display()),
            }
        }
        None => {
            let password = Password::generate(&app.random);
            write_private(&file, format!("{}\n", password.expose()).as_bytes())?;
            password
        }
    };
    let username = Username::parse(NAME)?;
    let hash = passwords::hash(&password).await?;
    let new = NewAccount { username: &username, email: "", role: Role::Admin, password_hash: &hash };
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    match accounts::insert(&mut tx, &new, now).await {
        Ok(_) => {}
        // Another portal on the same mydb_admin was faster, or all admins have been disabled on purpose.
        Err(e) if crate::admin_db::constraint(&e) == Some("account_username_key") => return Ok(()),
        Err(e) => return Err(e.into()),
    }
    let entry =
        LogEntry { action: "user.add", container: None, outcome: Outcome::Ok, detail: "the first administrator" };
    log::append(&mut tx, &Actor::portal("portal"), &entry, now).await?;
    tx.commit().await?;
    Ok(())
}
