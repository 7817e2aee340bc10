//! How often the kernel ended a process of a database that exceeded its memory limit: columns of table `container`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::domain::engine::EngineKind;

/// A database that exceeded its memory limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OomKilled {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its memory limit.
    pub memory_bytes: i64,
    /// How often it has happened.
    pub kills: i64,
}

/// Counts an event of the container with this id in the engine. `None` if it is not a database, or if the event, or a later one,
/// has been counted already: engines repeat events, and several portals listen.
pub async fn count(
    db: &mut PgConnection,
    docker_id: &str,
    at: DateTime<Utc>,
) -> Result<Option<OomKilled>, sqlx::Error> {
    sqlx::query_as!(
        OomKilled,
        "UPDATE container SET oom_kills = oom_kills + 1, oom_killed_at = $2
          WHERE docker_id = $1 AND purged_at IS NULL AND (oom_killed_at IS NULL OR oom_killed_at < $2)
        RETURNING id, name, memory_bytes, oom_kills AS kills",
        docker_id,
        at
    )
    .fetch_optional(db)
    .await
}

/// Numbers by engine, including databases that have been deleted permanently, so that they never decrease.
pub async fn totals(db: &mut PgConnection) -> Result<Vec<(EngineKind, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT engine AS "engine: EngineKind", sum(oom_kills)::int8 AS "kills!" FROM container GROUP BY engine"#
    )
    .map(|row| (row.engine, row.kills))
    .fetch_all(db)
    .await
}
