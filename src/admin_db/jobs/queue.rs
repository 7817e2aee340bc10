//! Selects the next job for a free worker. Workers are shared fairly between database owners: the one with the fewest
//! running jobs comes first, then the one who has waited longest, and nobody who has a running job gets the last
//! worker. The same applies to the number of backups at once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::admin_db::jobs::{Job, JobStatus, job_of};

/// How the workers of a portal are shared.
#[derive(Debug, Clone)]
pub struct WorkerShares {
    /// Number of jobs that this portal runs at once.
    pub workers: i64,
    /// How many of them may be long jobs.
    pub long: i64,
    /// Maximum number of backups and drills at once, of all portals.
    pub backups: i64,
    /// Maximum number of loads of one user at once, of all portals.
    pub loads: i64,
    /// Kinds of long jobs.
    pub long_kinds: Vec<&'static str>,
    /// Kinds of long jobs that are backups and drills.
    pub backup_kinds: Vec<&'static str>,
    /// Kinds of long jobs that are loads.
    pub load_kinds: Vec<&'static str>,
}

/// A job that a worker has just leased.
#[derive(Debug, Clone)]
pub struct ReservedJob {
    /// The job.
    pub job: Job,
    /// Seconds since its first start, according to mydb_admin's clock.
    pub age: f64,
}

/// Leases the next job to a worker of `portal`. The name of a lease starts with that of its portal and a slash.
pub async fn reserve(
    db: &mut PgConnection,
    (portal, worker): (&str, &str),
    lease: Duration,
    shares: &WorkerShares,
) -> Result<Option<ReservedJob>, sqlx::Error> {
    let mut tx = db.begin().await?;
    macro_rules! next {
        ($due:literal, $long:literal) => {
            sqlx::query!(
                "WITH running AS MATERIALIZED (
            SELECT j.kind, coalesce(c.account_id, $9) AS owner, split_part(j.worker, '/', 1) = $3 AS here, "
                    + $long
                    + " AS long
              FROM job j LEFT JOIN container c ON c.id = j.container_id
             WHERE j.status = 'running' AND j.lease_until >= now()
        ), here AS MATERIALIZED (
            SELECT count(*) AS every, count(*) FILTER (WHERE long) AS long FROM running WHERE here
        ), due AS MATERIALIZED (
            SELECT j.id, j.kind, coalesce(c.account_id, $9) AS owner, "
                    + $long
                    + " AS long
              FROM job j LEFT JOIN container c ON c.id = j.container_id
             WHERE "
                    + $due
                    + "
        ), fit AS (
            SELECT d.id, d.owner, (SELECT count(*) FROM running r WHERE r.owner = d.owner) AS busy
              FROM due d, here h
             WHERE (h.every + 1 < $4 OR NOT EXISTS (SELECT FROM running r WHERE r.here AND r.owner = d.owner))
               AND (NOT d.long OR h.long < $5)
               AND (NOT d.long OR h.long + 1 < $5
                    OR NOT EXISTS (SELECT FROM running r WHERE r.here AND r.long AND r.owner = d.owner))
               AND (d.kind <> ALL($7) OR $10 > (SELECT count(*) FROM running r WHERE r.kind = ANY($7)))
               AND (d.kind <> ALL($7) OR $10 > 1 + (SELECT count(*) FROM running r WHERE r.kind = ANY($7))
                    OR NOT EXISTS (SELECT FROM running r WHERE r.kind = ANY($7) AND r.owner = d.owner))
               AND (d.kind <> ALL($8)
                    OR $11 > (SELECT count(*) FROM running r WHERE r.kind = ANY($8) AND r.owner = d.owner))
        )
        UPDATE job
           SET status = 'running'
             , attempt = attempt + 1
             , lease_until = now() + make_interval(secs => $2)
             , worker = $1
             , started_at = coalesce(started_at, now())
         WHERE id = (
               SELECT j.id FROM job j JOIN fit f ON f.id = j.id LEFT JOIN job_turn t ON t.owner = f.owner
                WHERE "
                    + $due
                    + r#"
                ORDER BY f.busy, t.served_at NULLS FIRST, j.run_at, j.id
                LIMIT 1
                  FOR UPDATE OF j SKIP LOCKED)
        RETURNING id, kind, container_id, payload, status AS "status: JobStatus", attempt, max_attempts, run_at, created_by, created_at
                , started_at, finished_at, error, extract(epoch FROM now() - started_at)::float8 AS "age!""#,
                worker,
                lease.as_secs_f64(),
                portal,
                shares.workers,
                shares.long,
                &shares.long_kinds as _,
                &shares.backup_kinds as _,
                &shares.load_kinds as _,
                Uuid::nil(),
                shares.backups,
                shares.loads
            )
        };
    }
    let reserved = next!(
        // Whether row `j` is to be started: it is due and the job it waits for has ended, or its worker died. Times far in the future were recorded before
        // the clock was set back, because no wait or lease is that long.
        "((j.status = 'queued' AND (j.run_at <= now() OR j.run_at > now() + interval '5 minutes')
           AND NOT EXISTS (SELECT FROM job p WHERE p.id = j.after_job AND p.status IN ('queued', 'running')))
          OR (j.status = 'running' AND (j.lease_until < now()
                                        OR j.lease_until > now() + make_interval(secs => $2) + interval '5 minutes')))",
        // Whether row `j` is a long job. A deletion is one while it makes its final backup.
        "(j.kind = ANY($6) OR EXISTS (SELECT FROM backup_log b WHERE b.job_id = j.id AND b.status = 'running'))"
    )
    .map(|row| ReservedJob { job: job_of!(row), age: row.age })
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(reserved) = &reserved {
        sqlx::query!(
            "INSERT INTO job_turn (owner, served_at)
             SELECT coalesce((SELECT account_id FROM container WHERE id = $1), $2), clock_timestamp()
             ON CONFLICT (owner) DO UPDATE SET served_at = excluded.served_at",
            reserved.job.container_id,
            Uuid::nil()
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(reserved)
}

/// When a running job is ended at the latest, given its time limit since the first start.
pub fn deadline(job: &Job, most: Duration) -> Option<DateTime<Utc>> {
    let begun = job.started_at.filter(|_| !job.status.is_final())?;
    begun.checked_add_signed(chrono::Duration::from_std(most).ok()?)
}
