//! Table `template_version`: the data directories of templates.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::admin_db::storable_text;
use crate::manifest::dump::LoadReport;

/// A version of a template.
#[derive(Debug, Clone)]
pub struct TemplateVersion {
    /// Id, which is also the name of the directory.
    pub id: Uuid,
    /// The template.
    pub template_id: Uuid,
    /// Number within the template, from 1.
    pub number: i32,
    /// The job that imports it.
    pub job_id: Option<Uuid>,
    /// Image that the data was written with.
    pub image: String,
    /// Digest of that image.
    pub digest: String,
    /// Storage tier.
    pub storage: String,
    /// The user's database in it.
    pub dbname: String,
    /// The user's role in it.
    pub dbuser: String,
    /// The file it was imported from, or a description of its source.
    pub source: String,
    /// The snapshot that it is copied from.
    pub snapshot_id: Option<Uuid>,
    /// Size of that file in bytes.
    pub source_bytes: i64,
    /// When that file was modified.
    pub source_mtime: Option<DateTime<Utc>>,
    /// SHA-256 of that file in hexadecimal.
    pub source_sha256: String,
    /// SHA-256 of the script that was run before it was complete; empty without one.
    pub hook_sha256: String,
    /// When it was requested.
    pub requested_at: DateTime<Utc>,
    /// When the import began.
    pub begun_at: Option<DateTime<Utc>>,
    /// When it was complete.
    pub made_at: Option<DateTime<Utc>>,
    /// When the import failed.
    pub failed_at: Option<DateTime<Utc>>,
    /// Why the import failed.
    pub error: Option<String>,
    /// Size of the data in bytes.
    pub bytes: Option<i64>,
    /// What was imported.
    pub report: Option<Json<LoadReport>>,
    /// Encrypted password of the administrator in the data.
    pub sealed: Option<Vec<u8>>,
    /// When its directory was removed.
    pub removed_at: Option<DateTime<Utc>>,
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionStatus {
    /// It is being imported, or waits for that.
    Importing,
    /// Databases can be copied from it.
    Complete,
    /// Its import failed.
    Failed,
    /// It was complete, and its data has been removed.
    Removed,
}

impl VersionStatus {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Importing => "importing",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Removed => "removed",
        }
    }
}

impl TemplateVersion {
    /// How far it is.
    pub fn status(&self) -> VersionStatus {
        match (self.made_at, self.failed_at, self.removed_at) {
            (_, Some(_), _) => VersionStatus::Failed,
            (Some(_), _, None) => VersionStatus::Complete,
            (Some(_), _, Some(_)) => VersionStatus::Removed,
            (None, None, _) => VersionStatus::Importing,
        }
    }

    /// The encryption context of its administrator's password.
    pub fn context(id: Uuid) -> String {
        format!("template/{id}")
    }

    /// Whether databases can be copied from it.
    pub fn is_usable(&self) -> bool {
        self.made_at.is_some() && self.removed_at.is_none()
    }
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            TemplateVersion,
            r#"SELECT v.id, v.template_id, v.number, v.job_id, v.image, v.digest, v.storage, v.dbname, v.dbuser, v.source
                    , v.snapshot_id, v.source_bytes, v.source_mtime, v.source_sha256, v.hook_sha256, v.requested_at, v.begun_at, v.made_at
                    , v.failed_at, (SELECT j.error FROM job j WHERE j.id = v.job_id) AS "error?", v.bytes
                    , v.report AS "report: _", v.sealed, v.removed_at
                 FROM template_version v WHERE "#
                + $rest
            $(, $arg)*
        )
    };
}

/// The version with this id.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<TemplateVersion>, sqlx::Error> {
    select!("v.id = $1", id).fetch_optional(db).await
}

/// The version that a job imports.
pub async fn of_job(db: &mut PgConnection, job: Uuid) -> Result<Option<TemplateVersion>, sqlx::Error> {
    select!("v.job_id = $1", job).fetch_optional(db).await
}

/// The latest versions of a template, the newest first.
pub async fn latest(db: &mut PgConnection, template: Uuid, limit: i64) -> Result<Vec<TemplateVersion>, sqlx::Error> {
    select!("v.template_id = $1 ORDER BY v.number DESC LIMIT $2", template, limit).fetch_all(db).await
}

/// The latest versions of every existing template, and its current one if that is older; the newest first.
pub(super) async fn latest_of_all(db: &mut PgConnection, limit: i64) -> Result<Vec<TemplateVersion>, sqlx::Error> {
    select!(
        "v.id IN (SELECT n.id
                    FROM (SELECT o.id, t.current_version
                               , row_number() OVER (PARTITION BY o.template_id ORDER BY o.number DESC) AS place
                            FROM template_version o JOIN template t ON t.id = o.template_id
                           WHERE t.deleted_at IS NULL) n
                   WHERE n.place <= $1 OR n.id = n.current_version)
          ORDER BY v.template_id, v.number DESC",
        limit
    )
    .fetch_all(db)
    .await
}

/// All versions whose directories may exist.
pub async fn existing(db: &mut PgConnection) -> Result<Vec<TemplateVersion>, sqlx::Error> {
    select!("v.removed_at IS NULL ORDER BY v.template_id, v.number").fetch_all(db).await
}

/// A version to import.
#[derive(Debug)]
pub struct NewVersion<'a> {
    /// Id of the directory.
    pub id: Uuid,
    /// The template.
    pub template: Uuid,
    /// The job.
    pub job: Uuid,
    /// Image.
    pub image: &'a str,
    /// Storage tier.
    pub storage: &'a str,
    /// The user's database.
    pub dbname: &'a str,
    /// The user's role.
    pub dbuser: &'a str,
    /// The file to import, or a description of the source.
    pub source: &'a str,
    /// The snapshot to copy.
    pub snapshot: Option<Uuid>,
    /// The encrypted password of the administrator.
    pub sealed: &'a [u8],
}

/// Inserts a version with the next number. An import of the template may be in progress (index
/// `template_version_import_key`).
pub async fn insert(db: &mut PgConnection, new: &NewVersion<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO template_version (id, template_id, number, job_id, image, storage, dbname, dbuser, source, sealed, requested_at,
                                       snapshot_id)
         SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11
           FROM template_version WHERE template_id = $2",
        new.id,
        new.template,
        new.job,
        new.image,
        new.storage,
        new.dbname,
        new.dbuser,
        new.source,
        new.sealed,
        now,
        new.snapshot
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// What was found in the directory of dumps when an import began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts {
    /// Size of the file in bytes.
    pub bytes: i64,
    /// When the file was modified.
    pub mtime: DateTime<Utc>,
    /// SHA-256 of the file.
    pub sha256: String,
    /// SHA-256 of the script that is run before the version is complete; empty without one.
    pub hook_sha256: String,
}

/// Records what is imported.
pub async fn set_source(
    db: &mut PgConnection,
    id: Uuid,
    facts: &SourceFacts,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE template_version SET source_bytes = $2, source_mtime = $3, source_sha256 = $4, hook_sha256 = $5, begun_at = $6
          WHERE id = $1",
        id,
        facts.bytes,
        facts.mtime,
        &facts.sha256,
        &facts.hook_sha256,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Duration in seconds of the import of the newest complete version before the one that a job imports.
pub async fn last_seconds(db: &mut PgConnection, job: Uuid) -> Result<Option<f64>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT extract(epoch FROM coalesce(j.finished_at - j.started_at, p.made_at - p.begun_at))::float8
           FROM template_version v
           JOIN template_version p ON p.template_id = v.template_id AND p.number < v.number AND p.made_at IS NOT NULL
           LEFT JOIN job j ON j.id = p.job_id AND j.status = 'succeeded'
          WHERE v.job_id = $1 ORDER BY p.number DESC LIMIT 1",
        job
    )
    .fetch_optional(db)
    .await?;
    Ok(found.flatten())
}

/// Records the digest of the image.
pub async fn set_digest(db: &mut PgConnection, id: Uuid, digest: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE template_version SET digest = $2 WHERE id = $1", id, digest).execute(db).await.map(|_| ())
}

/// Records what was imported, and the password of the administrator in the data.
pub async fn set_report(
    db: &mut PgConnection,
    id: Uuid,
    report: &LoadReport,
    sealed: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE template_version SET report = $2, sealed = $3 WHERE id = $1",
        id,
        storable_text::json(report)? as _,
        sealed
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that a version is complete.
pub async fn set_made(db: &mut PgConnection, id: Uuid, bytes: i64, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE template_version SET made_at = $3, bytes = $2 WHERE id = $1 AND failed_at IS NULL",
        id,
        bytes,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that a version was not completed, and that nothing of it is left.
pub async fn set_failed(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE template_version SET failed_at = $2, removed_at = $2 WHERE id = $1 AND made_at IS NULL AND failed_at IS NULL",
        id,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Keeps a version from being removed until the transaction ends. `false`: databases cannot be copied from it any more.
pub async fn hold(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let held = sqlx::query!(
        "SELECT id FROM template_version WHERE id = $1 AND made_at IS NOT NULL AND removed_at IS NULL FOR SHARE",
        id
    );
    Ok(held.fetch_optional(db).await?.is_some())
}

/// Complete versions that are not needed: neither the current one of a template nor one of the `keep` before it, and no
/// database is being copied from it.
pub async fn unneeded(db: &mut PgConnection, keep: i64) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT v.id AS "id!"
             FROM (SELECT o.id, o.removed_at, t.deleted_at, t.current_version
                        , row_number() OVER (PARTITION BY o.template_id ORDER BY o.number DESC) - 1 AS older
                     FROM template_version o JOIN template t ON t.id = o.template_id WHERE o.made_at IS NOT NULL) v
            WHERE v.removed_at IS NULL AND (v.deleted_at IS NOT NULL OR v.older > $1)
              AND v.id IS DISTINCT FROM v.current_version
              AND NOT EXISTS (SELECT FROM container c JOIN job j ON j.container_id = c.id
                               WHERE c.template_version = v.id AND j.status IN ('queued', 'running'))"#,
        keep
    )
    .fetch_all(db)
    .await
}

/// Locks a version for its removal. `false`: it is the current one of a template, or was removed.
pub async fn lock_for_removal(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    // Locked in a separate statement: the next one then sees a database created by whoever held the lock before.
    let locked = sqlx::query!("SELECT id FROM template_version WHERE id = $1 AND removed_at IS NULL FOR UPDATE", id);
    if locked.fetch_optional(&mut *db).await?.is_none() {
        return Ok(false);
    }
    sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM template WHERE current_version = $1)
              AND NOT EXISTS (SELECT FROM container c JOIN job j ON j.container_id = c.id
                               WHERE c.template_version = $1 AND j.status IN ('queued', 'running')) AS "free!""#,
        id
    )
    .fetch_one(db)
    .await
}

/// Records that the directory of a version was removed.
pub async fn set_removed(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE template_version SET removed_at = $2 WHERE id = $1", id, now).execute(db).await.map(|_| ())
}
