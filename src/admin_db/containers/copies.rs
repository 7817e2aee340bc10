//! Copies of a database's data at one moment, in table `snapshot`, and the clones that refer to them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;

/// A copy to insert when its job is enqueued.
#[derive(Debug)]
pub struct NewCopy<'a> {
    /// Id of the directory.
    pub id: Uuid,
    /// The container whose data is copied.
    pub container: Uuid,
    /// The job that copies it.
    pub job: Uuid,
    /// [`USER`](super::snapshots::USER) or [`CLONE`](super::snapshots::CLONE).
    pub reason: &'a str,
    /// Image of the data.
    pub image: &'a str,
    /// The user's note.
    pub note: &'a str,
    /// When it expires; `None` if it is kept until it is deleted.
    pub until: Option<DateTime<Utc>>,
    /// The encrypted password of the administrator in it.
    pub sealed: &'a [u8],
}

/// Writes a row.
pub async fn insert(db: &mut PgConnection, new: &NewCopy<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO snapshot (id, container_id, job_id, reason, image, image_after, requested_at, note, expires_at, sealed)
         VALUES ($1, $2, $3, $4, $5, $5, $6, $7, $8, $9)",
        new.id,
        new.container,
        new.job,
        new.reason,
        new.image,
        now,
        new.note,
        new.until,
        new.sealed
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Records that a copy is complete.
pub async fn set_copied(
    db: &mut PgConnection,
    id: Uuid,
    (frozen_at, frozen_ms, bytes): (DateTime<Utc>, Option<i64>, i64),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE snapshot SET frozen_at = $2, frozen_ms = $3, bytes = $4, made_at = $5 WHERE id = $1",
        id,
        frozen_at,
        frozen_ms,
        bytes,
        now
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Records how large a copy is on disk, and how much of that is shared with other directories.
pub async fn set_size(db: &mut PgConnection, id: Uuid, bytes: i64, shared: Option<i64>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET bytes = $2, shared_bytes = $3 WHERE id = $1", id, bytes, shared)
        .execute(db)
        .await
        .map(|_| ())
}

/// Locks a complete copy against removal until the transaction ends; `false` if it does not exist.
pub async fn hold(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM snapshot
          WHERE id = $1 AND removed_at IS NULL AND made_at IS NOT NULL AND reason IN ('user', 'clone') FOR UPDATE",
        id
    );
    found.fetch_optional(db).await.map(|found| found.is_some())
}

/// Lets a user's copy expire now.
pub async fn expire(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE snapshot SET expires_at = $2 WHERE id = $1 AND reason = 'user'", id, now)
        .execute(db)
        .await
        .map(|_| ())
}

/// The copies that are no longer needed: those of users that expired or whose database was deleted, and the origins of
/// clones that were promoted or deleted. Copies that a clone can be reset to, or that a job reads, are not included.
pub async fn unneeded(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT s.id FROM snapshot s JOIN container c ON c.id = s.container_id
          WHERE s.removed_at IS NULL AND s.made_at IS NOT NULL
            AND (s.reason = 'clone' OR (s.reason = 'user' AND (s.expires_at <= $1 OR c.purged_at IS NOT NULL)))
            AND NOT EXISTS (SELECT FROM container clone WHERE clone.origin = s.id AND clone.purged_at IS NULL)
            AND NOT EXISTS (SELECT FROM snapshot n JOIN job j ON j.id = n.job_id
                             WHERE n.source = s.id AND j.status IN ('queued', 'running'))
            AND NOT EXISTS (SELECT FROM template_version v
                             WHERE v.snapshot_id = s.id AND v.made_at IS NULL AND v.failed_at IS NULL)",
        now
    )
    .fetch_all(db)
    .await
}

/// Locks a copy for its removal. `false` if it has become needed, or is being removed by another portal.
pub async fn is_unneeded(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM snapshot s WHERE id = $1 AND removed_at IS NULL
            AND NOT EXISTS (SELECT FROM container clone WHERE clone.origin = s.id AND clone.purged_at IS NULL)
            AND NOT EXISTS (SELECT FROM snapshot n JOIN job j ON j.id = n.job_id
                             WHERE n.source = s.id AND j.status IN ('queued', 'running'))
            AND NOT EXISTS (SELECT FROM template_version v
                             WHERE v.snapshot_id = s.id AND v.made_at IS NULL AND v.failed_at IS NULL)
            FOR UPDATE SKIP LOCKED",
        id
    );
    found.fetch_optional(db).await.map(|found| found.is_some())
}

/// Locks a copy that was made for a clone; `false` if any other clone or job needs it too.
pub async fn is_only_for(db: &mut PgConnection, id: Uuid, clone: Uuid, job: Uuid) -> Result<bool, sqlx::Error> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM snapshot s WHERE id = $1 AND reason = 'clone' AND removed_at IS NULL
            AND NOT EXISTS (SELECT FROM container k WHERE k.origin = s.id AND k.purged_at IS NULL AND k.id <> $2)
            AND NOT EXISTS (SELECT FROM snapshot n JOIN job j ON j.id = n.job_id
                             WHERE n.source = s.id AND j.status IN ('queued', 'running') AND j.id <> $3)
            FOR UPDATE",
        id,
        clone,
        job
    );
    found.fetch_optional(db).await.map(|found| found.is_some())
}

/// Records that a copy was moved to the directory `to`.
pub async fn set_moved(db: &mut PgConnection, id: Uuid, to: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE snapshot SET moved_to = $2, removed_at = $3 WHERE id = $1", id, to, now);
    one_row(&done.execute(db).await?)
}

/// Makes a container a clone of the database `from`, which can be reset to `origin`.
pub async fn set_origin(db: &mut PgConnection, container: Uuid, from: Uuid, origin: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET cloned_from = $2, origin = $3, cloned_at = (SELECT frozen_at FROM snapshot WHERE id = $3)
          WHERE id = $1 AND purged_at IS NULL",
        container,
        from,
        origin
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Records what is about to be switched off in the data of a snapshot. If an earlier attempt worked on the same data, not on
/// another copy of it, its record is kept, because it may already have removed some of it from the data.
pub async fn note_cut_off(
    db: &mut PgConnection,
    snapshot: Uuid,
    found: &[String],
    same_data: bool,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE snapshot SET cut_off = CASE WHEN $3 THEN coalesce(cut_off, $2) ELSE $2 END WHERE id = $1",
        snapshot,
        found,
        same_data
    );
    one_row(&done.execute(db).await?)
}

/// Records in a clone what was switched off in the snapshot whose data it now has.
pub async fn set_cut_off(db: &mut PgConnection, container: Uuid, snapshot: Uuid) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET cut_off = (SELECT s.cut_off FROM snapshot s WHERE s.id = $2) WHERE id = $1",
        container,
        snapshot
    );
    one_row(&done.execute(db).await?)
}

/// What was found and switched off in a clone; `None` if that was not recorded.
pub async fn cut_off(db: &mut PgConnection, container: Uuid) -> Result<Option<Vec<String>>, sqlx::Error> {
    let found = sqlx::query_scalar!("SELECT cut_off FROM container WHERE id = $1", container);
    found.fetch_optional(db).await.map(Option::flatten)
}

/// Records which database a container was restored from, and the time of its data. Such a container cannot be reset.
pub async fn set_source(
    db: &mut PgConnection,
    container: Uuid,
    (from, at): (Uuid, DateTime<Utc>),
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!("UPDATE container SET cloned_from = $2, cloned_at = $3 WHERE id = $1", container, from, at);
    one_row(&done.execute(db).await?)
}

/// Makes a clone an ordinary database with this backup schedule; `false` if it was not a clone.
pub async fn promote(
    db: &mut PgConnection,
    container: Uuid,
    schedule: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET origin = NULL, backup_freq = $2, policy_at = $3 WHERE id = $1 AND origin IS NOT NULL",
        container,
        schedule,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A clone of a database.
#[derive(Debug, Clone)]
pub struct CloneOf {
    /// Its name.
    pub name: String,
    /// Id of its owner's account.
    pub account_id: Uuid,
    /// The time of its data.
    pub cloned_at: Option<DateTime<Utc>>,
}

/// The clones of a database, by name.
pub async fn clones_of(db: &mut PgConnection, container: Uuid) -> Result<Vec<CloneOf>, sqlx::Error> {
    sqlx::query_as!(
        CloneOf,
        "SELECT name, account_id, cloned_at FROM container
          WHERE cloned_from = $1 AND origin IS NOT NULL AND purged_at IS NULL ORDER BY name",
        container
    )
    .fetch_all(db)
    .await
}

/// The copy of the database that has been requested but not taken yet, so that another clone can share it as its origin.
/// It is locked until the transaction ends.
pub async fn not_yet_frozen(db: &mut PgConnection, container: Uuid) -> Result<Option<(Uuid, Uuid)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT s.id, j.id AS job FROM snapshot s JOIN job j ON j.id = s.job_id
            WHERE s.container_id = $1 AND s.reason = 'clone' AND s.made_at IS NULL AND s.removed_at IS NULL
              AND j.status = 'queued' FOR UPDATE OF s, j"#,
        container
    )
    .map(|row| (row.id, row.job))
    .fetch_optional(db)
    .await
}
