//! A job acts for whoever requested it. While it waited, the database may have got another owner.

use uuid::Uuid;

use crate::admin_db::people::ownership;
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
    let (mut db, requester) = (w.app.db.acquire().await?, &w.job.created_by);
    let lost = ownership::is_not_the_owner(&mut db, requester, id).await?;
    Ok(lost.then(|| format!("The database has had another owner since {requester} requested this.")))
}
