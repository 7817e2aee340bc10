//! Deletion records (tombstones) in table `container`: which still have to be written to or removed from the targets.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;

/// A database whose deletion record in the targets is not up to date.
#[derive(Debug, Clone)]
pub struct PendingTombstone {
    /// Id of the database.
    pub id: Uuid,
    /// Name of the database.
    pub name: String,
    /// When it was deleted; `None` if it exists and its deletion record must be removed.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// All such databases, or only one container. Databases imported from a bucket were never created here and get no
/// record.
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

/// Records that the targets are up to date.
pub async fn set(db: &mut PgConnection, id: Uuid, at: Option<DateTime<Utc>>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE container SET marked_at = $2 WHERE id = $1", id, at).execute(db).await?;
    one_row(&done)
}
