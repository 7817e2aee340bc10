//! Table `seed`: data directories initialised once, which are copied for new databases.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A seed.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Id, which is also the name of the directory.
    pub id: Uuid,
    /// Tier of the directory.
    pub tier: String,
    /// Image, as in the catalog.
    pub image: String,
    /// Identifies everything that the content depends on.
    pub fingerprint: String,
    /// Encrypted password of the seed's administrator.
    pub sealed: Vec<u8>,
    /// When its preparation started.
    pub begun_at: DateTime<Utc>,
    /// When it was complete.
    pub made_at: Option<DateTime<Utc>>,
    /// Why it could not be prepared.
    pub failed: Option<String>,
}

impl Seed {
    /// The encryption context of the password of seed `id`.
    pub fn context(id: Uuid) -> String {
        format!("seed/{id}")
    }
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            Seed,
            "SELECT id, tier, image, fingerprint, sealed, begun_at, made_at, failed FROM seed " + $rest
            $(, $arg)*
        )
    };
}

/// All seeds.
pub async fn all(db: &mut PgConnection) -> Result<Vec<Seed>, sqlx::Error> {
    select!("ORDER BY tier, image, begun_at").fetch_all(db).await
}

/// The complete seed with this fingerprint on a tier.
pub async fn whole(db: &mut PgConnection, tier: &str, fingerprint: &str) -> Result<Option<Seed>, sqlx::Error> {
    select!("WHERE tier = $1 AND fingerprint = $2 AND made_at IS NOT NULL", tier, fingerprint).fetch_optional(db).await
}

/// Writes a row.
pub async fn insert(db: &mut PgConnection, seed: &Seed) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO seed (id, tier, image, fingerprint, sealed, begun_at, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        seed.id,
        &seed.tier,
        &seed.image,
        &seed.fingerprint,
        &seed.sealed,
        seed.begun_at,
        seed.made_at
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that the seed is complete.
pub async fn made(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE seed SET made_at = $2 WHERE id = $1", id, now).execute(db).await.map(|_| ())
}

/// Records that the seed is not usable, and why.
pub async fn fail(db: &mut PgConnection, id: Uuid, why: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE seed SET made_at = NULL, failed = $2 WHERE id = $1", id, why).execute(db).await.map(|_| ())
}

/// Deletes a row. Its directory must have been removed before.
pub async fn delete(db: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM seed WHERE id = $1", id).execute(db).await.map(|_| ())
}
