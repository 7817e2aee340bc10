//! Table `session`: signed-in users and their browsers.

use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::accounts::{AccessKind, Account, holder};

/// A session as shown to its owner.
#[derive(Debug, Clone)]
pub struct Session {
    /// When the user signed in.
    pub created_at: DateTime<Utc>,
    /// Last request, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// Client address at sign-in.
    pub address: String,
    /// User agent of the browser.
    pub user_agent: String,
    /// Whether it is the session of the current request.
    pub current: bool,
}

/// Inserts a session.
pub async fn insert(
    db: &mut PgConnection,
    fingerprint: &[u8; 32],
    account: Uuid,
    address: &str,
    user_agent: &str,
    (now, expires): (DateTime<Utc>, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO session (token_sha256, account_id, created_at, last_seen_at, expires_at, address, user_agent)
         VALUES ($1, $2, $3, $3, $4, $5, left($6, 300))",
        fingerprint.as_slice(),
        account,
        now,
        expires,
        address,
        user_agent
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The account of a valid session whose account is enabled. Extends the session at most once a minute, so that not
/// every page view writes to the database.
pub async fn account(
    db: &mut PgConnection,
    fingerprint: &[u8; 32],
    now: DateTime<Utc>,
    idle: Duration,
) -> Result<Option<Account>, sqlx::Error> {
    let found = holder(&mut *db, AccessKind::Session, fingerprint, now).await?;
    if found.is_some() {
        sqlx::query!(
            "UPDATE session SET last_seen_at = $2, expires_at = $3
              WHERE token_sha256 = $1 AND last_seen_at < $2::timestamptz - interval '1 minute'",
            fingerprint.as_slice(),
            now,
            now + idle
        )
        .execute(db)
        .await?;
    }
    Ok(found)
}

/// The sessions of an account; `current` is the session of the request.
pub async fn list(
    db: &mut PgConnection,
    account: Uuid,
    current: Option<&[u8; 32]>,
    now: DateTime<Utc>,
) -> Result<Vec<Session>, sqlx::Error> {
    sqlx::query_as!(
        Session,
        r#"SELECT created_at, last_seen_at, address, user_agent, token_sha256 IS NOT DISTINCT FROM $3 AS "current!"
           FROM session WHERE account_id = $1 AND expires_at > $2 ORDER BY last_seen_at DESC LIMIT 50"#,
        account,
        now,
        current.map(<[u8; 32]>::as_slice)
    )
    .fetch_all(db)
    .await
}

/// Ends one session.
pub async fn delete(db: &mut PgConnection, fingerprint: &[u8; 32]) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM session WHERE token_sha256 = $1", fingerprint.as_slice()).execute(db).await.map(|_| ())
}

/// Ends all sessions of an account except one.
pub async fn delete_others(db: &mut PgConnection, account: Uuid, keep: Option<&[u8; 32]>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM session WHERE account_id = $1 AND token_sha256 IS DISTINCT FROM $2",
        account,
        keep.map(<[u8; 32]>::as_slice)
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Deletes expired sessions.
pub async fn delete_expired(db: &mut PgConnection, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query!("DELETE FROM session WHERE expires_at <= $1", now).execute(db).await?.rows_affected())
}
