//! Imports backups from a bucket into the tables `backup_log` and `container`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::manifest::Manifest;

/// The error of jobs and backups that were running when mydb_admin was backed up, after its restore. Such a backup may
/// have been completed afterwards, so this error does not mean that it does not exist.
pub const RESTORED: &str = "The portal was restored from a backup.";

/// Those of the ids that are registered in any status, except those in retired targets.
pub async fn known(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id FROM backup_log WHERE id = ANY($1) AND error IS DISTINCT FROM $2 AND retired_at IS NULL",
        ids,
        RESTORED
    )
    .fetch_all(db)
    .await
}

/// Inserts a deleted database as described in its backup's manifest. An existing row is not changed.
pub async fn container(
    db: &mut PgConnection,
    manifest: &Manifest,
    owner: Uuid,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let c = &manifest.container;
    sqlx::query!(
        "INSERT INTO container (id, name, engine, image, image_digest, server_version, dbname, dbuser, account_id, contact,
                                department, description, storage, memory_bytes, millicpus, extensions, backup_freq,
                                docker_name, created_by, created_at, purged_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, '', $18, $19, $20)
         ON CONFLICT (id) DO NOTHING",
        c.id,
        &c.name,
        c.engine as _,
        &c.image,
        &c.digest,
        &c.version,
        &c.dbname,
        &c.dbuser,
        owner,
        &c.contact,
        &c.department,
        &c.description,
        &c.storage,
        c.memory_bytes,
        c.millicpus,
        &c.extensions,
        &c.backup_freq,
        by,
        manifest.started_at,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// A backup to import.
#[derive(Debug)]
pub struct NewImport<'a> {
    /// Its manifest.
    pub manifest: &'a Manifest,
    /// SHA-256 of the manifest as stored.
    pub sha256: [u8; 32],
    /// Target that contains it.
    pub target: &'a str,
    /// Prefix of its keys.
    pub location: &'a str,
    /// Not to be removed before this time.
    pub locked_until: DateTime<Utc>,
}

/// Inserts the row of a backup that was made elsewhere or is not registered. Its level is 2, because the manifest is
/// written only after that level has been reached. `false`: it is already registered.
pub async fn backup(db: &mut PgConnection, new: &NewImport<'_>) -> Result<bool, sqlx::Error> {
    let m = new.manifest;
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let raw = m.objects.iter().map(|o| o.dumped.bytes).fold(0u64, u64::saturating_add);
    let done = sqlx::query!(
        "INSERT INTO backup_log AS b (id, container_id, kind, reason, status, started_at, finished_at, target, location, bytes,
                                 raw_bytes, sha256, manifest, level, locked_until, fingerprints, definitions)
         VALUES ($1, $2, 'backup', 'import', 'succeeded', $3, $4, $5, $6, $7, $8, $9, $10, 2, $11, $13, nullif($14, 0))
         ON CONFLICT (id) DO UPDATE
            SET reason = excluded.reason, status = excluded.status, started_at = excluded.started_at
              , finished_at = excluded.finished_at, target = excluded.target, location = excluded.location
              , bytes = excluded.bytes, raw_bytes = excluded.raw_bytes, sha256 = excluded.sha256
              , manifest = excluded.manifest, level = excluded.level, locked_until = excluded.locked_until
              , fingerprints = excluded.fingerprints, definitions = excluded.definitions, error = NULL
              , removing_at = NULL, removed_at = NULL, retired_at = NULL, script_sha256 = NULL
          WHERE (b.status = 'failed' AND b.error = $12 OR b.retired_at IS NOT NULL)
            AND b.container_id = excluded.container_id",
        m.backup,
        m.container.id,
        m.started_at,
        m.finished_at,
        new.target,
        new.location,
        signed(m.bytes()),
        signed(raw),
        new.sha256.as_slice(),
        Json(m) as _,
        new.locked_until,
        RESTORED,
        m.fingerprints,
        i32::try_from(m.definitions.len()).unwrap_or(i32::MAX)
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A database known only from its backups, to be recreated from the newest one.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Id of the original database.
    pub id: Uuid,
    /// Its newest complete backup.
    pub backup: Uuid,
    /// When that backup started.
    pub made_at: DateTime<Utc>,
}

/// Databases that `by` imported from a bucket and that have not been recreated yet: sorted by name, the newest first.
pub async fn candidates(db: &mut PgConnection, by: &str) -> Result<Vec<Candidate>, sqlx::Error> {
    sqlx::query_as!(
        Candidate,
        "SELECT c.id, b.id AS backup, b.started_at AS made_at
           FROM container c
           JOIN LATERAL (SELECT id, started_at FROM backup_log WHERE container_id = c.id AND kind = 'backup'
                            AND status = 'succeeded' AND removing_at IS NULL ORDER BY started_at DESC LIMIT 1) b ON true
          WHERE c.created_by = $1 AND c.docker_name = '' AND c.purged_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM container n JOIN backup_log o ON o.id = n.restored_from
                             WHERE o.container_id = c.id AND n.id <> c.id)
          ORDER BY c.name, b.started_at DESC",
        by
    )
    .fetch_all(db)
    .await
}
