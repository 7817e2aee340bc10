//! Table `token`: bearer tokens of the API.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::people::accounts::{AccessKind, Account, holder};

/// An API token, without the fingerprint of its secret.
#[derive(Debug, Clone)]
pub struct ApiToken {
    /// Id of the token.
    pub id: Uuid,
    /// User name of the owner.
    pub username: String,
    /// Name given by the owner.
    pub name: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// Last use, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// Inserts a token; its name may be in use (index `token_name_key`).
pub async fn insert(
    db: &mut PgConnection,
    account: Uuid,
    name: &str,
    fingerprint: &[u8; 32],
    now: DateTime<Utc>,
    expires: Option<DateTime<Utc>>,
) -> Result<Uuid, sqlx::Error> {
    let id = crate::admin_db::new_id();
    sqlx::query!(
        "INSERT INTO token (id, account_id, name, token_sha256, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        id,
        account,
        name,
        fingerprint.as_slice(),
        now,
        expires
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// The account of a valid token whose account is enabled.
pub async fn account(
    db: &mut PgConnection,
    fingerprint: &[u8; 32],
    now: DateTime<Utc>,
) -> Result<Option<Account>, sqlx::Error> {
    let found = holder(&mut *db, AccessKind::Token, fingerprint, now).await?;
    if found.is_some() {
        sqlx::query!(
            "UPDATE token SET last_used_at = $2 WHERE token_sha256 = $1
                AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute')",
            fingerprint.as_slice(),
            now
        )
        .execute(db)
        .await?;
    }
    Ok(found)
}

/// Tokens that are not revoked, of one account or of all.
pub async fn list(db: &mut PgConnection, account: Option<Uuid>) -> Result<Vec<ApiToken>, sqlx::Error> {
    sqlx::query_as!(
        ApiToken,
        "SELECT t.id, a.username, t.name, t.created_at, t.expires_at, t.last_used_at
           FROM token t JOIN account a ON a.id = t.account_id
          WHERE t.revoked_at IS NULL AND ($1::uuid IS NULL OR t.account_id = $1)
          ORDER BY a.username, t.created_at DESC",
        account
    )
    .fetch_all(db)
    .await
}

/// Revokes a token; `account` restricts this to the tokens of one user. Returns whether there was one.
pub async fn revoke(
    db: &mut PgConnection,
    id: Uuid,
    account: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE token SET revoked_at = $3 WHERE id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR account_id = $2)",
        id,
        account,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Revokes all tokens of an account and returns their number.
pub async fn revoke_all(db: &mut PgConnection, account: Uuid, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done =
        sqlx::query!("UPDATE token SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL", account, now)
            .execute(db)
            .await?;
    Ok(done.rows_affected())
}
