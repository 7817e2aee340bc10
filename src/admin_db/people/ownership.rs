//! Whether the user who requested a job may still act on its database.

use sqlx::PgConnection;
use uuid::Uuid;

/// Whether this is the name of a researcher, not of an administrator, of the portal itself or of a deleted account.
pub async fn is_researcher(db: &mut PgConnection, username: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM account WHERE username = $1 AND role <> 'admin') AS "is!""#,
        username
    )
    .fetch_one(db)
    .await
}

/// Whether this is the name of a researcher who does not own the database.
pub async fn is_not_the_owner(db: &mut PgConnection, username: &str, container: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM account a JOIN container c ON c.account_id <> a.id
                WHERE a.username = $1 AND a.role <> 'admin' AND c.id = $2) AS "is!""#,
        username,
        container
    )
    .fetch_one(db)
    .await
}
