//! Table `snapshot`: data directories beside a database's own, to come or set aside.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A directory beside a database's own.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Key, and the directory's name.
    pub id: Uuid,
    /// Whose data it is.
    pub container_id: Uuid,
    /// `restore`, `upgrade` or `undo`.
    pub reason: String,
    /// The backup that the new data comes from.
    pub backup_id: Option<Uuid>,
    /// Image that what is set aside was written by.
    pub image: String,
    /// Image that runs on what took its place.
    pub image_after: String,
    /// When the two changed places.
    pub made_at: Option<DateTime<Utc>>,
    /// Until when it is kept.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A row to be written when a job is enqueued.
#[derive(Debug)]
pub struct NewSnapshot<'a> {
    /// Key.
    pub id: Uuid,
    /// Container.
    pub container: Uuid,
    /// Its job.
    pub job: Uuid,
    /// Why.
    pub reason: &'a str,
    /// The backup that the new data comes from.
    pub backup: Option<Uuid>,
    /// Image of now.
    pub image: &'a str,
    /// Image of then.
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

/// That of a job.
pub async fn of_job(db: &mut PgConnection, job: Uuid) -> Result<Option<Snapshot>, sqlx::Error> {
    select!("job_id = $1", job).fetch_optional(db).await
}

/// The one with this key.
pub async fn by_id(db: &mut PgConnection, id: Uuid) -> Result<Option<Snapshot>, sqlx::Error> {
    select!("id = $1", id).fetch_optional(db).await
}

/// What is set aside of a container, the newest first.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!("container_id = $1 AND made_at IS NOT NULL ORDER BY made_at DESC", container).fetch_all(db).await
}

/// All that there are, to come or set aside.
pub async fn all(db: &mut PgConnection) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!("true ORDER BY id").fetch_all(db).await
}

/// Those whose time is over, while nothing is done with their containers.
pub async fn expired(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!(
        "expires_at < $1 AND NOT EXISTS (SELECT FROM job j WHERE j.container_id = snapshot.container_id
                                            AND j.kind <> 'drill' AND j.status IN ('queued', 'running'))",
        now
    )
    .fetch_all(db)
    .await
}

/// Hands what is set aside to the job that brings it back.
pub async fn set_job(db: &mut PgConnection, id: Uuid, job: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET job_id = $2 WHERE id = $1", id, job).execute(db).await.map(|_| ())
}

/// Notes that the directories have changed places.
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

/// Notes that they have changed places once more: what was set aside runs, with the image `runs`, and what ran is set
/// aside. Noted twice, it is the same.
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

/// Notes that its directory is gone.
pub async fn set_removed(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET removed_at = $2 WHERE id = $1", id, now).execute(db).await.map(|_| ())
}
