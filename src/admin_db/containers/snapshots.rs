//! Table `snapshot`: data directories next to a database's own, either new data being prepared or previous data.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A directory with new or previous data of a database.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Id, which is also the name of the directory.
    pub id: Uuid,
    /// The container it belongs to.
    pub container_id: Uuid,
    /// `restore`, `upgrade` or `undo`.
    pub reason: String,
    /// The backup that the new data comes from.
    pub backup_id: Option<Uuid>,
    /// Image that wrote the previous data.
    pub image: String,
    /// Image that runs on the new data.
    pub image_after: String,
    /// When the two directories were swapped.
    pub made_at: Option<DateTime<Utc>>,
    /// Until when the previous data is kept.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A row to insert when a job is enqueued.
#[derive(Debug)]
pub struct NewSnapshot<'a> {
    /// Id of the directory.
    pub id: Uuid,
    /// Container.
    pub container: Uuid,
    /// The job that prepares it.
    pub job: Uuid,
    /// Reason: `restore`, `upgrade` or `undo`.
    pub reason: &'a str,
    /// The backup that the new data comes from.
    pub backup: Option<Uuid>,
    /// Image of the current data.
    pub image: &'a str,
    /// Image of the new data.
    pub image_after: &'a str,
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            Snapshot,
            "SELECT id, container_id, reason, backup_id, image, image_after, made_at, expires_at FROM snapshot
              WHERE removed_at IS NULL AND "
                + $rest
            $(, $arg)*
        )
    };
}

/// Writes a row.
pub async fn insert(db: &mut PgConnection, new: &NewSnapshot<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO snapshot (id, container_id, job_id, reason, backup_id, image, image_after, requested_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id,
        new.container,
        new.job,
        new.reason,
        new.backup,
        new.image,
        new.image_after,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The directory of a job.
pub async fn of_job(db: &mut PgConnection, job: Uuid) -> Result<Option<Snapshot>, sqlx::Error> {
    select!("job_id = $1", job).fetch_optional(db).await
}

/// The directory with this id.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Snapshot>, sqlx::Error> {
    select!("id = $1", id).fetch_optional(db).await
}

/// The previous data of a container, the newest first.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!("container_id = $1 AND made_at IS NOT NULL ORDER BY made_at DESC", container).fetch_all(db).await
}

/// All directories, with new or previous data.
pub async fn all(db: &mut PgConnection) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!("true ORDER BY id").fetch_all(db).await
}

/// Previous data that has expired, of containers without a job in progress.
pub async fn expired(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!(
        "expires_at < $1 AND NOT EXISTS (SELECT FROM job j WHERE j.container_id = snapshot.container_id
                                            AND j.kind <> 'drill' AND j.status IN ('queued', 'running'))",
        now
    )
    .fetch_all(db)
    .await
}

/// Assigns previous data to the job that switches back to it.
pub async fn set_job(db: &mut PgConnection, id: Uuid, job: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET job_id = $2 WHERE id = $1", id, job).execute(db).await.map(|_| ())
}

/// Records that the directories have been swapped.
pub async fn set_made(
    db: &mut PgConnection,
    id: Uuid,
    made_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET made_at = $2, expires_at = $3 WHERE id = $1", id, made_at, expires_at)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records that the directories have been swapped again: the previous data runs with the image `runs`, and the data
/// that ran until then is kept instead. Calling it twice has no further effect.
pub async fn set_undone(
    db: &mut PgConnection,
    id: Uuid,
    runs: &str,
    made_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE snapshot SET made_at = $3, expires_at = $4, reason = 'undo',
                image = CASE WHEN image = $2 THEN image_after ELSE image END, image_after = $2 WHERE id = $1",
        id,
        runs,
        made_at,
        expires_at
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that its directory has been removed.
pub async fn set_removed(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET removed_at = $2 WHERE id = $1", id, now).execute(db).await.map(|_| ())
}
