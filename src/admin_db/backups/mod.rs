//! Table `backup_log`: one row a backup or drill.

pub mod audit_facts;
pub mod audits;
pub mod findings;
pub mod listing;
pub mod newest;
pub mod open_uploads;
pub mod own;
pub mod replicas;
pub mod retention;
pub mod retire;
pub mod schedule;
pub mod tombstones;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::domain::engine::EngineKind;
use crate::encryption::Identities;
use crate::manifest::Manifest;

/// Where a backup or drill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "backup_status", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum BackupStatus {
    /// Under way.
    Running,
    /// Whole, and in the target.
    Succeeded,
    /// It failed; nothing of it is left.
    Failed,
    /// Somebody ended it; nothing of it is left.
    Cancelled,
}

impl BackupStatus {
    /// The status' word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A backup or drill.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Key.
    pub id: Uuid,
    /// Container it is of.
    pub container_id: Uuid,
    /// That container's name.
    pub container: String,
    /// Whether that container is purged.
    pub container_gone: bool,
    /// Owner of that container.
    pub account_id: Uuid,
    /// Its engine.
    pub engine: EngineKind,
    /// `backup` or `drill`.
    pub kind: String,
    /// Why it was made.
    pub reason: String,
    /// Status.
    pub status: BackupStatus,
    /// Its job.
    pub job_id: Option<Uuid>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Target it is in.
    pub target: Option<String>,
    /// Beginning of its keys.
    pub location: Option<String>,
    /// Bytes stored.
    pub bytes: Option<i64>,
    /// Bytes before compression.
    pub raw_bytes: Option<i64>,
    /// SHA-256 of its manifest.
    pub sha256: Option<Vec<u8>>,
    /// Level proven.
    pub level: Option<i16>,
    /// Whether it has sums over the content, so that a drill can reach level 5.
    pub fingerprints: bool,
    /// How long a restore took, in milliseconds.
    pub restore_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// The backup that a drill is of.
    pub drill_of: Option<Uuid>,
    /// Whose keys open it; absent: it is not encrypted.
    pub recipients: Option<Json<Vec<String>>>,
    /// When the removal of its objects began: since then it is no backup any more.
    pub removing_at: Option<DateTime<Utc>>,
    /// When its objects were removed.
    pub removed_at: Option<DateTime<Utc>>,
    /// When its target was retired, so that it is removed for this portal.
    pub retired_at: Option<DateTime<Utc>>,
    /// Not removed before this.
    pub locked_until: Option<DateTime<Utc>>,
    /// Last good drill of it: when it ended, and how long its restore took.
    pub proven_at: Option<DateTime<Utc>>,
    /// Milliseconds of that restore.
    pub proven_ms: Option<i64>,
    /// How its last drill went.
    pub drill_status: Option<BackupStatus>,
    /// When that ended.
    pub drill_at: Option<DateTime<Utc>>,
    /// Why that failed, if it did.
    pub drill_error: Option<String>,
    /// How what that restored differs from the backup.
    pub differences: Option<Json<Vec<String>>>,
    /// How many definitions its manifest has; absent where those were not recorded.
    pub definitions: Option<i32>,
}

impl Backup {
    /// Whether it is whole and lies in its target.
    pub fn is_good(&self) -> bool {
        self.kind == "backup" && self.status == BackupStatus::Succeeded && self.removing_at.is_none()
    }

    /// Whether its objects can be read with `keys`.
    pub fn opens(&self, keys: &Identities) -> bool {
        self.recipients.as_ref().is_none_or(|r| keys.open(r))
    }
}

/// Reads rows as [`Backup`]: one text, so that every query reads the same.
macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            $crate::admin_db::backups::Backup,
            r#"SELECT b.id AS "id!", b.container_id AS "container_id!", c.name AS "container!"
                    , c.purged_at IS NOT NULL AS "container_gone!", c.account_id AS "account_id!", c.engine AS "engine!: _"
                    , b.kind AS "kind!", b.reason AS "reason!", b.status AS "status!: _", b.job_id AS "job_id?"
                    , b.started_at AS "started_at!", b.finished_at AS "finished_at?", b.target AS "target?"
                    , b.location AS "location?", b.bytes AS "bytes?", b.raw_bytes AS "raw_bytes?", b.sha256 AS "sha256?"
                    , b.level AS "level?", b.fingerprints AS "fingerprints!", b.restore_ms AS "restore_ms?", b.error AS "error?"
                    , b.drill_of AS "drill_of?", b.recipients AS "recipients?: _", b.removing_at AS "removing_at?"
                    , b.removed_at AS "removed_at?", b.retired_at AS "retired_at?", b.locked_until AS "locked_until?"
                    , g.finished_at AS "proven_at?", g.restore_ms AS "proven_ms?", l.status AS "drill_status?: _"
                    , l.finished_at AS "drill_at?", CASE WHEN l.status = 'failed' THEN l.error END AS "drill_error?"
                    , CASE WHEN l.status = 'failed' THEN l.differences END AS "differences?: _", b.definitions AS "definitions?"
               FROM backup_log b
               JOIN container c ON c.id = b.container_id
               LEFT JOIN LATERAL (SELECT d.finished_at, d.restore_ms FROM backup_log d
                                   WHERE d.drill_of = b.id AND d.status = 'succeeded'
                                   ORDER BY d.started_at DESC LIMIT 1) g ON true
               LEFT JOIN LATERAL (SELECT d.status, d.finished_at, d.error, d.differences FROM backup_log d
                                   WHERE d.drill_of = b.id AND d.status <> 'running'
                                   ORDER BY d.started_at DESC LIMIT 1) l ON true "#
                + $rest
            $(, $arg)*
        )
    };
}

pub(super) use select;

/// A row to be written when a job is enqueued.
#[derive(Debug)]
pub struct NewBackup<'a> {
    /// Key.
    pub id: Uuid,
    /// Container.
    pub container: Uuid,
    /// Why.
    pub reason: &'a str,
    /// Target.
    pub target: &'a str,
    /// The backup to drill; `None` for a backup.
    pub drill_of: Option<Uuid>,
}

/// Writes the row of a backup or drill that begins. A second backup of a container at the same time is refused (index
/// `backup_log_running_key`).
pub async fn insert(db: &mut PgConnection, new: &NewBackup<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO backup_log (id, container_id, kind, reason, status, started_at, target, drill_of)
         VALUES ($1, $2, CASE WHEN $5::uuid IS NULL THEN 'backup' ELSE 'drill' END, $3, 'running', $6, $4, $5)",
        new.id,
        new.container,
        new.reason,
        new.target,
        new.drill_of,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Notes the job of a row.
pub async fn set_job(db: &mut PgConnection, id: Uuid, job: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE backup_log SET job_id = $2 WHERE id = $1", id, job).execute(db).await?;
    one_row(&done)
}

/// Keeps the manifest as far as it is known, while the backup is under way.
pub async fn set_draft(db: &mut PgConnection, id: Uuid, manifest: &Manifest, level: i16) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE backup_log SET manifest = $2, level = $3 WHERE id = $1 AND status = 'running'",
        id,
        Json(manifest) as _,
        level
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The manifest of a row.
pub async fn manifest(db: &mut PgConnection, id: Uuid) -> Result<Option<Manifest>, sqlx::Error> {
    let found: Option<Option<Json<Manifest>>> =
        sqlx::query_scalar!(r#"SELECT manifest AS "manifest: Json<Manifest>" FROM backup_log WHERE id = $1"#, id)
            .fetch_optional(db)
            .await?;
    Ok(found.flatten().map(|m| m.0))
}

/// What a backup has become.
#[derive(Debug)]
pub struct BackupOutcome<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// SHA-256 of the manifest as stored.
    pub sha256: [u8; 32],
    /// Beginning of its keys.
    pub location: &'a str,
    /// Level proven.
    pub level: i16,
}

/// Marks a backup good. `false`: it is no longer under way.
pub async fn succeed(
    db: &mut PgConnection,
    id: Uuid,
    done: &BackupOutcome<'_>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let raw: u64 = done.manifest.objects.iter().map(|o| o.dumped.bytes).sum();
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let changed = sqlx::query!(
        "UPDATE backup_log SET status = 'succeeded', finished_at = $2, manifest = $3, sha256 = $4, location = $5, level = $6
              , bytes = $7, raw_bytes = $8, fingerprints = $9, definitions = nullif($10, 0)
          WHERE id = $1 AND status = 'running'",
        id,
        now,
        Json(done.manifest) as _,
        done.sha256.as_slice(),
        done.location,
        done.level,
        signed(done.manifest.bytes()),
        signed(raw),
        done.manifest.fingerprints,
        i32::try_from(done.manifest.definitions.len()).unwrap_or(i32::MAX)
    )
    .execute(db)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Marks a drill good, and raises the level of its backup.
pub async fn drilled(
    db: &mut PgConnection,
    id: Uuid,
    level: i16,
    restore_ms: i64,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE backup_log SET status = 'succeeded', finished_at = $2, level = $3, restore_ms = $4 WHERE id = $1 AND status = 'running'",
        id,
        now,
        level,
        restore_ms
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE backup_log b SET level = greatest(b.level, $2), restore_ms = $3 FROM backup_log d WHERE d.id = $1 AND b.id = d.drill_of",
        id,
        level,
        restore_ms
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Notes how what was restored differs from the backup, while a drill is under way.
pub async fn set_differences(db: &mut PgConnection, id: Uuid, differences: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE backup_log SET differences = $2 WHERE id = $1 AND status = 'running'",
        id,
        Json(differences) as _
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Ends a row that did not succeed.
pub async fn end(
    db: &mut PgConnection,
    job: Uuid,
    status: BackupStatus,
    error: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE backup_log SET status = $2, finished_at = $4, error = CASE WHEN $2::backup_status = 'failed' THEN $3 END, manifest = NULL, level = NULL
          WHERE job_id = $1 AND status = 'running'",
        job,
        status as _,
        error,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The row with this key.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Backup>, sqlx::Error> {
    select!("WHERE b.id = $1", id).fetch_optional(db).await
}

/// The row of a job.
pub async fn of_job(db: &mut PgConnection, job: Uuid) -> Result<Option<Backup>, sqlx::Error> {
    select!("WHERE b.job_id = $1", job).fetch_optional(db).await
}

/// Backups (not drills) of a container, or of all that an account owns or everybody's, the newest first.
pub async fn list(
    db: &mut PgConnection,
    container: Option<&str>,
    owner: Option<Uuid>,
    before: Option<(DateTime<Utc>, Uuid)>,
    most: i64,
) -> Result<Vec<Backup>, sqlx::Error> {
    let (at, id) = before.unzip();
    select!(
        "WHERE b.kind = 'backup'
           AND ($1::text IS NULL OR c.name = $1)
           AND ($2::uuid IS NULL OR c.account_id = $2)
           AND ($3::timestamptz IS NULL OR (b.started_at, b.id) < ($3, $4))
         ORDER BY b.started_at DESC, b.id DESC
         LIMIT $5",
        container,
        owner,
        at,
        id,
        most
    )
    .fetch_all(db)
    .await
}

/// Backups of one container by its key, the newest first.
pub async fn of_container(db: &mut PgConnection, container: Uuid, most: i64) -> Result<Vec<Backup>, sqlx::Error> {
    select!(
        "WHERE b.kind = 'backup' AND b.container_id = $1 ORDER BY b.started_at DESC, b.id DESC LIMIT $2",
        container,
        most
    )
    .fetch_all(db)
    .await
}
