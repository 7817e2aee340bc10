//! Cancels jobs: a user requests it, and the worker sees the request. The rule of each kind ([`Cancel`]) defines until
//! when this is possible, and a lock on the job's row serialises requests and starting steps.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::jobs;
use crate::admin_db::jobs::{Job, JobStatus, StepStatus, job_of};
use crate::domain::job_rules::Cancel;

/// Reads who requested cancellation, and prevents new requests until the transaction ends.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT cancelled_by FROM job WHERE id = $1 FOR UPDATE", id)
        .fetch_optional(db)
        .await
        .map(Option::flatten)
}

/// Requests the cancellation of a job. `false`: it is too late. Must be called in a transaction, so that the result is
/// still true when it is recorded.
pub async fn ask(db: &mut PgConnection, id: Uuid, by: &str, rule: Cancel) -> Result<bool, sqlx::Error> {
    // Lock in a separate statement, so that the next statement sees data no older than the lock.
    lock(&mut *db, id).await?;
    if !open(&mut *db, id, rule).await? {
        return Ok(false);
    }
    // A job waiting for its next attempt becomes due immediately.
    let done = sqlx::query!(
        "UPDATE job SET cancelled_by = coalesce(cancelled_by, $2)
              , run_at = CASE WHEN status = 'queued' THEN least(run_at, now()) ELSE run_at END
          WHERE id = $1",
        id,
        by
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Leases a queued job whose cancellation was requested, so that no worker starts it, and returns who requested it. A
/// single statement: if a worker is faster, it has the job and ends it itself.
pub async fn take_queued(
    db: &mut PgConnection,
    worker: &str,
    lease: Duration,
) -> Result<Option<(Job, String)>, sqlx::Error> {
    sqlx::query!(
        r#"UPDATE job SET status = 'running', worker = $1, lease_until = now() + make_interval(secs => $2)
            WHERE id = (SELECT id FROM job WHERE status = 'queued' AND cancelled_by IS NOT NULL AND run_at <= now()
                         ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING id, kind, container_id, payload, status AS "status: JobStatus", attempt, max_attempts, run_at, created_by
                   , created_at, started_at, finished_at, error, cancelled_by AS "cancelled_by!""#,
        worker,
        lease.as_secs_f64()
    )
    .map(|taken| (job_of!(taken), taken.cancelled_by))
    .fetch_optional(db)
    .await
}

/// Whether a job can be cancelled now.
pub async fn possible(db: &mut PgConnection, id: Uuid, rule: Cancel) -> Result<bool, sqlx::Error> {
    Ok(open(&mut *db, id, rule).await? && asked_by(db, id).await?.is_none())
}

/// Whether a job has not passed the point up to which it can be cancelled. A failed job that is being rolled back ends
/// by itself.
async fn open(db: &mut PgConnection, id: Uuid, rule: Cancel) -> Result<bool, sqlx::Error> {
    let (backing_up, before) = match rule {
        Cancel::Never => return Ok(false),
        Cancel::WhileBackingUp => (true, None),
        Cancel::Before(step) => (false, Some(step)),
        Cancel::Always => (false, None),
    };
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM job j WHERE j.id = $1 AND j.status IN ('queued', 'running')
            AND (NOT $2 OR EXISTS (SELECT FROM backup_log b WHERE b.job_id = j.id AND b.status = 'running'))
            AND NOT EXISTS (SELECT FROM job_step s WHERE s.job_id = j.id
                               AND (s.status = 'failed' OR (s.name = $3 AND s.status <> 'pending')))) AS "open!""#,
        id,
        backing_up,
        before
    )
    .fetch_one(db)
    .await
}

/// Records that a step starts, or returns who has requested cancellation. Must be called in a transaction. Its lock
/// blocks only cancellation requests, not renewals of the lease or retries.
pub async fn begin_step(
    db: &mut PgConnection,
    (id, worker): (Uuid, &str),
    seq: i16,
) -> Result<Option<String>, sqlx::Error> {
    let asked: Option<Option<String>> =
        sqlx::query_scalar!("SELECT cancelled_by FROM job WHERE id = $1 FOR KEY SHARE", id)
            .fetch_optional(&mut *db)
            .await?;
    if let Some(by) = asked.flatten() {
        return Ok(Some(by));
    }
    jobs::set_step(db, id, worker, seq, StepStatus::Running, None).await?;
    Ok(None)
}

/// Who requested the job's cancellation, if anybody did.
pub async fn asked_by(db: &mut PgConnection, id: Uuid) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!("SELECT cancelled_by FROM job WHERE id = $1", id).fetch_optional(db).await.map(Option::flatten)
}
