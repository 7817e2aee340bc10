//! Table `backup_copy`: copies of backups in other targets, at the same places there.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::retention;
use crate::admin_db::one_row;

/// A copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replica {
    /// The backup.
    pub backup_id: Uuid,
    /// Where the copy is.
    pub target: String,
    /// `waiting`, `running`, `stored` or `failed`.
    pub status: String,
    /// When it was whole.
    pub stored_at: Option<DateTime<Utc>>,
    /// How often it was tried.
    pub tries: i32,
    /// Why the last try failed.
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

/// Asks for the copies that the good backups of this portal lack in these targets.
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

/// A copy that is to be made now, of the newest backup that lacks one; none in the targets `away`.
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

/// Notes that a job makes it, so that the backup is not removed meanwhile. `false`: the backup is none any more. In a
/// transaction.
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

/// Notes that it is whole.
pub async fn stored(db: &mut PgConnection, copy: &Replica, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE backup_copy SET status = 'stored', stored_at = $3 WHERE backup_id = $1 AND target = $2",
        copy.backup_id,
        &copy.target,
        now
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Notes why it failed, and when it is tried again.
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

/// Notes that nothing of it is left.
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

/// Backups of one database that lack their copy in a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingReplicas {
    /// Name of the database.
    pub container: String,
    /// The target.
    pub target: String,
    /// How many.
    pub backups: i64,
    /// Why the newest of them has none, where a try failed.
    pub error: Option<String>,
}

/// Good backups of this portal that lack their copy though the last try failed, or they are from before `since`.
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
