//! Table `admin_backup`: the backups of mydb_admin, as last seen in their targets.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

/// A backup of mydb_admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminBackup {
    /// Target that contains it.
    pub target: String,
    /// Prefix of its keys.
    pub location: String,
    /// The time of the data it contains.
    pub made_at: DateTime<Utc>,
    /// Stored size of the dump in bytes.
    pub bytes: i64,
    /// Whether the encrypted keys are stored with it.
    pub keys: bool,
}

/// Replaces the recorded backups of a target with those it contains now. A mydb_admin of an earlier version, which a
/// command backs up before upgrading it, does not have this table yet.
pub async fn replace(db: &mut PgConnection, target: &str, seen: &[AdminBackup]) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar!(r#"SELECT to_regclass('admin_backup') IS NOT NULL AS "there!""#)
        .fetch_one(&mut *db)
        .await?;
    if !there {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    sqlx::query!("DELETE FROM admin_backup WHERE target = $1", target).execute(&mut *tx).await?;
    for s in seen {
        sqlx::query!(
            "INSERT INTO admin_backup (target, location, made_at, bytes, keys) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT DO NOTHING",
            target,
            &s.location,
            s.made_at,
            s.bytes,
            s.keys
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await
}

/// The newest backups of mydb_admin.
pub async fn newest(db: &mut PgConnection, most: i64) -> Result<Vec<AdminBackup>, sqlx::Error> {
    sqlx::query_as!(
        AdminBackup,
        "SELECT target, location, made_at, bytes, keys FROM admin_backup ORDER BY made_at DESC LIMIT $1",
        most
    )
    .fetch_all(db)
    .await
}

/// Prevents any other backup of this mydb_admin from starting while the connection is open. `false`: one is already
/// running.
pub async fn alone(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Any number that nothing else here locks.
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock(8041972) AS "alone!""#).fetch_one(db).await
}
