//! Table `credential`: encrypted secrets of containers.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The kinds of secrets of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// The portal's administrator role.
    Admin,
    /// The user's role; kept only until it is set and, if generated, shown.
    User,
    /// The administrator in the seed that the container was created from; valid and kept until the accounts are set up.
    Seed,
    /// The user's role in a clone. Kept as long as it is a clone, because a reset replaces the accounts with those of its
    /// source.
    Clone,
}

impl CredentialKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::User => "user",
            Self::Seed => "seed",
            Self::Clone => "clone",
        }
    }

    /// The encryption context, which ties the secret to this container.
    pub fn context(self, container: Uuid) -> String {
        format!("credential/{container}/{}", self.as_str())
    }
}

/// A role and its encrypted password.
#[derive(Debug, Clone)]
pub struct Credential {
    /// Role.
    pub username: String,
    /// Encrypted password.
    pub sealed: Vec<u8>,
    /// Whether the portal generated it, so that its owner has not seen it yet.
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

/// Deletes a credential and returns it: of two simultaneous callers, only one gets it.
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

/// Deletes the user's password once it is set in the server, unless it was generated and has not been shown yet.
pub async fn forget_typed(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM credential WHERE container_id = $1 AND kind = 'user' AND NOT generated", container)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records that the API has returned the user's generated password, so that the page does not offer it again; `false`
/// if another request was faster. The password is kept while the create job needs it. Must not be called in a
/// transaction: [`forget_typed`], called by the last step of the create job, must either see this mark or have run
/// before `started_at` is read here.
pub async fn mark_shown(db: &mut PgConnection, container: Uuid) -> Result<bool, sqlx::Error> {
    let marked = sqlx::query!(
        "UPDATE credential SET generated = false WHERE container_id = $1 AND kind = 'user' AND generated",
        container
    )
    .execute(&mut *db)
    .await?;
    // A server that has run has its accounts, so neither the create job nor its last step needs the password any more.
    sqlx::query!(
        "DELETE FROM credential WHERE container_id = $1 AND kind = 'user' AND NOT generated
            AND EXISTS (SELECT FROM container WHERE id = $1 AND started_at IS NOT NULL)",
        container
    )
    .execute(db)
    .await?;
    Ok(marked.rows_affected() == 1)
}

/// Deletes all secrets of a container.
pub async fn delete(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM credential WHERE container_id = $1", container).execute(db).await.map(|_| ())
}
