//! Table `snapshot`: data directories next to a database's own. They contain new data being prepared, previous data, or a
//! copy of the data at one moment, taken for a user or as the origin of a clone.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// The reason of a copy taken for a user.
pub const USER: &str = "user";
/// The reason of a copy taken as the origin of a clone.
pub const CLONE: &str = "clone";

/// A directory with new or previous data of a database, or a copy of its data.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Id, which is also the name of the directory.
    pub id: Uuid,
    /// The container it belongs to.
    pub container_id: Uuid,
    /// `restore`, `upgrade` or `undo` for new and previous data; [`USER`] or [`CLONE`] for copies.
    pub reason: String,
    /// The backup that the new data comes from.
    pub backup_id: Option<Uuid>,
    /// Image that wrote the previous data.
    pub image: String,
    /// Image that runs on the new data.
    pub image_after: String,
    /// When the two directories were swapped, or the copy was complete.
    pub made_at: Option<DateTime<Utc>>,
    /// Until when it is kept; `None` for a copy that is kept until it is deleted.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was requested.
    pub requested_at: DateTime<Utc>,
    /// The user's note.
    pub note: String,
    /// The time of the data in a copy.
    pub frozen_at: Option<DateTime<Utc>>,
    /// For how many milliseconds the server was paused for it.
    pub frozen_ms: Option<i64>,
    /// Size of the copied data in bytes.
    pub bytes: Option<i64>,
    /// How many of these bytes are shared with other directories, if that was measured.
    pub shared_bytes: Option<i64>,
    /// The encrypted password of the administrator in the copy.
    pub sealed: Option<Vec<u8>>,
    /// The snapshot that new data is copied from.
    pub source: Option<Uuid>,
    /// The directory that a copy was moved to.
    pub moved_to: Option<Uuid>,
}

impl Snapshot {
    /// The encryption context of its administrator's password.
    pub fn context(id: Uuid) -> String {
        format!("snapshot/{id}")
    }

    /// The time of its data; until it has been taken, that of its request.
    pub fn as_of(&self) -> DateTime<Utc> {
        self.frozen_at.unwrap_or(self.requested_at)
    }

    /// Whether it is a copy of the data at one moment.
    pub fn is_copy(&self) -> bool {
        self.reason == USER || self.reason == CLONE
    }
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
    /// Reason.
    pub reason: &'a str,
    /// The backup that the new data comes from.
    pub backup: Option<Uuid>,
    /// Image of the current data.
    pub image: &'a str,
    /// Image of the new data.
    pub image_after: &'a str,
    /// The snapshot that the new data is copied from.
    pub source: Option<Uuid>,
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        select!(which "removed_at IS NULL AND ", $rest $(, $arg)*)
    };
    (which $which:literal, $rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            Snapshot,
            "SELECT id, container_id, reason, backup_id, image, image_after, made_at, expires_at, requested_at, note
                  , frozen_at, frozen_ms, bytes, shared_bytes, sealed, source, moved_to
               FROM snapshot
              WHERE "
                + $which + $rest
            $(, $arg)*
        )
    };
}

/// Writes a row.
pub async fn insert(db: &mut PgConnection, new: &NewSnapshot<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO snapshot (id, container_id, job_id, reason, backup_id, image, image_after, requested_at, source)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        new.id,
        new.container,
        new.job,
        new.reason,
        new.backup,
        new.image,
        new.image_after,
        now,
        new.source
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

/// The copy with this id that a clone is made from, even if it was moved to the directory of the clone.
pub async fn origin(db: &mut PgConnection, id: Uuid) -> Result<Option<Snapshot>, sqlx::Error> {
    select!(which "(removed_at IS NULL OR moved_to IS NOT NULL) AND ", "id = $1", id).fetch_optional(db).await
}

/// The previous data of a container, the newest first.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!(
        "container_id = $1 AND made_at IS NOT NULL AND reason NOT IN ('user', 'clone') ORDER BY made_at DESC",
        container
    )
    .fetch_all(db)
    .await
}

/// The copies taken of a container for its user, including unfinished ones, the newest first.
pub async fn copies_of(
    db: &mut PgConnection,
    container: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!(
        "container_id = $1 AND reason = 'user' AND (expires_at IS NULL OR expires_at > $2)
          ORDER BY requested_at DESC, id DESC",
        container,
        now
    )
    .fetch_all(db)
    .await
}

/// All directories.
pub async fn all(db: &mut PgConnection) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!("true ORDER BY id").fetch_all(db).await
}

/// All complete copies.
pub async fn all_copies(db: &mut PgConnection) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!("made_at IS NOT NULL AND reason IN ('user', 'clone') ORDER BY id").fetch_all(db).await
}

/// Previous data that has expired, of containers without a job in progress.
pub async fn expired(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Snapshot>, sqlx::Error> {
    select!(
        "expires_at < $1 AND reason NOT IN ('user', 'clone') AND NOT EXISTS (SELECT FROM job j WHERE j.container_id = snapshot.container_id
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
