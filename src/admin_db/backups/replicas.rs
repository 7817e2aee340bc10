//! Table `backup_copy`: copies of backups in other targets, under the same keys.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::retention;
use crate::admin_db::one_row;

/// A copy of a backup in another target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The backup.
    pub backup_id: Uuid,
    /// Target of the copy.
    pub target: String,
    /// `waiting`, `running`, `stored` or `failed`.
    pub status: String,
    /// When it was complete.
    pub stored_at: Option<DateTime<Utc>>,
    /// Number of attempts.
    pub tries: i32,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// When it was removed.
    pub removed_at: Option<DateTime<Utc>>,
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)+) => {
        sqlx::query_as!(
            Replica,
            "SELECT backup_id, target, status, stored_at, tries, error, removed_at FROM backup_copy " + $rest
            $(, $arg)+
        )
    };
}

/// Requests missing copies of this portal's complete backups in these targets.
pub async fn ask(
    db: &mut PgConnection,
    instance: &str,
    targets: &[String],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO backup_copy (backup_id, target, asked_at, next_at)
         SELECT b.id, t.name, $3, $3
           FROM backup_log b CROSS JOIN unnest($2::text[]) t (name)
          WHERE b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL
            AND starts_with(b.location, $1 || '/') AND b.target <> t.name
            AND NOT EXISTS (SELECT FROM backup_copy k WHERE k.backup_id = b.id AND k.target = t.name)
         ON CONFLICT DO NOTHING",
        instance,
        targets,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// The next copy to make, of the newest backup that lacks one; none in the targets `away`.
pub async fn due(
    db: &mut PgConnection,
    targets: &[String],
    away: &[String],
    now: DateTime<Utc>,
) -> Result<Option<Replica>, sqlx::Error> {
    select!(
        "k WHERE k.status <> 'stored' AND k.removed_at IS NULL AND k.next_at <= $3 AND k.target = ANY($1) AND k.target <> ALL($2)
            AND EXISTS (SELECT FROM backup_log b WHERE b.id = k.backup_id AND b.status = 'succeeded' AND b.removing_at IS NULL)
          -- Keys grow with time.
          ORDER BY k.backup_id DESC, k.target LIMIT 1",
        targets,
        away,
        now
    )
    .fetch_optional(db)
    .await
}

/// Records that a job is making the copy, so that the backup is not removed meanwhile. `false`: the backup is no longer
/// available. Must be called in a transaction.
pub async fn begin(db: &mut PgConnection, copy: &Replica, job: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    if !retention::hold(db, copy.backup_id).await? {
        return Ok(false);
    }
    let done = sqlx::query!(
        "UPDATE backup_copy SET status = 'running', job_id = $3, begun_at = $4, tries = tries + 1, error = NULL
          WHERE backup_id = $1 AND target = $2 AND status <> 'stored' AND removed_at IS NULL",
        copy.backup_id,
        &copy.target,
        job,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Records that the copy is complete, with the SHA-256 of its restore script if that was written now.
pub async fn stored(
    db: &mut PgConnection,
    copy: &Replica,
    script: Option<&[u8; 32]>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE backup_copy SET status = 'stored', stored_at = $3, script_sha256 = $4 WHERE backup_id = $1 AND target = $2",
        copy.backup_id,
        &copy.target,
        now,
        script.map(<[u8; 32]>::as_slice)
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Records why the copy failed, and when to retry.
pub async fn failed(
    db: &mut PgConnection,
    copy: &Replica,
    error: &str,
    next_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE backup_copy SET status = 'failed', error = $3, next_at = $4 WHERE backup_id = $1 AND target = $2",
        copy.backup_id,
        &copy.target,
        error,
        next_at
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// The copies of these backups that are not removed, by backup and target.
pub async fn of(db: &mut PgConnection, backups: &[Uuid]) -> Result<Vec<Replica>, sqlx::Error> {
    select!("WHERE backup_id = ANY($1) AND removed_at IS NULL ORDER BY backup_id, target", backups).fetch_all(db).await
}

/// Records that the copy has been removed.
pub async fn set_removed(db: &mut PgConnection, copy: &Replica, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE backup_copy SET removed_at = $3 WHERE backup_id = $1 AND target = $2 AND removed_at IS NULL",
        copy.backup_id,
        &copy.target,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Backups of one database that have no copy in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingReplicas {
    /// Name of the database.
    pub container: String,
    /// The target.
    pub target: String,
    /// Number of backups without a copy.
    pub backups: i64,
    /// Why the copy of the newest of them failed, if it was attempted.
    pub error: Option<String>,
}

/// Complete backups of this portal without a copy, if the last attempt failed or they are from before `since`.
pub async fn lacking(
    db: &mut PgConnection,
    instance: &str,
    targets: &[String],
    since: DateTime<Utc>,
) -> Result<Vec<MissingReplicas>, sqlx::Error> {
    sqlx::query_as!(
        MissingReplicas,
        r#"SELECT c.name AS "container!", t.name AS "target!", count(*) AS "backups!"
              , (array_agg(k.error ORDER BY b.started_at DESC) FILTER (WHERE k.error IS NOT NULL))[1] AS "error?"
           FROM backup_log b
           JOIN container c ON c.id = b.container_id
           CROSS JOIN unnest($2::text[]) t (name)
           LEFT JOIN backup_copy k ON k.backup_id = b.id AND k.target = t.name
          WHERE b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL
            AND starts_with(b.location, $1 || '/') AND b.target <> t.name
            AND k.status IS DISTINCT FROM 'stored' AND (k.error IS NOT NULL OR b.finished_at < $3)
          GROUP BY c.id, c.name, t.name
          ORDER BY c.name, t.name"#,
        instance,
        targets,
        since
    )
    .fetch_all(db)
    .await
}
