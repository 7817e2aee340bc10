//! Table `survey`: the last scan of each server. A failed scan keeps the previous result.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::admin_db::storable_text;
use crate::domain::engine::EngineKind;
use crate::engine::Survey;

/// The last results of scanning a server.
#[derive(Debug, Clone)]
pub struct LastSurvey {
    /// Time of the last successful scan.
    pub at: Option<DateTime<Utc>>,
    /// Result of that scan.
    pub data: Option<Json<Survey>>,
    /// Why a later scan failed.
    pub error: Option<String>,
    /// Time of that failure.
    pub error_at: Option<DateTime<Utc>>,
}

/// A container with its last scan, for the overview of all contents.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Name of the container.
    pub name: String,
    /// Its engine.
    pub engine: EngineKind,
    /// Its image, as in the catalog.
    pub image: String,
    /// User name of its owner.
    pub owner: String,
    /// Its last scan.
    pub look: LastSurvey,
}

/// The last scan of a server.
pub async fn get(db: &mut PgConnection, container: Uuid) -> Result<Option<LastSurvey>, sqlx::Error> {
    sqlx::query_as!(
        LastSurvey,
        r#"SELECT at, data AS "data: _", error, error_at FROM survey WHERE container_id = $1"#,
        container
    )
    .fetch_optional(db)
    .await
}

/// Existing containers after this name, with their last scans.
pub async fn list(db: &mut PgConnection, text: &str, after: &str, limit: i64) -> Result<Vec<Surveyed>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT c.name AS "name!", c.engine AS "engine!: EngineKind", c.image AS "image!", a.username AS "owner!"
                , s.at AS "at?", s.data AS "data?: Json<Survey>", s.error AS "error?", s.error_at AS "error_at?"
             FROM container c JOIN account a ON a.id = c.account_id LEFT JOIN survey s ON s.container_id = c.id
            WHERE c.purged_at IS NULL AND c.name > $2
              AND ($1 = '' OR strpos(c.name, $1) > 0 OR strpos(a.username, $1) > 0)
            ORDER BY c.name LIMIT $3"#,
        text,
        after,
        limit
    )
    .map(|r| Surveyed {
        name: r.name,
        engine: r.engine,
        image: r.image,
        owner: r.owner,
        look: LastSurvey { at: r.at, data: r.data, error: r.error, error_at: r.error_at },
    })
    .fetch_all(db)
    .await
}

/// Records a successful scan.
pub async fn set(db: &mut PgConnection, container: Uuid, seen: &Survey, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO survey (container_id, at, data) VALUES ($1, $2, $3)
         ON CONFLICT (container_id) DO UPDATE SET at = excluded.at, data = excluded.data, error = NULL, error_at = NULL",
        container,
        now,
        storable_text::json(seen)? as _
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that nothing has changed since the last scan, and returns the number of connections it found; `None` if that
/// scan failed or there was none.
pub async fn confirm(
    db: &mut PgConnection,
    container: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Option<i32>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"UPDATE survey SET at = $2 WHERE container_id = $1 AND error IS NULL AND data IS NOT NULL
           RETURNING (data ->> 'connections')::int AS "connections?""#,
        container,
        now
    )
    .fetch_optional(db)
    .await
}

/// Records that a scan failed.
pub async fn fail(db: &mut PgConnection, container: Uuid, error: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO survey (container_id, error, error_at) VALUES ($1, $2, $3)
         ON CONFLICT (container_id) DO UPDATE SET error = excluded.error, error_at = excluded.error_at",
        container,
        error,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Deletes the scan of a permanently deleted container.
pub async fn forget(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM survey WHERE container_id = $1", container).execute(db).await.map(|_| ())
}
