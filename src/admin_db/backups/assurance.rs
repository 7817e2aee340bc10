//! What the newest backup of a container covers and how far it has been verified, for many containers in one query.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::Backup;

/// What can be restored of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assurance {
    /// When its newest complete backup started.
    pub newest_at: Option<DateTime<Utc>>,
    /// When that backup last passed a test restore, and the duration of the restore in milliseconds.
    pub proven: Option<(DateTime<Utc>, i64)>,
    /// When the newest backup started that has passed a test restore.
    pub proven_backup_at: Option<DateTime<Utc>>,
}

impl Assurance {
    /// The same from the backups of one container, the newest first.
    pub fn of_rows(rows: &[Backup]) -> Self {
        let good = |b: &&Backup| b.is_good();
        let newest = rows.iter().find(good);
        Self {
            newest_at: newest.map(|b| b.started_at),
            proven: newest.and_then(|b| b.proven_at.zip(b.proven_ms)),
            proven_backup_at: rows.iter().filter(good).find(|b| b.proven_at.is_some()).map(|b| b.started_at),
        }
    }
}

/// The assurances of these containers. Containers without backups are missing.
pub async fn of(db: &mut PgConnection, containers: &[Uuid]) -> Result<HashMap<Uuid, Assurance>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT c.id AS "id!", g.started_at AS "newest_at!", d.finished_at AS "proven_at?", d.restore_ms AS "proven_ms?"
                , p.started_at AS "proven_backup_at?"
             FROM unnest($1::uuid[]) AS c (id)
             JOIN LATERAL (SELECT id, started_at FROM backup_log WHERE container_id = c.id AND kind = 'backup'
                              AND status = 'succeeded' AND removed_at IS NULL AND removing_at IS NULL
                            ORDER BY started_at DESC LIMIT 1) g ON true
             LEFT JOIN LATERAL (SELECT finished_at, restore_ms FROM backup_log WHERE drill_of = g.id AND status = 'succeeded'
                                 ORDER BY started_at DESC LIMIT 1) d ON true
             LEFT JOIN LATERAL (SELECT b.started_at FROM backup_log b WHERE d.finished_at IS NULL AND b.container_id = c.id
                                   AND b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL
                                   AND EXISTS (SELECT FROM backup_log x WHERE x.drill_of = b.id AND x.status = 'succeeded')
                                 ORDER BY b.started_at DESC LIMIT 1) p ON true"#,
        containers
    )
    .fetch_all(db)
    .await?;
    let read = rows.into_iter().map(|r| {
        let proven = r.proven_at.zip(r.proven_ms);
        let proven_backup_at = r.proven_backup_at.or(proven.map(|_| r.newest_at));
        (r.id, Assurance { newest_at: Some(r.newest_at), proven, proven_backup_at })
    });
    Ok(read.collect())
}
