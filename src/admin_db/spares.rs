//! Table `spare`: servers started in advance for new databases.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A server started in advance.
#[derive(Debug, Clone)]
pub struct Spare {
    /// Id, which becomes that of the container that takes it; also the name of its directory.
    pub id: Uuid,
    /// Image, as in the catalog.
    pub image: String,
    /// Tier of its directory.
    pub tier: String,
    /// Digest of its image.
    pub digest: String,
    /// Identifies everything that its data and configuration depend on.
    pub fingerprint: String,
    /// Memory limit.
    pub memory_bytes: i64,
    /// CPU limit in thousandths.
    pub millicpus: i32,
    /// Name of its container in the engine.
    pub docker_name: String,
    /// The engine's id of its container.
    pub docker_id: Option<String>,
    /// The administrator's own password, encrypted.
    pub admin_sealed: Vec<u8>,
    /// The password that the administrator has until the spare is taken, encrypted.
    pub seed_sealed: Vec<u8>,
    /// When its creation began.
    pub begun_at: DateTime<Utc>,
    /// When its server was paused and could be taken.
    pub made_at: Option<DateTime<Utc>>,
    /// Memory in bytes that its server held then, if it could be measured.
    pub memory_used: Option<i64>,
    /// Version that its server reported.
    pub version: Option<String>,
}

/// The server of a spare that can be taken.
#[derive(Debug, Clone)]
pub struct SpareServer {
    /// The engine's id of its container.
    pub docker_id: String,
    /// Memory in bytes that it holds, if it could be measured.
    pub memory: Option<i64>,
    /// Version that it reported.
    pub version: String,
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            Spare,
            "SELECT id, image, tier, digest, fingerprint, memory_bytes, millicpus, docker_name, docker_id, admin_sealed, seed_sealed, begun_at, made_at, memory_used, version
               FROM spare " + $rest
            $(, $arg)*
        )
    };
}

/// All spares.
pub async fn all(db: &mut PgConnection) -> Result<Vec<Spare>, sqlx::Error> {
    select!("ORDER BY image, begun_at, id").fetch_all(db).await
}

/// Writes the row of a spare that is about to be made.
pub async fn insert(db: &mut PgConnection, spare: &Spare) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO spare (id, image, tier, digest, fingerprint, memory_bytes, millicpus, docker_name, admin_sealed, seed_sealed, begun_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        spare.id,
        &spare.image,
        &spare.tier,
        &spare.digest,
        &spare.fingerprint,
        spare.memory_bytes,
        spare.millicpus,
        &spare.docker_name,
        &spare.admin_sealed,
        &spare.seed_sealed,
        spare.begun_at
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that this server is paused and can be taken.
pub async fn made(
    db: &mut PgConnection,
    id: Uuid,
    server: &SpareServer,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE spare SET docker_id = $2, memory_used = $3, version = $4, made_at = $5 WHERE id = $1",
        id,
        &server.docker_id,
        server.memory,
        &server.version,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Withdraws a spare, so that nobody can take it any more. `false` if somebody has taken it or is taking it.
pub async fn withdraw(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE spare SET made_at = NULL WHERE id = (SELECT id FROM spare WHERE id = $1 FOR UPDATE SKIP LOCKED)",
        id
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// What a new container asks of a spare.
#[derive(Debug, Clone, Copy)]
pub struct SpareWish<'a> {
    /// Image, as in the catalog.
    pub image: &'a str,
    /// Tier.
    pub tier: &'a str,
    /// Digest of the image on this host.
    pub digest: &'a str,
    /// What its data and configuration must depend on.
    pub fingerprint: &'a str,
    /// Memory limit.
    pub memory_bytes: i64,
    /// CPU limit in thousandths.
    pub millicpus: i32,
}

/// Locks a spare that fits until the transaction ends. Two transactions never get the same one.
pub async fn lock(db: &mut PgConnection, wish: &SpareWish<'_>) -> Result<Option<Spare>, sqlx::Error> {
    select!(
        "WHERE image = $1 AND tier = $2 AND digest = $3 AND fingerprint = $4 AND memory_bytes = $5 AND millicpus = $6
           AND made_at IS NOT NULL ORDER BY made_at LIMIT 1 FOR UPDATE SKIP LOCKED",
        wish.image,
        wish.tier,
        wish.digest,
        wish.fingerprint,
        wish.memory_bytes,
        wish.millicpus
    )
    .fetch_optional(db)
    .await
}

/// Gives the ports of a spare to the container of the same id, and deletes the row of the spare.
pub async fn become_container(db: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE port SET container_id = $1, spare_id = NULL WHERE spare_id = $1", id)
        .execute(&mut *db)
        .await?;
    sqlx::query!("DELETE FROM spare WHERE id = $1", id).execute(db).await.map(|_| ())
}

/// Deletes a row and releases its ports. Its container and directory must have been removed before.
pub async fn delete(db: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM port WHERE spare_id = $1", id).execute(&mut *db).await?;
    sqlx::query!("DELETE FROM spare WHERE id = $1", id).execute(db).await.map(|_| ())
}

/// The ports of a spare: (purpose, port).
pub async fn ports(db: &mut PgConnection, id: Uuid) -> Result<Vec<(String, u16)>, sqlx::Error> {
    sqlx::query!("SELECT purpose, port FROM port WHERE spare_id = $1 ORDER BY port", id)
        .map(|row| (row.purpose, u16::try_from(row.port).unwrap_or(0)))
        .fetch_all(db)
        .await
}

/// Number of databases created from each image since a time: (image, all of them, from a spare).
pub async fn created_since(
    db: &mut PgConnection,
    since: DateTime<Utc>,
) -> Result<Vec<(String, i64, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT c.image, count(*) AS "all!", count(*) FILTER (WHERE c.from_spare) AS "spare!"
             FROM container c WHERE c.created_at > $1 GROUP BY c.image"#,
        since
    )
    .map(|row| (row.image, row.all, row.spare))
    .fetch_all(db)
    .await
}
