//! What mydb_admin says of a target that was retired: its rows name it no more, so that nothing waits for it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What became of the rows that named it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RetiredTarget {
    /// Backups that go on where their copy lies.
    pub moved: u64,
    /// Backups that lay only there: they are marked as gone.
    pub gone: u64,
    /// Copies that are forgotten.
    pub copies: u64,
    /// Backups of mydb_admin that are forgotten.
    pub admin: u64,
}

impl RetiredTarget {
    /// Whether nothing named it.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// Takes a target out of all rows. In a transaction. `configured` are the targets that remain.
pub async fn retire(
    db: &mut PgConnection,
    target: &str,
    configured: &[String],
    now: DateTime<Utc>,
) -> Result<RetiredTarget, sqlx::Error> {
    let moved = sqlx::query!(
        "UPDATE backup_log b SET target = k.target
           FROM (SELECT DISTINCT ON (backup_id) backup_id, target FROM backup_copy
                  WHERE status = 'stored' AND removed_at IS NULL AND target = ANY($2)
                  ORDER BY backup_id, stored_at) k
          WHERE k.backup_id = b.id AND b.target = $1 AND b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL",
        target,
        configured
    )
    .execute(&mut *db)
    .await?
    .rows_affected();
    // What was a copy is the backup now.
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
