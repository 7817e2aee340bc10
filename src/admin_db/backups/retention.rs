//! Retention in table `backup_log`: the facts that the policy needs, locks, and removals in progress.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::one_row;
use crate::domain::retention::KnownBackup;

/// A complete backup with the facts that the policy needs.
#[derive(Debug, Clone, Copy)]
struct GoodBackup {
    id: Uuid,
    container_id: Uuid,
    at: DateTime<Utc>,
    proven: bool,
    doubtful: bool,
    locked_until: Option<DateTime<Utc>>,
    in_use: bool,
}

/// The complete backups made by this portal, of one container or of all, sorted by container. Backups imported from
/// another portal's prefix are excluded: that portal decides about them.
pub async fn known(
    db: &mut PgConnection,
    instance: &str,
    container: Option<Uuid>,
) -> Result<Vec<(Uuid, KnownBackup)>, sqlx::Error> {
    let rows: Vec<GoodBackup> = sqlx::query_as!(
        GoodBackup,
        r#"SELECT b.id, b.container_id, b.started_at AS at, b.locked_until
              , EXISTS (SELECT FROM backup_log d WHERE d.drill_of = b.id AND d.status = 'succeeded') AS "proven!"
              , coalesce((SELECT d.status = 'failed' FROM backup_log d
                           WHERE d.drill_of = b.id AND d.status IN ('succeeded', 'failed')
                           ORDER BY d.started_at DESC LIMIT 1), false) AS "doubtful!"
              , EXISTS (SELECT FROM backup_log d WHERE d.drill_of = b.id AND d.status = 'running')
                OR EXISTS (SELECT FROM container r JOIN job j ON j.container_id = r.id
                            WHERE r.restored_from = b.id AND j.status IN ('queued', 'running'))
                OR EXISTS (SELECT FROM snapshot s JOIN job j ON j.id = s.job_id
                            WHERE s.backup_id = b.id AND j.status IN ('queued', 'running'))
                OR EXISTS (SELECT FROM backup_copy k JOIN job j ON j.id = k.job_id
                            WHERE k.backup_id = b.id AND k.status = 'running' AND j.status IN ('queued', 'running'))
                OR EXISTS (SELECT FROM template t JOIN template_version v ON v.template_id = t.id
                            WHERE t.source_backup = b.id AND v.made_at IS NULL AND v.failed_at IS NULL)
                -- Whatever else works with it names it so.
                OR EXISTS (SELECT FROM job j WHERE j.status IN ('queued', 'running') AND j.payload ->> 'backup' = b.id::text) AS "in_use!"
           FROM backup_log b
          WHERE b.kind = 'backup' AND b.status = 'succeeded' AND b.removed_at IS NULL AND b.removing_at IS NULL
            AND starts_with(b.location, $1 || '/') AND ($2::uuid IS NULL OR b.container_id = $2)
          ORDER BY b.container_id, b.started_at DESC, b.id DESC"#,
        instance,
        container
    )
    .fetch_all(db)
    .await?;
    let known = |r: GoodBackup| KnownBackup {
        id: r.id,
        at: r.at,
        proven: r.proven,
        doubtful: r.doubtful,
        locked_until: r.locked_until,
        in_use: r.in_use,
    };
    Ok(rows.into_iter().map(|r| (r.container_id, known(r))).collect())
}

/// Holds a complete backup until the end of the transaction, so that its removal cannot start before its reader is
/// registered. `false`: the backup is no longer available.
pub async fn hold(db: &mut PgConnection, id: Uuid) -> Result<bool, sqlx::Error> {
    let held: Option<i32> = sqlx::query_scalar!(
        r#"SELECT 1 AS "held!" FROM backup_log
            WHERE id = $1 AND kind = 'backup' AND status = 'succeeded' AND removing_at IS NULL FOR SHARE"#,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(held.is_some())
}

/// Locks a backup for a decision about its removal, after any holder has finished. Only one decision is made at a time
/// for each database.
pub async fn lock_for_removal(db: &mut PgConnection, container: Uuid, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT FROM container WHERE id = $1 FOR NO KEY UPDATE", container).execute(&mut *db).await?;
    sqlx::query!("SELECT FROM backup_log WHERE id = $1 FOR UPDATE", id).execute(db).await.map(|_| ())
}

/// Records that the removal of a backup starts.
pub async fn begin_removal(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE backup_log SET removing_at = $2 WHERE id = $1 AND status = 'succeeded' AND removing_at IS NULL",
        id,
        now
    )
    .execute(db)
    .await?;
    one_row(&done)
}

/// Cancels a removal whose manifest still exists: the backup is complete.
pub async fn end_removal(db: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE backup_log SET removing_at = NULL WHERE id = $1 AND removed_at IS NULL", id)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records that a backup has been removed completely. `false`: this was already recorded.
pub async fn set_removed(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE backup_log SET removed_at = $2 WHERE id = $1 AND removing_at IS NOT NULL AND removed_at IS NULL",
        id,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Backups whose removal started before `since` and was not completed.
pub async fn half_removed(db: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT id FROM backup_log WHERE removing_at < $1 AND removed_at IS NULL ORDER BY removing_at LIMIT 1000",
        since
    )
    .fetch_all(db)
    .await
}

/// Locks a complete backup until the given time, or unlocks it. `false`: there is no such backup.
pub async fn set_lock(db: &mut PgConnection, id: Uuid, until: Option<DateTime<Utc>>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE backup_log SET locked_until = $2
          WHERE id = $1 AND kind = 'backup' AND status = 'succeeded' AND removing_at IS NULL",
        id,
        until
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
