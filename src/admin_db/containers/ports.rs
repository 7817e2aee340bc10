//! Table `port`: a published port is a row.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Key of the transaction lock that makes takers of ports queue. Any constant of our own will do.
const LOCK: i64 = 0x6462_3473_6369_0001;

/// Takes the lowest free port of the range for a container, in the caller's transaction.
/// `None` when the range is used up.
///
/// # Errors
/// The database's.
pub async fn take(
    db: &mut PgConnection,
    range: &RangeInclusive<u16>,
    container: Uuid,
    purpose: &str,
    now: DateTime<Utc>,
) -> Result<Option<u16>, sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *db).await?;
    let free: Option<i32> = sqlx::query_scalar(
        "SELECT p FROM generate_series($1::int, $2::int) p
          WHERE NOT EXISTS (SELECT FROM port WHERE port.port = p) ORDER BY p LIMIT 1",
    )
    .bind(i32::from(*range.start()))
    .bind(i32::from(*range.end()))
    .fetch_optional(&mut *db)
    .await?;
    let Some(port) = free else { return Ok(None) };
    sqlx::query("INSERT INTO port (port, container_id, purpose, taken_at) VALUES ($1, $2, $3, $4)")
        .bind(port)
        .bind(container)
        .bind(purpose)
        .bind(now)
        .execute(db)
        .await?;
    Ok(u16::try_from(port).ok())
}

/// Turns a container's port into one that is marked as held by another program, so nobody is given it.
///
/// # Errors
/// The database's.
pub async fn mark_occupied(
    db: &mut PgConnection,
    port: u16,
    note: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE port SET container_id = NULL, occupied_note = $2, taken_at = $3 WHERE port = $1")
        .bind(i32::from(port))
        .bind(note)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Frees ports that were marked as occupied before `before`: the other program may be gone.
///
/// # Errors
/// The database's.
pub async fn forget_occupied(db: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query("DELETE FROM port WHERE container_id IS NULL AND taken_at < $1").bind(before).execute(db).await?;
    Ok(done.rows_affected())
}

/// Frees a container's ports.
///
/// # Errors
/// The database's.
pub async fn release(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM port WHERE container_id = $1").bind(container).execute(db).await.map(|_| ())
}

/// Ports of the range: (taken, marked as occupied).
///
/// # Errors
/// The database's.
pub async fn counts(db: &mut PgConnection) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query_as("SELECT count(container_id), count(*) - count(container_id) FROM port").fetch_one(db).await
}
