//! Table `device`: browsers from which users have signed in before.

use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Maximum number for each account; the least recently used ones are deleted.
const MOST: i64 = 50;
/// Days after which unused devices are deleted. Browsers keep cookies no longer than 400 days.
const DAYS: i64 = 400;

/// Whether somebody has signed in to the account of this name from this device.
pub async fn knows(db: &mut PgConnection, print: &[u8; 32], username: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM device d JOIN account a ON a.id = d.account_id
                         WHERE d.secret_sha256 = $1 AND a.username = $2 AND a.disabled_at IS NULL) AS "knows!""#,
        print.as_slice(),
        username
    )
    .fetch_one(db)
    .await
}

/// Records a sign-in from this device.
pub async fn note(
    db: &mut PgConnection,
    print: &[u8; 32],
    account: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO device (secret_sha256, account_id, created_at, last_used_at) VALUES ($1, $2, $3, $3)
         ON CONFLICT (secret_sha256, account_id) DO UPDATE SET last_used_at = excluded.last_used_at",
        print.as_slice(),
        account,
        now
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "DELETE FROM device WHERE account_id = $1
            AND (last_used_at < $2 OR secret_sha256 NOT IN
                 (SELECT secret_sha256 FROM device WHERE account_id = $1 ORDER BY last_used_at DESC LIMIT $3))",
        account,
        now - Duration::days(DAYS),
        MOST
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Deletes all devices of an account except one.
pub async fn forget_others(db: &mut PgConnection, account: Uuid, keep: Option<&[u8; 32]>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM device WHERE account_id = $1 AND secret_sha256 IS DISTINCT FROM $2",
        account,
        keep.map(<[u8; 32]>::as_slice)
    )
    .execute(db)
    .await
    .map(|_| ())
}
