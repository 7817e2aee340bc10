//! Table `port`: one row for each published port.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Key of the transaction lock that serialises the allocation of ports. Any constant unique to the portal will do.
const LOCK: i64 = 0x6462_3473_6369_0001;

/// What a port is published for.
#[derive(Debug, Clone, Copy)]
pub enum PortOwner {
    /// A container.
    Container(Uuid),
    /// A server started in advance.
    Spare(Uuid),
}

/// Takes the lowest free port of the range for a container, in the caller's transaction. `None` if no port is free.
pub async fn take(
    db: &mut PgConnection,
    range: &RangeInclusive<u16>,
    owner: PortOwner,
    purpose: &str,
    now: DateTime<Utc>,
) -> Result<Option<u16>, sqlx::Error> {
    let (container, spare) = match owner {
        PortOwner::Container(id) => (Some(id), None),
        PortOwner::Spare(id) => (None, Some(id)),
    };
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", LOCK).execute(&mut *db).await?;
    let free: Option<i32> = sqlx::query_scalar!(
        r#"SELECT p AS "port!" FROM generate_series($1::int, $2::int) p
          WHERE NOT EXISTS (SELECT FROM port WHERE port.port = p) ORDER BY p LIMIT 1"#,
        i32::from(*range.start()),
        i32::from(*range.end())
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(port) = free else { return Ok(None) };
    sqlx::query!(
        "INSERT INTO port (port, container_id, spare_id, purpose, taken_at) VALUES ($1, $2, $3, $4, $5)",
        port,
        container,
        spare,
        purpose,
        now
    )
    .execute(db)
    .await?;
    Ok(u16::try_from(port).ok())
}

/// Marks a container's port as used by another program, so that it is not allocated again.
pub async fn mark_occupied(
    db: &mut PgConnection,
    port: u16,
    note: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE port SET container_id = NULL, spare_id = NULL, occupied_note = $2, taken_at = $3 WHERE port = $1",
        i32::from(port),
        note,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Frees ports that were marked as occupied before `before`, because the other program may have exited.
pub async fn forget_occupied(db: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query!("DELETE FROM port WHERE occupied_note IS NOT NULL AND taken_at < $1", before).execute(db).await?;
    Ok(done.rows_affected())
}

/// Releases a container's ports.
pub async fn release(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM port WHERE container_id = $1", container).execute(db).await.map(|_| ())
}

/// Number of ports: (taken, marked as occupied).
pub async fn counts(db: &mut PgConnection) -> Result<(i64, i64), sqlx::Error> {
    sqlx::query!(r#"SELECT count(*) - count(occupied_note) AS "taken!", count(occupied_note) AS "occupied!" FROM port"#)
        .map(|r| (r.taken, r.occupied))
        .fetch_one(db)
        .await
}
