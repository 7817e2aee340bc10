//! Lists, counts and typical durations from the tables `job` and `job_step`, for pages.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::jobs::{Job, JobStatus, job_of};
use crate::domain::job_kind::JobKind;

/// A job in a list, with the name of its container.
#[derive(Debug, Clone)]
pub struct ListedJob {
    /// The job.
    pub job: Job,
    /// Name of its container.
    pub container_name: Option<String>,
}

/// A page of jobs older than the id `before`, the newest first.
pub async fn list(
    db: &mut PgConnection,
    status: Option<JobStatus>,
    before: Option<(DateTime<Utc>, Uuid)>,
    limit: i64,
) -> Result<Vec<ListedJob>, sqlx::Error> {
    let (at, id) = before.unzip();
    sqlx::query!(
        r#"SELECT j.id AS "id!", j.kind AS "kind!", j.container_id AS "container_id?", j.payload AS "payload!"
                , j.status AS "status!: JobStatus", j.attempt AS "attempt!", j.max_attempts AS "max_attempts!", j.run_at AS "run_at!"
                , j.created_by AS "created_by!", j.created_at AS "created_at!", j.started_at AS "started_at?"
                , j.finished_at AS "finished_at?", j.error AS "error?", c.name AS "container_name?"
             FROM job j LEFT JOIN container c ON c.id = j.container_id
            WHERE ($1::job_status IS NULL OR j.status = $1)
              AND ($2::timestamptz IS NULL OR (j.created_at, j.id) < ($2, $3::uuid))
            ORDER BY j.created_at DESC, j.id DESC LIMIT $4"#,
        status as _,
        at,
        id,
        limit
    )
    .map(|row| ListedJob { job: job_of!(row), container_name: row.container_name })
    .fetch_all(db)
    .await
}

/// Number of unfinished jobs in each status, and of those that failed in the last day.
pub async fn counts(db: &mut PgConnection) -> Result<Vec<(JobStatus, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT status AS "status: JobStatus", count(*) AS "jobs!" FROM job
          WHERE status IN ('queued', 'running') OR (status = 'failed' AND created_at > now() - interval '1 day')
          GROUP BY status"#
    )
    .map(|r| (r.status, r.jobs))
    .fetch_all(db)
    .await
}

/// Median duration in seconds of the newest successful jobs of a kind for an image.
pub async fn usual_seconds(db: &mut PgConnection, kind: &str, image: &str) -> Result<Option<f64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM (
                SELECT extract(epoch FROM j.finished_at - j.started_at)::float8 AS seconds
                  FROM job j JOIN container c ON c.id = j.container_id
                 WHERE j.kind = $1 AND c.image = $2 AND j.status = 'succeeded'
                 ORDER BY j.created_at DESC LIMIT 20) recent",
        kind,
        image
    )
    .fetch_one(db)
    .await
}

/// Duration in seconds of the newest successful job of a kind on a database. A restore to a new database is compared with
/// the newest test restore of the same backup.
pub async fn last_seconds(db: &mut PgConnection, kind: JobKind, container: Uuid) -> Result<Option<f64>, sqlx::Error> {
    let restores = matches!(kind, JobKind::Restore | JobKind::RestoreCopy);
    sqlx::query_scalar!(
        "SELECT coalesce(
                (SELECT extract(epoch FROM finished_at - started_at)::float8 FROM job
                  WHERE container_id = $1 AND kind = $2 AND status = 'succeeded' AND started_at IS NOT NULL
                  ORDER BY created_at DESC LIMIT 1),
                (SELECT d.restore_ms::float8 / 1000 FROM container c JOIN backup_log d ON d.drill_of = c.restored_from
                  WHERE c.id = $1 AND $3 AND d.status = 'succeeded' ORDER BY d.started_at DESC LIMIT 1))",
        container,
        kind.as_str(),
        restores
    )
    .fetch_one(db)
    .await
}
