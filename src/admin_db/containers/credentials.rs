//! Table `credential`: sealed secrets of containers.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Which of a container's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// The portal's administrator role.
    Admin,
    /// The user's role; kept only until it is set and, if generated, shown.
    User,
    /// The administrator's in the data that the container began with; in force, and kept, until the accounts are set.
    Seed,
}

impl CredentialKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Seed => "seed",
        }
    }

    /// What the secret is sealed to, so that it opens only as this container's.
    pub fn context(self, container: Uuid) -> String {
        format!("credential/{container}/{}", self.as_str())
    }
}

/// A row.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Role.
    pub username: String,
    /// Sealed password.
    pub sealed: Vec<u8>,
    /// Whether the portal made it up, so its owner has yet to see it.
    pub generated: bool,
}

/// Inserts a credential.
pub async fn insert(
    db: &mut PgConnection,
    container: Uuid,
    kind: CredentialKind,
    credential: &Credential,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO credential (container_id, kind, username, sealed, generated, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        container,
        kind.as_str(),
        &credential.username,
        &credential.sealed,
        credential.generated,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Reads a credential.
pub async fn get(
    db: &mut PgConnection,
    container: Uuid,
    kind: CredentialKind,
) -> Result<Option<Credential>, sqlx::Error> {
    sqlx::query_as!(
        Credential,
        "SELECT username, sealed, generated FROM credential WHERE container_id = $1 AND kind = $2",
        container,
        kind.as_str()
    )
    .fetch_optional(db)
    .await
}

/// Removes a credential and answers what it was: of two who ask at once, one gets it.
pub async fn take(
    db: &mut PgConnection,
    container: Uuid,
    kind: CredentialKind,
) -> Result<Option<Credential>, sqlx::Error> {
    sqlx::query_as!(
        Credential,
        "DELETE FROM credential WHERE container_id = $1 AND kind = $2 RETURNING username, sealed, generated",
        container,
        kind.as_str()
    )
    .fetch_optional(db)
    .await
}

/// Removes the user's password once it is set in the server, unless it is a generated one that
/// waits to be shown.
pub async fn forget_typed(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM credential WHERE container_id = $1 AND kind = 'user' AND NOT generated", container)
        .execute(db)
        .await
        .map(|_| ())
}

/// Notes that the user's generated password was handed to somebody by the API, so that the page does
/// not offer it again; `false` where somebody was faster. It stays while the create needs it.
/// Not to be called in a transaction: [`forget_typed`], which the create's last step calls, must see
/// the mark, or else have been before the look at `started_at` here.
pub async fn mark_shown(db: &mut PgConnection, container: Uuid) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query!(
        "UPDATE credential SET generated = false WHERE container_id = $1 AND kind = 'user' AND generated",
        container
    )
    .execute(&mut *db)
    .await?;
    // A server that ran has its accounts: the create, or its last step, needs the password no more.
    sqlx::query!(
        "DELETE FROM credential WHERE container_id = $1 AND kind = 'user' AND NOT generated
            AND EXISTS (SELECT FROM container WHERE id = $1 AND started_at IS NOT NULL)",
        container
    )
    .execute(db)
    .await?;
    Ok(marked.rows_affected() == 1)
}

/// Removes all secrets of a container.
pub async fn delete(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM credential WHERE container_id = $1", container).execute(db).await.map(|_| ())
}
