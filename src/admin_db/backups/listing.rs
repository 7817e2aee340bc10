//! Pages of table `backup_log`, as fast with many rows as with few: a dedicated index finds the ids of a page, and only
//! those rows are read completely.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::{Backup, BackupStatus, select};

/// Filter for the list of all backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusFilter {
    /// Has this status and is not removed.
    Status(BackupStatus),
    /// Removed or being removed.
    Removed,
}

impl StatusFilter {
    /// All filters, in the order of the page.
    pub const ALL: [Self; 5] = [
        Self::Status(BackupStatus::Succeeded),
        Self::Status(BackupStatus::Running),
        Self::Status(BackupStatus::Failed),
        Self::Status(BackupStatus::Cancelled),
        Self::Removed,
    ];

    /// Its word in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status(BackupStatus::Succeeded) => "stored",
            Self::Status(status) => status.as_str(),
            Self::Removed => "removed",
        }
    }

    /// The filter with this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|w| w.as_str() == word)
    }
}

/// A query for a page of backups, the newest first.
#[derive(Debug, Clone, Default)]
pub struct BackupQuery<'a> {
    /// Only of databases of this name, existing or deleted.
    pub container: Option<&'a str>,
    /// Only those matching this filter.
    pub which: Option<StatusFilter>,
    /// Only older than this start and id.
    pub before: Option<(DateTime<Utc>, Uuid)>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// A page of backups.
pub async fn page(db: &mut PgConnection, f: &BackupQuery<'_>) -> Result<Vec<Backup>, sqlx::Error> {
    let (at, id) = f.before.unzip();
    let status = match f.which {
        Some(StatusFilter::Status(status)) => Some(status),
        _ => None,
    };
    let removed = f.which == Some(StatusFilter::Removed);
    macro_rules! keys {
        ($text:literal) => {
            sqlx::query_scalar!($text, f.container, status as _, at, id, f.limit, removed)
        };
    }
    // A separate statement for each case, so that each uses its own index.
    let query = match (f.container.is_some(), f.which) {
        (true, _) => keys!(
            "SELECT id FROM backup_log
              WHERE container_id IN (SELECT id FROM container WHERE name = $1) AND kind = 'backup'
                AND ($2::backup_status IS NULL OR (status = $2 AND removing_at IS NULL))
                AND (NOT $6 OR removing_at IS NOT NULL)
                AND ($3::timestamptz IS NULL OR (started_at, id) < ($3, $4::uuid))
              ORDER BY started_at DESC, id DESC LIMIT $5"
        ),
        (false, None) => keys!(
            "SELECT id FROM backup_log
              WHERE kind = 'backup' AND ($1::text IS NULL AND $2::backup_status IS NULL AND NOT $6)
                AND ($3::timestamptz IS NULL OR (started_at, id) < ($3, $4::uuid))
              ORDER BY started_at DESC, id DESC LIMIT $5"
        ),
        (false, Some(StatusFilter::Status(_))) => keys!(
            "SELECT id FROM backup_log
              WHERE kind = 'backup' AND removing_at IS NULL AND status = $2 AND ($1::text IS NULL AND NOT $6)
                AND ($3::timestamptz IS NULL OR (started_at, id) < ($3, $4::uuid))
              ORDER BY started_at DESC, id DESC LIMIT $5"
        ),
        (false, Some(StatusFilter::Removed)) => keys!(
            "SELECT id FROM backup_log
              WHERE kind = 'backup' AND removing_at IS NOT NULL
                AND ($1::text IS NULL AND $2::backup_status IS NULL AND $6)
                AND ($3::timestamptz IS NULL OR (started_at, id) < ($3, $4::uuid))
              ORDER BY started_at DESC, id DESC LIMIT $5"
        ),
    };
    let keys: Vec<Uuid> = query.fetch_all(&mut *db).await?;
    by_ids(db, &keys).await
}

/// The backups with these ids, the newest first.
pub async fn by_ids(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Backup>, sqlx::Error> {
    select!("WHERE b.id = ANY($1) ORDER BY b.started_at DESC, b.id DESC", ids).fetch_all(db).await
}

/// Complete backups of an account's permanently deleted databases, the newest first.
pub async fn left_behind(db: &mut PgConnection, account: Uuid, most: i64) -> Result<Vec<Backup>, sqlx::Error> {
    let keys: Vec<Uuid> = sqlx::query_scalar!(
        "SELECT b.id FROM container c JOIN backup_log b ON b.container_id = c.id
          WHERE c.account_id = $1 AND c.purged_at IS NOT NULL
            AND b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL
          ORDER BY b.started_at DESC, b.id DESC LIMIT $2",
        account,
        most
    )
    .fetch_all(&mut *db)
    .await?;
    by_ids(db, &keys).await
}

/// The number of an account's permanently deleted databases that have complete backups.
pub async fn databases_left_behind(db: &mut PgConnection, account: Uuid) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "databases!" FROM container c
          WHERE c.account_id = $1 AND c.purged_at IS NOT NULL
            AND EXISTS (SELECT FROM backup_log b WHERE b.container_id = c.id AND b.kind = 'backup'
                           AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL)"#,
        account
    )
    .fetch_one(db)
    .await
}

/// Ids of running backups and drills, which are also the names of their directories.
pub async fn under_way(db: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT b.id FROM backup_log b LEFT JOIN job j ON j.id = b.job_id
          WHERE b.status = 'running' OR j.status IN ('queued', 'running')"
    )
    .fetch_all(db)
    .await
}
