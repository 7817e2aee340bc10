//! Gives everything that an account owns to another account, so that the first one can be deleted.

use sqlx::PgConnection;

use super::quota;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::accounts::Account;
use crate::admin_db::people::belongings;
use crate::admin_db::{constraint, log};
use crate::app::App;
use crate::queue::refusal::RequestError;

/// Makes `to` the owner of all databases, backups and templates of `from`, in the caller's transaction, in which both
/// accounts are locked. Each database gets a log row. Returns the number of databases.
///
/// # Errors
/// [`RequestError::OverQuota`] if `to` would own more than its quota, [`RequestError::SameInstance`] if both have a
/// database of the same name from the same template.
pub async fn hand_over(
    app: &App,
    tx: &mut PgConnection,
    (from, to): (&Account, &Account),
    actor: &Actor,
) -> Result<usize, RequestError> {
    let databases = belongings::databases(&mut *tx, from.id).await?;
    let before = quota::before(&mut *tx, to.id).await?;
    belongings::transfer(&mut *tx, from, to).await.map_err(|e| match constraint(&e) {
        Some("container_instance_key") => RequestError::SameInstance(to.username.clone()),
        _ => e.into(),
    })?;
    before.check(app, &mut *tx).await?;
    let detail = format!("changed owner {} → {}", from.username, to.username);
    for (id, name) in &databases {
        let entry =
            LogEntry { action: "container.edit", container: Some((*id, name)), outcome: Outcome::Ok, detail: &detail };
        log::append(&mut *tx, actor, &entry, app.clock.now()).await?;
    }
    Ok(databases.len())
}
