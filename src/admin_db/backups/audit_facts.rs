//! The facts that an audit of backups is based on, from the tables `container` and `backup_log`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::admin_db::backups::BackupStatus;
use crate::domain::engine::EngineKind;
use crate::domain::state::ContainerState;

/// An existing database that has run, with the facts about its backups.
#[derive(Debug, Clone)]
pub struct AuditedDatabase {
    /// Id of the database.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Engine.
    pub engine: EngineKind,
    /// Backup schedule.
    pub backup_freq: String,
    /// State.
    pub state: ContainerState,
    /// Since when this schedule has been in force.
    pub policy_at: DateTime<Utc>,
    /// Start of its newest complete backup.
    pub good_at: Option<DateTime<Utc>>,
    /// Start of its oldest complete backup.
    pub first_good_at: Option<DateTime<Utc>>,
    /// Why the last attempt failed, if it did.
    pub failed: Option<String>,
    /// Sizes of its newest backups before compression, the newest first.
    pub sizes: Vec<Option<i64>>,
    /// When one of its backups was last restored by a drill.
    pub drilled_at: Option<DateTime<Utc>>,
    /// When its last drill failed, if it did.
    pub drill_failed_at: Option<DateTime<Utc>>,
    /// Why that drill failed.
    pub drill_error: Option<String>,
}

/// Number of past backups whose sizes are compared.
pub const SIZES: i64 = 8;

/// All existing databases that have run and are not being moved to the trash.
pub async fn databases(db: &mut PgConnection) -> Result<Vec<AuditedDatabase>, sqlx::Error> {
    sqlx::query_as!(
        AuditedDatabase,
        r#"SELECT c.id AS "id!", c.name AS "name!", c.engine AS "engine!: _", c.backup_freq AS "backup_freq!"
              , s.state AS "state!: _", coalesce(c.policy_at, c.created_at) AS "policy_at!"
              , g.newest AS "good_at?", g.oldest AS "first_good_at?"
              , CASE WHEN t.status = 'failed' THEN t.error END AS "failed?"
              , ARRAY(SELECT raw_bytes FROM backup_log WHERE container_id = c.id AND kind = 'backup' AND status = 'succeeded'
                       ORDER BY started_at DESC LIMIT $1) AS "sizes!: _"
              , (SELECT max(finished_at) FROM backup_log WHERE container_id = c.id AND kind = 'drill' AND status = 'succeeded') AS "drilled_at?"
              , CASE WHEN d.status = 'failed' THEN d.finished_at END AS "drill_failed_at?"
              , CASE WHEN d.status = 'failed' THEN d.error END AS "drill_error?"
           FROM container c
           JOIN state s ON s.container_id = c.id
           LEFT JOIN LATERAL (SELECT max(started_at) AS newest, min(started_at) AS oldest FROM backup_log
                               WHERE container_id = c.id AND kind = 'backup' AND status = 'succeeded'
                                 AND removed_at IS NULL AND removing_at IS NULL) g ON true
           LEFT JOIN LATERAL (SELECT status, error FROM backup_log WHERE container_id = c.id AND kind = 'backup'
                                 AND status IN ('succeeded', 'failed') ORDER BY started_at DESC LIMIT 1) t ON true
           LEFT JOIN LATERAL (SELECT status, error, finished_at FROM backup_log WHERE container_id = c.id AND kind = 'drill'
                                 AND status IN ('succeeded', 'failed') ORDER BY started_at DESC LIMIT 1) d ON true
          WHERE c.purged_at IS NULL AND c.started_at IS NOT NULL AND s.state IN ('running', 'stopped', 'failed')
          ORDER BY c.name"#,
        SIZES
    )
    .fetch_all(db)
    .await
}

/// A backup's row, for the comparison with its objects in the bucket.
#[derive(Debug, Clone)]
pub struct StoredBackup {
    /// Id of the backup.
    pub id: Uuid,
    /// Name of its database.
    pub container: String,
    /// Start of the backup.
    pub started_at: DateTime<Utc>,
    /// End of the backup.
    pub finished_at: Option<DateTime<Utc>>,
    /// Status.
    pub status: BackupStatus,
    /// Start of its removal.
    pub removing_at: Option<DateTime<Utc>>,
    /// When it was removed.
    pub removed_at: Option<DateTime<Utc>>,
    /// Target that contains it.
    pub target: Option<String>,
    /// Prefix of its keys.
    pub location: Option<String>,
    /// Status of its copy in the audited target, if one was requested: a word of `backup_copy`.
    pub copy: Option<String>,
    /// SHA-256 of its manifest.
    pub sha256: Option<Vec<u8>>,
    /// SHA-256 of the script for a restore by hand in the audited target, if it was recorded.
    pub script_sha256: Option<Vec<u8>>,
    /// Its objects and their sizes, according to its manifest.
    pub objects: Json<Vec<(String, u64)>>,
}

macro_rules! stored {
    ($rest:literal $(, $arg:expr)+) => {
        sqlx::query_as!(
            StoredBackup,
            r#"SELECT b.id AS "id!", c.name AS "container!", b.started_at AS "started_at!", b.finished_at AS "finished_at?"
                  , b.status AS "status!: _", b.removing_at AS "removing_at?", b.removed_at AS "removed_at?", b.target AS "target?"
                  , b.location AS "location?", b.sha256 AS "sha256?", k.status AS "copy?"
                  , CASE WHEN b.target = $1 THEN b.script_sha256 ELSE k.script_sha256 END AS "script_sha256?"
                  , coalesce((SELECT jsonb_agg(jsonb_build_array(o -> 'file', o -> 'stored' -> 'bytes'))
                                FROM jsonb_array_elements(b.manifest -> 'objects') o), '[]') AS "objects!: _"
               FROM backup_log b JOIN container c ON c.id = b.container_id
               LEFT JOIN backup_copy k ON k.backup_id = b.id AND k.target = $1 "#
                + $rest
            $(, $arg)+
        )
    };
}

/// The rows of these backups in any status, with their copies in a target.
pub async fn stored(db: &mut PgConnection, target: &str, ids: &[Uuid]) -> Result<Vec<StoredBackup>, sqlx::Error> {
    stored!("WHERE b.id = ANY($2) AND b.kind = 'backup'", target, ids).fetch_all(db).await
}

/// Complete backups in a target, and copies there, that were complete before `since`, sorted by key, after the key
/// `after`.
pub async fn good_in(
    db: &mut PgConnection,
    target: &str,
    since: DateTime<Utc>,
    after: Uuid,
    most: i64,
) -> Result<Vec<StoredBackup>, sqlx::Error> {
    stored!(
        "WHERE b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL
           AND (b.target = $1 AND b.finished_at < $2 OR k.status = 'stored' AND k.stored_at < $2) AND b.id > $3 ORDER BY b.id LIMIT $4",
        target,
        since,
        after,
        most
    )
    .fetch_all(db)
    .await
}

/// Complete backups in targets that are no longer configured: (target, number).
pub async fn elsewhere(db: &mut PgConnection, targets: &[String]) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT coalesce(target, '') AS "target!", count(*) AS "backups!" FROM backup_log
          WHERE kind = 'backup' AND status = 'succeeded' AND removed_at IS NULL AND removing_at IS NULL
            AND coalesce(target, '') <> ALL($1)
          GROUP BY 1 ORDER BY 1"#,
        targets
    )
    .map(|r| (r.target, r.backups))
    .fetch_all(db)
    .await
}
