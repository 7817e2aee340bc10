//! Table `upload`: what backups that are not good yet began to write into their targets.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Notes what is begun; an empty `upload` says that something under `key` may follow.
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

/// Forgets all of a backup: it is good, or nothing of it is left.
pub async fn forget(db: &mut PgConnection, backup: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM upload WHERE backup_id = $1", backup).execute(db).await.map(|_| ())
}

/// Forgets one upload: it was completed or given up.
pub async fn delete(db: &mut PgConnection, backup: Uuid, upload: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM upload WHERE backup_id = $1 AND upload = $2", backup, upload)
        .execute(db)
        .await
        .map(|_| ())
}

/// What was begun of a backup in one target: (key, upload).
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

/// What was begun of a backup: (key, upload), without an upload where only a key was to be written under.
pub async fn of_backup(db: &mut PgConnection, backup: Uuid) -> Result<Vec<(String, String)>, sqlx::Error> {
    sqlx::query!("SELECT key, upload FROM upload WHERE backup_id = $1", backup)
        .map(|r| (r.key, r.upload))
        .fetch_all(db)
        .await
}

/// Backups that failed or were cancelled, and may have left something in their target: nobody could remove it then.
pub async fn left(db: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT DISTINCT b.id FROM upload JOIN backup_log b ON b.id = backup_id WHERE b.status IN ('failed', 'cancelled')
          ORDER BY b.id"
    )
    .fetch_all(db)
    .await
}
