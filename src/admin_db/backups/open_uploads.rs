//! Table `upload`: what incomplete backups have started to write to their targets.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Records what is about to be written. An empty `upload` means that something under `key` may follow.
pub async fn insert(
    db: &mut PgConnection,
    backup: Uuid,
    target: &str,
    key: &str,
    upload: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO upload (backup_id, target, key, upload, begun_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        backup,
        target,
        key,
        upload,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Deletes all records of a backup that is complete or completely cleaned up.
pub async fn forget(db: &mut PgConnection, backup: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM upload WHERE backup_id = $1", backup).execute(db).await.map(|_| ())
}

/// Deletes the record of one upload that was completed or aborted.
pub async fn delete(db: &mut PgConnection, backup: Uuid, upload: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM upload WHERE backup_id = $1 AND upload = $2", backup, upload)
        .execute(db)
        .await
        .map(|_| ())
}

/// The records of a backup in one target: (key, upload).
pub async fn in_target(
    db: &mut PgConnection,
    backup: Uuid,
    target: &str,
) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query!("SELECT key, upload FROM upload WHERE backup_id = $1 AND target = $2", backup, target)
        .map(|r| (r.key, r.upload))
        .fetch_all(db)
        .await
}

/// The records of a backup: (key, upload). The upload is empty if only a key was recorded.
pub async fn of_backup(db: &mut PgConnection, backup: Uuid) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query!("SELECT key, upload FROM upload WHERE backup_id = $1", backup)
        .map(|r| (r.key, r.upload))
        .fetch_all(db)
        .await
}

/// Failed or cancelled backups that may have left something in their target, because it could not be removed then.
pub async fn left(db: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT DISTINCT b.id FROM upload JOIN backup_log b ON b.id = backup_id WHERE b.status IN ('failed', 'cancelled')
          ORDER BY b.id"
    )
    .fetch_all(db)
    .await
}
