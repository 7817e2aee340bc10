//! Tables `backup_log` and `container`, for backups that are taken in from a bucket.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::backup::manifest::Manifest;

/// Those of the keys that are in the list, whatever became of them.
///
/// # Errors
/// The database's.
pub async fn known(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT id FROM backup_log WHERE id = ANY($1)").bind(ids).fetch_all(db).await
}

/// Writes a database that is gone, as its backup's manifest has it. One that is known stays as it is.
///
/// # Errors
/// The database's.
pub async fn container(
    db: &mut PgConnection,
    manifest: &Manifest,
    owner: Uuid,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let c = &manifest.container;
    sqlx::query(
        "INSERT INTO container (id, name, engine, image, image_digest, server_version, dbname, dbuser, account_id, contact,
                                department, description, storage, memory_bytes, millicpus, extensions, backup_freq,
                                docker_name, created_by, created_at, purged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, '', $18, $19, $20)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(c.id)
    .bind(&c.name)
    .bind(c.engine)
    .bind(&c.image)
    .bind(&c.digest)
    .bind(&c.version)
    .bind(&c.dbname)
    .bind(&c.dbuser)
    .bind(owner)
    .bind(&c.contact)
    .bind(&c.department)
    .bind(&c.description)
    .bind(&c.storage)
    .bind(c.memory_bytes)
    .bind(c.millicpus)
    .bind(&c.extensions)
    .bind(&c.backup_freq)
    .bind(by)
    .bind(manifest.started_at)
    .bind(now)
    .execute(db)
    .await
    .map(|_| ())
}

/// A backup to be taken in.
#[derive(Debug)]
pub struct NewImport<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// SHA-256 of the manifest as it lies there.
    pub sha256: [u8; 32],
    /// Target it is in.
    pub target: &'a str,
    /// Beginning of its keys.
    pub location: &'a str,
    /// Not removed before this.
    pub locked_until: DateTime<Utc>,
}

/// Writes the row of a backup that was made elsewhere or forgotten. Its manifest is written only when level 2 is
/// reached, so that is what is known of it.
///
/// # Errors
/// The database's.
pub async fn backup(db: &mut PgConnection, new: &NewImport<'_>) -> Result<(), sqlx::Error> {
    let m = new.manifest;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let raw = m.objects.iter().map(|o| o.dumped.bytes).fold(0u64, u64::saturating_add);
    sqlx::query(
        "INSERT INTO backup_log (id, container_id, kind, reason, status, started_at, finished_at, target, location, bytes,
                                 raw_bytes, sha256, manifest, level, locked_until, fingerprints)
         VALUES ($1, $2, 'backup', 'import', 'succeeded', $3, $4, $5, $6, $7, $8, $9, $10, 2, $11, $12)",
    )
    .bind(m.backup)
    .bind(m.container.id)
    .bind(m.started_at)
    .bind(m.finished_at)
    .bind(new.target)
    .bind(new.location)
    .bind(signed(m.bytes()))
    .bind(signed(raw))
    .bind(new.sha256.as_slice())
    .bind(Json(m))
    .bind(new.locked_until)
    .bind(m.fingerprints)
    .execute(db)
    .await
    .map(|_| ())
}
