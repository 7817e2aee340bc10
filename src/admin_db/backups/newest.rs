//! Table `backup_log`, read for what is due: the newest backup of every container.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// What is known of a container's newest backup.
#[derive(Debug, Clone)]
pub struct Newest {
    /// Container.
    pub container_id: Uuid,
    /// Its newest good backup.
    pub good_id: Option<Uuid>,
    /// When that began.
    pub good_at: Option<DateTime<Utc>>,
    /// When any was tried last.
    pub tried_at: Option<DateTime<Utc>>,
    /// When one of its backups was drilled last, well or not.
    pub drilled_at: Option<DateTime<Utc>>,
    /// Whether a drill is under way.
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

/// Whether a container has ever had a drill, good or under way.
pub async fn ever_drilled(db: &mut PgConnection, container: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM backup_log WHERE container_id = $1 AND kind = 'drill'
                           AND status IN ('running', 'succeeded')) AS "drilled!""#,
        container
    )
    .fetch_one(db)
    .await
}

/// When the last drill of a container began that went well, or goes on.
pub async fn last_drill(db: &mut PgConnection, container: Uuid) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT max(started_at) FROM backup_log WHERE container_id = $1 AND kind = 'drill' AND status IN ('running', 'succeeded')",
        container
    )
    .fetch_one(db)
    .await
}

/// How much was dumped the last time, to tell how far this one is.
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
