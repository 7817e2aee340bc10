//! Table `upload`: uploads in parts that are not completed.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Notes an upload that was begun.
///
/// # Errors
/// The database's.
pub async fn insert(
    db: &mut PgConnection,
    backup: Uuid,
    target: &str,
    key: &str,
    upload: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO upload (backup_id, target, key, upload, begun_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(backup)
        .bind(target)
        .bind(key)
        .bind(upload)
        .bind(now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Forgets an upload that was completed or given up.
///
/// # Errors
/// The database's.
pub async fn delete(db: &mut PgConnection, backup: Uuid, upload: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM upload WHERE backup_id = $1 AND upload = $2")
        .bind(backup)
        .bind(upload)
        .execute(db)
        .await
        .map(|_| ())
}

/// Uploads of a backup into one target that are not completed: (key, upload).
///
/// # Errors
/// The database's.
pub async fn in_target(
    db: &mut PgConnection,
    backup: Uuid,
    target: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as("SELECT key, upload FROM upload WHERE backup_id = $1 AND target = $2")
        .bind(backup)
        .bind(target)
        .fetch_all(db)
        .await
}

/// Uploads of a backup that are not completed: (key, upload).
///
/// # Errors
/// The database's.
pub async fn of_backup(db: &mut PgConnection, backup: Uuid) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query_as("SELECT key, upload FROM upload WHERE backup_id = $1").bind(backup).fetch_all(db).await
}
