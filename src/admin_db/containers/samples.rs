//! Table `sample`: the data points of the charts.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// How long every point is kept; after that, one an hour.
const FINE: Duration = Duration::hours(26);
/// How long hourly points are kept; after that, one every four hours.
const COARSE: Duration = Duration::days(8);
/// How long those are kept.
const LONGEST: Duration = Duration::days(32);

/// A data point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Time of the measurement.
    pub at: DateTime<Utc>,
    /// Size on disk in bytes.
    pub size_bytes: Option<i64>,
    /// Memory in use, in bytes.
    pub memory_bytes: Option<i64>,
    /// CPU time since the container's start, in microseconds.
    pub cpu_us: Option<i64>,
    /// Open connections.
    pub connections: Option<i32>,
}

/// Adds a point.
pub async fn insert(db: &mut PgConnection, container: Uuid, sample: &Sample) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sample (container_id, at, size_bytes, memory_bytes, cpu_us, connections)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        container,
        sample.at,
        sample.size_bytes,
        sample.memory_bytes,
        sample.cpu_us,
        sample.connections
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The points since the given time, the oldest first.
pub async fn since(db: &mut PgConnection, container: Uuid, since: DateTime<Utc>) -> Result<Vec<Sample>, sqlx::Error> {
    sqlx::query_as!(
        Sample,
        "SELECT at, size_bytes, memory_bytes, cpu_us, connections FROM sample
          WHERE container_id = $1 AND at >= $2 ORDER BY at",
        container,
        since
    )
    .fetch_all(db)
    .await
}

/// Number and distance in hours of the points of a small chart in a list.
const OUTLINE: (i32, i32) = (14, 12);

/// The sizes of these containers over the last week, the oldest first: few enough for a small chart.
pub async fn size_outlines(
    db: &mut PgConnection,
    containers: &[Uuid],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, Vec<i64>>, sqlx::Error> {
    let (points, hours) = OUTLINE;
    let rows = sqlx::query!(
        r#"SELECT c.id AS "id!", s.size_bytes AS "size_bytes!"
             FROM unnest($1::uuid[]) AS c (id) CROSS JOIN generate_series(0, $3::int - 1) AS p (n)
            CROSS JOIN LATERAL (SELECT size_bytes FROM sample
                                 WHERE container_id = c.id AND size_bytes IS NOT NULL
                                   AND at <= $2::timestamptz - make_interval(hours => p.n * $4::int)
                                   AND at > $2::timestamptz - make_interval(hours => (p.n + 1) * $4::int)
                                 ORDER BY at DESC LIMIT 1) s
            ORDER BY c.id, p.n DESC"#,
        containers,
        now,
        points,
        hours
    )
    .fetch_all(db)
    .await?;
    let mut sizes: HashMap<Uuid, Vec<i64>> = HashMap::new();
    for row in rows {
        sizes.entry(row.id).or_default().push(row.size_bytes);
    }
    Ok(sizes)
}

/// Reduces points older than `FINE` to one an hour and those older than `COARSE` to one every four hours, and deletes those
/// older than `LONGEST`. Returns the number deleted.
pub async fn thin(db: &mut PgConnection, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM sample s
          WHERE s.at < $3
             OR (s.at < $1 AND EXISTS (SELECT FROM sample earlier
                                        WHERE earlier.container_id = s.container_id AND earlier.at < s.at
                                          AND earlier.at >= CASE
                                              WHEN s.at < $2 THEN date_bin('4 hours', s.at, timestamptz 'epoch')
                                              ELSE date_trunc('hour', s.at, 'UTC') END))",
        now - FINE,
        now - COARSE,
        now - LONGEST
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes the points of a permanently deleted container.
pub async fn forget(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM sample WHERE container_id = $1", container).execute(db).await.map(|_| ())
}
