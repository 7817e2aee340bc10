//! Tables `job` and `job_step`: long-running work, leased by workers.

pub mod cancel;
pub mod listing;
pub mod payload;
pub mod queue;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::jobs::payload::{JobNotes, JobPayload};
use crate::domain::job_kind::JobKind;

/// Status of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "job_status", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum JobStatus {
    /// Waits for a worker or for its time.
    Queued,
    /// Leased by a worker.
    Running,
    /// Completed.
    Succeeded,
    /// Failed permanently and rolled back.
    Failed,
    /// Cancelled before it started.
    Cancelled,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The word of the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the status is final.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// Status of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "step_status", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// Not started.
    Pending,
    /// In progress.
    Running,
    /// Completed.
    Done,
    /// Failed.
    Failed,
    /// Completed and rolled back.
    Undone,
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Id of the job.
    pub id: Uuid,
    /// Kind.
    pub kind: String,
    /// Container it works on.
    pub container_id: Option<Uuid>,
    /// Arguments.
    pub payload: JobPayload,
    /// Status.
    pub status: JobStatus,
    /// Number of attempts started.
    pub attempt: i32,
    /// Maximum number of attempts.
    pub max_attempts: i32,
    /// Not to be started before this time.
    pub run_at: DateTime<Utc>,
    /// Who requested it.
    pub created_by: String,
    /// When it was requested.
    pub created_at: DateTime<Utc>,
    /// When it first started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The last error.
    pub error: Option<String>,
}

impl Job {
    /// Its kind; `None` for a kind of another portal version.
    pub fn kind(&self) -> Option<JobKind> {
        JobKind::parse(&self.kind)
    }
}

/// A step of a job.
#[derive(Debug, Clone)]
pub struct JobStep {
    /// Position in the list.
    pub seq: i16,
    /// What it does, in words.
    pub name: String,
    /// Status.
    pub status: StepStatus,
    /// Progress, or the reason of a failure.
    pub detail: String,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// A job to enqueue.
#[derive(Debug)]
pub struct NewJob<'a> {
    /// Kind.
    pub kind: &'a str,
    /// Container it works on.
    pub container: Option<Uuid>,
    /// Arguments.
    pub payload: JobPayload,
    /// Who requests it.
    pub by: &'a str,
    /// Names of its steps.
    pub steps: &'a [&'a str],
}

/// Reads rows as [`Job`], with the same columns in every query.
macro_rules! select {
    ($rest:literal $(, $arg:expr)+) => {
        sqlx::query_as!(
            Job,
            r#"SELECT id, kind, container_id, payload, status AS "status: _", attempt, max_attempts, run_at, created_by, created_at
                    , started_at, finished_at, error
                 FROM job "#
                + $rest
            $(, $arg)+
        )
    };
}

/// Builds a job from a row that has additional columns.
macro_rules! job_of {
    ($row:ident) => {
        $crate::admin_db::jobs::Job {
            id: $row.id,
            kind: $row.kind,
            container_id: $row.container_id,
            payload: $row.payload.into(),
            status: $row.status,
            attempt: $row.attempt,
            max_attempts: $row.max_attempts,
            run_at: $row.run_at,
            created_by: $row.created_by,
            created_at: $row.created_at,
            started_at: $row.started_at,
            finished_at: $row.finished_at,
            error: $row.error,
        }
    };
}

pub(super) use job_of;

/// The job that took a snapshot, even if it failed and nothing of the snapshot is left.
pub async fn of_snapshot(db: &mut PgConnection, snapshot: Uuid) -> Result<Option<Job>, sqlx::Error> {
    select!("WHERE id = (SELECT job_id FROM snapshot WHERE id = $1)", snapshot).fetch_optional(db).await
}

/// Lets a job start only when another has ended, however it ended.
pub async fn start_after(db: &mut PgConnection, id: Uuid, other: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job SET after_job = $2 WHERE id = $1", id, other).execute(db).await.map(|_| ())
}

/// Enqueues a job in the caller's transaction. Rejected if the container has an unfinished job (index
/// `job_one_per_container`).
pub async fn enqueue(db: &mut PgConnection, new: &NewJob<'_>, now: DateTime<Utc>) -> Result<Uuid, sqlx::Error> {
    let id = crate::admin_db::new_id();
    sqlx::query!(
        "INSERT INTO job (id, kind, container_id, payload, run_at, created_by, created_at)
         VALUES ($1, $2, $3, $4, now(), $5, $6)",
        id,
        new.kind,
        new.container,
        new.payload.to_json(),
        new.by,
        now
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "INSERT INTO job_step (job_id, seq, name)
         SELECT $1, ordinality, name FROM unnest($2::text[]) WITH ORDINALITY AS s(name, ordinality)",
        id,
        new.steps as _
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Adds notes to a job's payload.
pub async fn add_notes(db: &mut PgConnection, id: Uuid, notes: &JobNotes) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job SET payload = payload || $2 WHERE id = $1", id, notes.to_json())
        .execute(db)
        .await
        .map(|_| ())
}

/// Extends a lease. `false`: another worker has the job now.
pub async fn heartbeat(db: &mut PgConnection, id: Uuid, worker: &str, lease: Duration) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE job SET lease_until = now() + make_interval(secs => $3) WHERE id = $1 AND worker = $2 AND status = 'running'",
        id,
        worker,
        lease.as_secs_f64()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends a job. `false`: another worker has it.
pub async fn finish(
    db: &mut PgConnection,
    id: Uuid,
    worker: &str,
    status: JobStatus,
    error: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE job SET status = $3, error = $4, lease_until = NULL, finished_at = now()
          WHERE id = $1 AND worker = $2 AND status = 'running'",
        id,
        worker,
        status as _,
        error
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Returns a job to the queue for a retry after `wait`. An `uncounted` attempt, which ended because the worker was
/// stopped, does not count towards the maximum.
pub async fn retry(
    db: &mut PgConnection,
    id: Uuid,
    worker: &str,
    wait: Duration,
    error: Option<&str>,
    uncounted: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE job SET status = 'queued', lease_until = NULL, run_at = now() + make_interval(secs => $3), error = $4
              , attempt = attempt - $5
          WHERE id = $1 AND worker = $2 AND status = 'running'",
        id,
        worker,
        wait.as_secs_f64(),
        error,
        i32::from(uncounted)
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Sets a step's status, unless another worker has the job by now: a worker that lost its lease must not mark steps as
/// running that its successor has completed.
pub async fn set_step(
    db: &mut PgConnection,
    job: Uuid,
    worker: &str,
    seq: i16,
    status: StepStatus,
    detail: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE job_step
            SET status = $3
              , detail = coalesce($4, detail)
              , started_at = CASE WHEN $3::step_status = 'running' THEN coalesce(started_at, clock_timestamp()) ELSE started_at END
              , finished_at = CASE WHEN $3::step_status IN ('done', 'failed', 'undone') THEN clock_timestamp() END
          WHERE job_id = $1 AND seq = $2
            AND EXISTS (SELECT 1 FROM job WHERE id = $1 AND worker = $5 AND status = 'running')",
        job,
        seq,
        status as _,
        detail,
        worker
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Marks the steps of a successful job as done: the end of one may not have been recorded while mydb_admin was
/// unavailable.
pub async fn all_steps_done(db: &mut PgConnection, job: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE job_step SET status = 'done', finished_at = clock_timestamp() WHERE job_id = $1 AND status <> 'done'",
        job
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records a step's progress.
pub async fn set_detail(db: &mut PgConnection, job: Uuid, seq: i16, detail: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job_step SET detail = $3 WHERE job_id = $1 AND seq = $2", job, seq, detail)
        .execute(db)
        .await
        .map(|_| ())
}

/// The job with this id.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Job>, sqlx::Error> {
    select!("WHERE id = $1", id).fetch_optional(db).await
}

/// The steps of a job.
pub async fn steps(db: &mut PgConnection, job: Uuid) -> Result<Vec<JobStep>, sqlx::Error> {
    sqlx::query_as!(
        JobStep,
        r#"SELECT seq, name, status AS "status: _", detail, started_at, finished_at FROM job_step
            WHERE job_id = $1 ORDER BY seq"#,
        job
    )
    .fetch_all(db)
    .await
}

/// The latest jobs of a container.
pub async fn of_container(db: &mut PgConnection, container: Uuid, limit: i64) -> Result<Vec<Job>, sqlx::Error> {
    select!("WHERE container_id = $1 ORDER BY created_at DESC LIMIT $2", container, limit).fetch_all(db).await
}
