//! Records changes to a container: its engine id, image, size, trash and so on.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::admin_db::spares::Spare;

/// Records the engine's id of the container, or that it has none now.
pub async fn set_docker_id(db: &mut PgConnection, id: Uuid, docker_id: Option<&str>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE container SET docker_id = $2 WHERE id = $1", id, docker_id).execute(db).await?;
    one_row(&done)
}

/// Records that a new container took over the server of this spare.
pub async fn set_from_spare(db: &mut PgConnection, spare: &Spare) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET docker_id = $2, image_digest = $3, server_version = $4, from_spare = true WHERE id = $1",
        spare.id,
        spare.docker_id.as_deref(),
        &spare.digest,
        spare.version.as_deref()
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Records the digest of its image.
pub async fn set_digest(db: &mut PgConnection, id: Uuid, digest: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE container SET image_digest = $2 WHERE id = $1", id, digest).execute(db).await?;
    one_row(&done)
}

/// Resets a container to one that has never run and is to be created from this backup.
pub async fn set_recovering(db: &mut PgConnection, id: Uuid, backup: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET restored_from = $2, restored_only = NULL, started_at = NULL, docker_id = NULL WHERE id = $1 AND purged_at IS NULL",
        id,
        backup
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Changes the image of a container and records its digest.
pub async fn set_image(db: &mut PgConnection, id: Uuid, image: &str, digest: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE container SET image = $2, image_digest = $3 WHERE id = $1", id, image, digest)
        .execute(db)
        .await?;
    one_row(&done)
}

/// Records what the running server reports about itself.
pub async fn set_running(
    db: &mut PgConnection,
    id: Uuid,
    version: &str,
    started: DateTime<Utc>,
    inspect: &serde_json::Value,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET server_version = $2, started_at = $3, inspect = $4 WHERE id = $1",
        id,
        version,
        started,
        inspect
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Records that it is in the trash until `purge_after`, or that it has been restored from there.
pub async fn set_trashed(
    db: &mut PgConnection,
    id: Uuid,
    trashed: Option<(DateTime<Utc>, DateTime<Utc>)>,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET trashed_at = $2, purge_after = $3 WHERE id = $1",
        id,
        trashed.map(|(at, _)| at),
        trashed.map(|(_, until)| until)
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Records that its data has been removed. Its name is available from now on.
pub async fn set_purged(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE container SET purged_at = coalesce(purged_at, $2), docker_id = NULL WHERE id = $1", id, now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records its size.
pub async fn set_size(db: &mut PgConnection, id: Uuid, bytes: i64, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE container SET size_bytes = $2, size_at = $3 WHERE id = $1", id, bytes, now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records how much of its size is shared with copies.
pub async fn set_shared(db: &mut PgConnection, id: Uuid, bytes: Option<i64>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE container SET shared_bytes = $2 WHERE id = $1", id, bytes).execute(db).await.map(|_| ())
}
