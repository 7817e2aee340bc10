//! Table `schedule`: periodic work, claimed by the first portal that finds it due.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// The schedule of one kind of periodic work.
#[derive(Debug, Clone)]
pub struct ScheduledWork {
    /// Name of the work.
    pub name: String,
    /// When it is next due.
    pub next_run: DateTime<Utc>,
    /// When it last ran.
    pub last_run: Option<DateTime<Utc>>,
    /// The portal that ran it.
    pub worker: Option<String>,
    /// The result of the last run.
    pub result: Option<serde_json::Value>,
}

/// Which of this work, given with its periods in seconds, [`claim`] would grant. A single query for all, because nearly
/// always nothing is due.
pub async fn due(db: &mut PgConnection, work: &[(&str, f64)]) -> Result<Vec<String>, sqlx::Error> {
    let (names, every): (Vec<_>, Vec<_>) = work.iter().map(|(name, every)| ((*name).to_owned(), *every)).unzip();
    sqlx::query_scalar!(
        r#"SELECT w.name AS "name!" FROM unnest($1::text[], $2::float8[]) WITH ORDINALITY AS w (name, every, n)
           LEFT JOIN schedule s USING (name)
          WHERE s.name IS NULL OR s.next_run <= now() OR s.next_run > now() + make_interval(secs => w.every)
          ORDER BY w.n"#,
        &names,
        &every
    )
    .fetch_all(db)
    .await
}

/// Claims work if it is due, and sets when it is due next. Uses the database's clock, which all portals share.
pub async fn claim(db: &mut PgConnection, name: &str, every_seconds: f64, worker: &str) -> Result<bool, sqlx::Error> {
    let due: Option<i32> = sqlx::query_scalar!(
        r#"INSERT INTO schedule (name, next_run, last_run, worker)
         VALUES ($1, now() + make_interval(secs => $2), now(), $3)
         ON CONFLICT (name) DO UPDATE
            SET next_run = excluded.next_run, last_run = excluded.last_run, worker = excluded.worker
          -- A clock that was set back would otherwise leave the work waiting until it has caught up. Not now(): to one who
          -- had to wait for the row, what was set meanwhile by another who began later would look like that.
          WHERE schedule.next_run <= now() OR schedule.next_run > clock_timestamp() + make_interval(secs => $2)
         RETURNING 1 AS "due!""#,
        name,
        every_seconds,
        worker
    )
    .fetch_optional(db)
    .await?;
    Ok(due.is_some())
}

/// Makes work due immediately.
pub async fn make_due(db: &mut PgConnection, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE schedule SET next_run = now() WHERE name = $1", name).execute(db).await.map(|_| ())
}

/// Records the result of a run.
pub async fn set_result(db: &mut PgConnection, name: &str, result: &serde_json::Value) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE schedule SET result = $2 WHERE name = $1", name, result).execute(db).await.map(|_| ())
}

/// All periodic work.
pub async fn list(db: &mut PgConnection) -> Result<Vec<ScheduledWork>, sqlx::Error> {
    sqlx::query_as!(ScheduledWork, "SELECT name, next_run, last_run, worker, result FROM schedule ORDER BY name")
        .fetch_all(db)
        .await
}
