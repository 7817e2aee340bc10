//! Table `backup_log`: one row for each backup or drill.

pub mod admin_backups;
pub mod assurance;
pub mod audit_facts;
pub mod audits;
pub mod findings;
pub mod listing;
pub mod newest;
pub mod open_uploads;
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

/// Status of a backup or drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "backup_status", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum BackupStatus {
    /// In progress.
    Running,
    /// Complete and stored in the target.
    Succeeded,
    /// It failed, and nothing of it is kept.
    Failed,
    /// It was cancelled, and nothing of it is kept.
    Cancelled,
}

impl BackupStatus {
    /// The word of the status.
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
    /// Id of the backup or drill.
    pub id: Uuid,
    /// The container it belongs to.
    pub container_id: Uuid,
    /// Name of that container.
    pub container: String,
    /// Whether that container is deleted permanently.
    pub container_gone: bool,
    /// Owner of that container.
    pub account_id: Uuid,
    /// Engine of that container.
    pub engine: EngineKind,
    /// `backup` or `drill`.
    pub kind: String,
    /// Why it was made.
    pub reason: String,
    /// Status.
    pub status: BackupStatus,
    /// The job that makes it.
    pub job_id: Option<Uuid>,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Target that contains it.
    pub target: Option<String>,
    /// Prefix of its keys.
    pub location: Option<String>,
    /// Stored size in bytes.
    pub bytes: Option<i64>,
    /// Size before compression in bytes.
    pub raw_bytes: Option<i64>,
    /// SHA-256 of its manifest.
    pub sha256: Option<Vec<u8>>,
    /// Verification level reached.
    pub level: Option<i16>,
    /// Whether it has fingerprints of the content, so that a drill can reach level 5.
    pub fingerprints: bool,
    /// Duration of a restore in milliseconds.
    pub restore_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// The backup that a drill tests.
    pub drill_of: Option<Uuid>,
    /// The recipients whose keys decrypt it; absent if it is not encrypted.
    pub recipients: Option<Json<Vec<String>>>,
    /// When the removal of its objects started. Since then it does not count as a backup.
    pub removing_at: Option<DateTime<Utc>>,
    /// When its objects were removed.
    pub removed_at: Option<DateTime<Utc>>,
    /// When its target was retired. For this portal, the backup is removed since then.
    pub retired_at: Option<DateTime<Utc>>,
    /// Not to be removed before this time.
    pub locked_until: Option<DateTime<Utc>>,
    /// When its last successful drill ended.
    pub proven_at: Option<DateTime<Utc>>,
    /// Duration of the restore in that drill, in milliseconds.
    pub proven_ms: Option<i64>,
    /// Status of its last drill.
    pub drill_status: Option<BackupStatus>,
    /// When that drill ended.
    pub drill_at: Option<DateTime<Utc>>,
    /// Why that drill failed, if it did.
    pub drill_error: Option<String>,
    /// Differences between the backup and the data restored by that drill.
    pub differences: Option<Json<Vec<String>>>,
    /// Number of definitions in its manifest; absent if they were not recorded.
    pub definitions: Option<i32>,
}

impl Backup {
    /// Whether it is complete and stored in its target.
    pub fn is_good(&self) -> bool {
        self.kind == "backup" && self.status == BackupStatus::Succeeded && self.removing_at.is_none()
    }

    /// Whether its objects can be decrypted with `keys`.
    pub fn opens(&self, keys: &Identities) -> bool {
        self.recipients.as_ref().is_none_or(|r| keys.open(r))
    }
}

/// Reads rows as [`Backup`], with the same columns in every query.
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

/// A row to insert when a job is enqueued.
#[derive(Debug)]
pub struct NewBackup<'a> {
    /// Id of the backup or drill.
    pub id: Uuid,
    /// Container.
    pub container: Uuid,
    /// Reason for the backup.
    pub reason: &'a str,
    /// Target.
    pub target: &'a str,
    /// The backup to test; `None` for a backup.
    pub drill_of: Option<Uuid>,
}

/// Inserts the row of a backup or drill that starts. A second backup of the same container at the same time is rejected
/// (index `backup_log_running_key`).
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

/// Records the job of a row.
pub async fn set_job(db: &mut PgConnection, id: Uuid, job: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE backup_log SET job_id = $2 WHERE id = $1", id, job).execute(db).await?;
    one_row(&done)
}

/// Stores the incomplete manifest while the backup is running.
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

/// The result of a backup.
#[derive(Debug)]
pub struct BackupOutcome<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// SHA-256 of the stored manifest.
    pub sha256: [u8; 32],
    /// SHA-256 of the stored script for a restore by hand.
    pub script_sha256: [u8; 32],
    /// Prefix of its keys.
    pub location: &'a str,
    /// Verification level reached.
    pub level: i16,
}

/// Marks a backup as succeeded. `false`: it is no longer running.
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
              , bytes = $7, raw_bytes = $8, fingerprints = $9, definitions = nullif($10, 0), script_sha256 = $11
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
        i32::try_from(done.manifest.definitions.len()).unwrap_or(i32::MAX),
        done.script_sha256.as_slice()
    )
    .execute(db)
    .await?;
    Ok(changed.rows_affected() == 1)
}

/// Marks a drill as succeeded and raises the level of its backup.
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

/// Records differences between the backup and the restored data, while a drill is running.
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

/// The row with this id.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Backup>, sqlx::Error> {
    select!("WHERE b.id = $1", id).fetch_optional(db).await
}

/// The row of a job.
pub async fn of_job(db: &mut PgConnection, job: Uuid) -> Result<Option<Backup>, sqlx::Error> {
    select!("WHERE b.job_id = $1", job).fetch_optional(db).await
}

/// Backups (not drills) of a container, or of all containers of one or all accounts, the newest first.
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

/// Backups of the container with this id, the newest first.
pub async fn of_container(db: &mut PgConnection, container: Uuid, most: i64) -> Result<Vec<Backup>, sqlx::Error> {
    select!(
        "WHERE b.kind = 'backup' AND b.container_id = $1 ORDER BY b.started_at DESC, b.id DESC LIMIT $2",
        container,
        most
    )
    .fetch_all(db)
    .await
}
