//! Table `container`: of which databases the targets should say that they were deleted, and of which no longer.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;

/// A database of which the targets don't say what is so.
#[derive(Debug, Clone)]
pub struct PendingTombstone {
    /// Key.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// When it was deleted; `None`: it lives, and the targets say otherwise.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// All of them, or of one container. What was taken in from a bucket was never made here, so it is not noted.
pub async fn due(db: &mut PgConnection, one: Option<Uuid>) -> Result<Vec<PendingTombstone>, sqlx::Error> {
    sqlx::query_as!(
        PendingTombstone,
        "SELECT c.id, c.name, coalesce(c.trashed_at, c.purged_at) AS deleted_at FROM container c
          WHERE ($1::uuid IS NULL OR c.id = $1)
            AND ((c.marked_at IS NOT NULL AND c.trashed_at IS NULL AND c.purged_at IS NULL)
                 OR (c.marked_at IS NULL AND (c.trashed_at IS NOT NULL OR c.purged_at IS NOT NULL) AND c.docker_name <> ''
                     AND EXISTS (SELECT FROM backup_log b WHERE b.container_id = c.id AND b.kind = 'backup'
                                    AND b.status = 'succeeded' AND b.removed_at IS NULL)))
          ORDER BY c.id LIMIT 1000",
        one
    )
    .fetch_all(db)
    .await
}

/// Notes that the targets say so now.
pub async fn set(db: &mut PgConnection, id: Uuid, at: Option<DateTime<Utc>>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE container SET marked_at = $2 WHERE id = $1", id, at).execute(db).await?;
    one_row(&done)
}
