//! The end of a job before it is done: asked for by somebody, seen by its worker. Only work that a row of `backup_log`
//! stands for can be cancelled, and only until that row has ended: from then on it is true.

use sqlx::PgConnection;
use uuid::Uuid;

/// Kinds of jobs that can be cancelled; a deletion while it makes its final backup.
pub const KINDS: [&str; 3] = ["backup", "drill", "delete"];

/// Reads who asked for a job's end, and lets nobody ask until the transaction ends.
///
/// # Errors
/// The database's.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT cancelled_by FROM job WHERE id = $1 FOR UPDATE")
        .bind(id)
        .fetch_optional(db)
        .await
        .map(Option::flatten)
}

/// Asks whoever works on a job to end it. `false`: its backup or drill is over already. In a transaction, so that the
/// answer is still so when it is written.
///
/// # Errors
/// The database's.
pub async fn ask(db: &mut PgConnection, id: Uuid, by: &str) -> Result<bool, sqlx::Error> {
    // Locked by a statement of its own: what the next one sees is then no older than the lock.
    lock(&mut *db, id).await?;
    let done = sqlx::query(
        "UPDATE job SET cancelled_by = coalesce(cancelled_by, $2)
          WHERE id = $1 AND status IN ('queued', 'running') AND kind = ANY($3)
            AND EXISTS (SELECT FROM backup_log b WHERE b.job_id = job.id AND b.status = 'running')",
    )
    .bind(id)
    .bind(by)
    .bind(KINDS)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether a job can be cancelled now.
///
/// # Errors
/// The database's.
pub async fn possible(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM job j JOIN backup_log b ON b.job_id = j.id AND b.status = 'running'
                         WHERE j.id = $1 AND j.status IN ('queued', 'running') AND j.cancelled_by IS NULL
                           AND j.kind = ANY($2))",
    )
    .bind(id)
    .bind(KINDS)
    .fetch_one(db)
    .await
}

/// Who asked for a job's end, if anybody did.
///
/// # Errors
/// The database's.
pub async fn asked_by(db: &mut PgConnection, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT cancelled_by FROM job WHERE id = $1")
        .bind(id)
        .fetch_optional(db)
        .await
        .map(Option::flatten)
}
