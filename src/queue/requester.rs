//! A job acts for whoever requested it, and it may have waited for long: until the database had another owner.

use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::people::accounts;
use crate::domain::user::Role;
use crate::queue::context::StepContext;

/// Why a job must not start, or must not keep what it read: its database no longer belongs to whoever requested it.
/// Administrators may act on every database, and so does the portal itself.
pub(crate) async fn lost_the_database(w: &StepContext) -> Result<Option<String>, sqlx::Error> {
    match w.job.container_id {
        Some(id) => lost(w, id).await,
        None => Ok(None),
    }
}

/// The same for another database, which the job reads.
pub(crate) async fn lost(w: &StepContext, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    let mut db = w.app.db.acquire().await?;
    let Some(requester) = accounts::by_name(&mut db, &w.job.created_by).await? else { return Ok(None) };
    let Some(c) = containers::by_id(&mut db, id).await? else { return Ok(None) };
    let allowed = requester.role == Role::Admin || requester.id == c.account_id;
    Ok((!allowed).then(|| format!("The database has had another owner since {} requested this.", w.job.created_by)))
}
