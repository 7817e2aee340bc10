//! Table `tier_usage`: how full the storage tiers were at the last measurement.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

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
    /// Whether files on it can share blocks.
    pub reflink: bool,
    /// When it was measured.
    pub measured_at: DateTime<Utc>,
}

/// How data is copied on a tier, found by trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyMethod {
    /// Copies share blocks with the original.
    Reflink,
    /// Every block is copied.
    Plain,
}

impl TierUsage {
    /// How data is copied on the tier.
    pub fn copies(&self) -> CopyMethod {
        if self.reflink { CopyMethod::Reflink } else { CopyMethod::Plain }
    }
}

/// Stores a measurement.
pub async fn set(db: &mut PgConnection, u: &TierUsage) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO tier_usage (tier, used_bytes, free_bytes, total_bytes, databases, file_system, reflink, measured_at, shared_bytes)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (tier) DO UPDATE
            SET used_bytes = excluded.used_bytes, free_bytes = excluded.free_bytes, total_bytes = excluded.total_bytes
              , databases = excluded.databases, file_system = excluded.file_system, reflink = excluded.reflink
              , measured_at = excluded.measured_at, shared_bytes = excluded.shared_bytes",
        &u.tier,
        u.used_bytes,
        u.free_bytes,
        u.total_bytes,
        u.databases,
        &u.file_system,
        u.reflink,
        u.measured_at,
        u.shared_bytes
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// All measurements.
pub async fn list(db: &mut PgConnection) -> Result<Vec<TierUsage>, sqlx::Error> {
    sqlx::query_as!(
        TierUsage,
        "SELECT tier, used_bytes, shared_bytes, free_bytes, total_bytes, databases, file_system, reflink, measured_at
           FROM tier_usage ORDER BY tier"
    )
    .fetch_all(db)
    .await
}
