//! The newest backup of every container in table `backup_log`, to determine what is due.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The facts about a container's newest backup.
#[derive(Debug, Clone)]
pub struct Newest {
    /// Container.
    pub container_id: Uuid,
    /// Its newest complete backup.
    pub good_id: Option<Uuid>,
    /// When that backup started.
    pub good_at: Option<DateTime<Utc>>,
    /// When a backup was last attempted.
    pub tried_at: Option<DateTime<Utc>>,
    /// When one of its backups was last tested, successfully or not.
    pub drilled_at: Option<DateTime<Utc>>,
    /// Whether a drill is running.
    pub drilling: bool,
}

/// The newest backup of every container that has one.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Newest>, sqlx::Error> {
    sqlx::query_as!(
        Newest,
        r#"SELECT c.id AS "container_id!", g.id AS "good_id?", g.started_at AS "good_at?", t.started_at AS "tried_at?"
                , d.started_at AS "drilled_at?", coalesce(d.status = 'running', false) AS "drilling!"
           FROM container c
           LEFT JOIN LATERAL (SELECT id, started_at FROM backup_log WHERE container_id = c.id AND kind = 'backup'
                                 AND status = 'succeeded' AND removed_at IS NULL AND removing_at IS NULL ORDER BY started_at DESC LIMIT 1) g ON true
           LEFT JOIN LATERAL (SELECT started_at FROM backup_log WHERE container_id = c.id AND kind = 'backup'
                               ORDER BY started_at DESC LIMIT 1) t ON true
           LEFT JOIN LATERAL (SELECT started_at, status FROM backup_log WHERE container_id = c.id AND kind = 'drill'
                               ORDER BY started_at DESC LIMIT 1) d ON true
          WHERE c.purged_at IS NULL AND t.started_at IS NOT NULL"#
    )
    .fetch_all(db)
    .await
}

/// Whether a container has ever had a drill that succeeded or is running.
pub async fn ever_drilled(db: &mut PgConnection, container: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM backup_log WHERE container_id = $1 AND kind = 'drill'
                           AND status IN ('running', 'succeeded')) AS "drilled!""#,
        container
    )
    .fetch_one(db)
    .await
}

/// Start of the last drill of a container that succeeded or is running.
pub async fn last_drill(db: &mut PgConnection, container: Uuid) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT max(started_at) FROM backup_log WHERE container_id = $1 AND kind = 'drill' AND status IN ('running', 'succeeded')",
        container
    )
    .fetch_one(db)
    .await
}

/// Size of the last dump before compression, for estimating the progress of the current one.
pub async fn last_raw_bytes(db: &mut PgConnection, container: Uuid) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT raw_bytes FROM backup_log WHERE container_id = $1 AND kind = 'backup' AND status = 'succeeded'
          ORDER BY started_at DESC LIMIT 1",
        container
    )
    .fetch_optional(db)
    .await
    .map(Option::flatten)
}
