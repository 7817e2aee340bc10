//! Table `tier_usage`: how full the storage tiers were at the last measurement.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::domain::copy_method::CopyMethod;

/// The measured usage of a tier.
#[derive(Debug, Clone)]
pub struct TierUsage {
    /// Name of the tier.
    pub tier: String,
    /// Bytes that its databases and snapshots take on disk. Blocks that several of them share are counted once.
    pub used_bytes: i64,
    /// How many more bytes they would take if they shared none.
    pub shared_bytes: i64,
    /// Free bytes on its file system.
    pub free_bytes: i64,
    /// Total bytes of its file system.
    pub total_bytes: i64,
    /// Number of its databases.
    pub databases: i64,
    /// Type of its file system.
    pub file_system: String,
    /// How data is copied on it.
    pub copies: CopyMethod,
    /// When the measurement began.
    pub measured_at: DateTime<Utc>,
}

/// Stores a measurement.
pub async fn set(db: &mut PgConnection, u: &TierUsage) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO tier_usage (tier, used_bytes, free_bytes, total_bytes, databases, file_system, copies, measured_at, shared_bytes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tier) DO UPDATE
            SET used_bytes = excluded.used_bytes, free_bytes = excluded.free_bytes, total_bytes = excluded.total_bytes
              , databases = excluded.databases, file_system = excluded.file_system, copies = excluded.copies
              , measured_at = excluded.measured_at, shared_bytes = excluded.shared_bytes",
        &u.tier,
        u.used_bytes,
        u.free_bytes,
        u.total_bytes,
        u.databases,
        &u.file_system,
        u.copies.as_str(),
        u.measured_at,
        u.shared_bytes
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// All measurements.
pub async fn list(db: &mut PgConnection) -> Result<Vec<TierUsage>, sqlx::Error> {
    sqlx::query!(
        "SELECT tier, used_bytes, shared_bytes, free_bytes, total_bytes, databases, file_system, copies, measured_at
           FROM tier_usage ORDER BY tier"
    )
    .map(|row| TierUsage {
        tier: row.tier,
        used_bytes: row.used_bytes,
        shared_bytes: row.shared_bytes,
        free_bytes: row.free_bytes,
        total_bytes: row.total_bytes,
        databases: row.databases,
        file_system: row.file_system,
        copies: CopyMethod::stored(&row.copies),
        measured_at: row.measured_at,
    })
    .fetch_all(db)
    .await
}

/// Bytes of databases and copies that were made on a tier since a moment, as far as their sizes are known: its last
/// measurement does not contain them.
pub async fn added_since(db: &mut PgConnection, tier: &str, since: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT ((SELECT coalesce(sum(s.bytes), 0) FROM snapshot s JOIN container c ON c.id = s.container_id
                     WHERE c.storage = $1 AND s.made_at > $2 AND s.removed_at IS NULL AND s.reason IN ('user', 'clone'))
                 + (SELECT coalesce(sum(size_bytes), 0) FROM container
                     WHERE storage = $1 AND created_at > $2 AND purged_at IS NULL))::bigint AS "bytes!""#,
        tier,
        since
    )
    .fetch_one(db)
    .await
}

/// Bytes of the versions of templates that were imported to a tier since a moment, without those copied from databases.
pub async fn imported_since(db: &mut PgConnection, tier: &str, since: DateTime<Utc>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT coalesce(sum(bytes), 0)::bigint AS "bytes!" FROM template_version
            WHERE storage = $1 AND made_at > $2 AND removed_at IS NULL AND snapshot_id IS NULL"#,
        tier,
        since
    )
    .fetch_one(db)
    .await
}
