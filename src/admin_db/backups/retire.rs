//! Retires a target: removes it from all rows of mydb_admin, so that nothing waits for it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What happened to the rows that referred to the target.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RetiredTarget {
    /// Backups that continue with a copy in another target.
    pub moved: u64,
    /// Backups that existed only there and are marked as removed.
    pub gone: u64,
    /// Copies whose rows were deleted.
    pub copies: u64,
    /// Backups of mydb_admin whose rows were deleted.
    pub admin: u64,
}

impl RetiredTarget {
    /// Whether no row referred to the target.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Removes a target from all rows. `configured` are the remaining targets. Must be called in a transaction.
pub async fn retire(
    db: &mut PgConnection,
    target: &str,
    configured: &[String],
    now: DateTime<Utc>,
) -> Result<RetiredTarget, sqlx::Error> {
    let moved = sqlx::query!(
        "UPDATE backup_log b SET target = k.target, script_sha256 = k.script_sha256
           FROM (SELECT DISTINCT ON (backup_id) backup_id, target, script_sha256 FROM backup_copy
                  WHERE status = 'stored' AND removed_at IS NULL AND target = ANY($2)
                  ORDER BY backup_id, stored_at) k
          WHERE k.backup_id = b.id AND b.target = $1 AND b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL",
        target,
        configured
    )
    .execute(&mut *db)
    .await?
    .rows_affected();
    // The former copy is the backup now.
    sqlx::query!("DELETE FROM backup_copy k USING backup_log b WHERE b.id = k.backup_id AND b.target = k.target")
        .execute(&mut *db)
        .await?;
    let gone = sqlx::query!(
        "UPDATE backup_log SET removing_at = coalesce(removing_at, $2), removed_at = $2, retired_at = $2
          WHERE target = $1 AND kind = 'backup' AND status = 'succeeded' AND removed_at IS NULL",
        target,
        now
    )
    .execute(&mut *db)
    .await?
    .rows_affected();
    macro_rules! delete {
        ($text:literal) => {
            sqlx::query!($text, target).execute(&mut *db).await?.rows_affected()
        };
    }
    let copies = delete!("DELETE FROM backup_copy WHERE target = $1");
    let admin = delete!("DELETE FROM admin_backup WHERE target = $1");
    delete!("DELETE FROM upload WHERE target = $1");
    Ok(RetiredTarget { moved, gone, copies, admin })
}
