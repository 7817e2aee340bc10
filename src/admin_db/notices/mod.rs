//! Table `notice`: notices about a database to its owner and to administrators, and about templates and their dumps to
//! administrators, shown until they are dismissed or resolved.

mod kind;

use chrono::{DateTime, Duration, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::new_id;

pub use kind::NoticeKind;

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Id of the notice.
    pub id: Uuid,
    /// Whether it is about a template.
    pub is_about_template: bool,
    /// Name of the database or template; empty if it is about neither.
    pub subject: String,
    /// Account of the database's owner.
    pub account_id: Option<Uuid>,
    /// User name of the database's owner, or of who created the template.
    pub owner: String,
    /// Contact for questions about the database.
    pub contact: String,
    /// The word of its kind.
    pub kind: String,
    /// The backup concerned.
    pub backup_id: Option<Uuid>,
    /// What happened, for people.
    pub text: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When the owner dismissed it.
    pub owner_seen_at: Option<DateTime<Utc>>,
    /// When an administrator dismissed it.
    pub admin_seen_at: Option<DateTime<Utc>>,
}

impl Notice {
    /// Whether it is about the portal, not about a database or a template.
    pub fn is_about_portal(&self) -> bool {
        self.subject.is_empty()
    }

    /// Whether it is about backups. Kinds that only another version of the portal knows count as such.
    pub fn is_about_backups(&self) -> bool {
        NoticeKind::ALL.iter().find(|kind| kind.as_str() == self.kind).is_none_or(|kind| kind.is_about_backups())
    }
}

macro_rules! select {
    ($rest:literal $(, $arg:expr)*) => {
        sqlx::query_as!(
            Notice,
            r#"SELECT n.id, n.template_id IS NOT NULL AS "is_about_template!", coalesce(c.name, t.name, '') AS "subject!"
                  , c.account_id AS "account_id?", coalesce(a.username, t.created_by, '') AS "owner!"
                  , coalesce(c.contact, '') AS "contact!", n.kind, n.backup_id, n.text, n.at, n.owner_seen_at, n.admin_seen_at
               FROM notice n
               LEFT JOIN container c ON c.id = n.container_id
               LEFT JOIN account a ON a.id = c.account_id
               LEFT JOIN state s ON s.container_id = c.id
               LEFT JOIN template t ON t.id = n.template_id
              -- What lies in the trash needs no backup.
              WHERE n.ended_at IS NULL AND (n.container_id IS NULL OR s.state NOT IN ('deleting', 'trashed')) "#
                + $rest
            $(, $arg)*
        )
    };
}

/// Raises a notice about a database and returns whether it is new. A test restore that fails again, or a restore that differs again,
/// raises it again, and so does the second warning before a database expires; for backups that keep failing or being missed, one notice is enough.
pub async fn raise(
    db: &mut PgConnection,
    container: Uuid,
    kind: NoticeKind,
    about: (Option<Uuid>, &str),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    raise_about(db, (Some(container), None), kind, about, now).await
}

/// Raises a notice that a template could not be imported, again if that failed before.
pub async fn import_failed(
    db: &mut PgConnection,
    template: Uuid,
    text: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    raise_about(db, (None, Some(template)), NoticeKind::ImportFailed, (None, text), now).await
}

/// Raises a notice that the dump of a template cannot be imported.
pub async fn dump_unusable(
    db: &mut PgConnection,
    template: Uuid,
    text: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    raise_about(db, (None, Some(template)), NoticeKind::DumpUnusable, (None, text), now).await
}

/// Raises a notice about the directory of dumps.
pub async fn dumps_unusable(db: &mut PgConnection, text: &str, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    raise_about(db, (None, None), NoticeKind::DumpsUnusable, (None, text), now).await
}

async fn raise_about(
    db: &mut PgConnection,
    (container, template): (Option<Uuid>, Option<Uuid>),
    kind: NoticeKind,
    (backup, text): (Option<Uuid>, &str),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let again = !matches!(
        kind,
        NoticeKind::BackupFailed
            | NoticeKind::BackupMissed
            | NoticeKind::CoresChanged
            | NoticeKind::DumpUnusable
            | NoticeKind::DumpsUnusable
    );
    // xmax is 0 only for rows inserted by this statement.
    sqlx::query_scalar!(
        r#"INSERT INTO notice AS n (id, container_id, kind, backup_id, text, at, tell_after, template_id)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $8)
         ON CONFLICT (coalesce(container_id, template_id, '00000000-0000-0000-0000-000000000000'), kind) WHERE ended_at IS NULL DO UPDATE
            SET text = excluded.text
              , backup_id = excluded.backup_id
              , at = CASE WHEN $7 THEN excluded.at ELSE n.at END
              , owner_seen_at = CASE WHEN $7 THEN NULL ELSE n.owner_seen_at END
              , admin_seen_at = CASE WHEN $7 THEN NULL ELSE n.admin_seen_at END
              , told_at = CASE WHEN $7 THEN NULL ELSE n.told_at END
              , tell_after = CASE WHEN $7 THEN excluded.at ELSE n.tell_after END
              , tell_tries = CASE WHEN $7 THEN 0 ELSE n.tell_tries END
         RETURNING xmax = 0 AS "new!""#,
        new_id(),
        container,
        kind.as_str(),
        backup,
        text,
        now,
        again,
        template
    )
    .fetch_one(db)
    .await
}

/// Resolves notices of failed and missed backups, because a backup has been completed.
pub async fn backed_up(db: &mut PgConnection, container: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET ended_at = $2
          WHERE container_id = $1 AND kind IN ('backup_failed', 'backup_missed') AND ended_at IS NULL",
        container,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Resolves notices of failed test restores after a successful one, unless they concern a later backup.
pub async fn proven(db: &mut PgConnection, drill: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice n SET ended_at = $2
           FROM backup_log d JOIN backup_log b ON b.id = d.drill_of
          WHERE d.id = $1 AND n.container_id = b.container_id AND n.kind = 'drill_failed' AND n.ended_at IS NULL
            AND b.started_at >= coalesce((SELECT f.started_at FROM backup_log f WHERE f.id = n.backup_id), '-infinity')",
        drill,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Resolves notices of differences, because the database now equals its backup.
pub async fn restored(db: &mut PgConnection, container: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET ended_at = $2 WHERE container_id = $1 AND kind = 'restore_differs' AND ended_at IS NULL",
        container,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Reopens notices about the data from before `since`, because the database has been switched back to it, and ends those
/// about later data.
pub async fn gone_back(
    db: &mut PgConnection,
    container: Uuid,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET ended_at = $3
          WHERE container_id = $1 AND kind = 'restore_differs' AND ended_at IS NULL AND at >= $2",
        container,
        since,
        now
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE notice SET ended_at = NULL
          WHERE id = (SELECT id FROM notice
                       WHERE container_id = $1 AND kind = 'restore_differs' AND at < $2 AND ended_at >= $2
                       ORDER BY ended_at LIMIT 1)
            AND NOT EXISTS (SELECT FROM notice WHERE container_id = $1 AND kind = 'restore_differs' AND ended_at IS NULL)",
        container,
        since
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Raises a notice that a database exceeded its memory limit, unless there is one that is younger than an hour: a server in
/// which this happens all the time must not fill its owner's pages. Returns whether it was raised.
pub async fn out_of_memory(
    db: &mut PgConnection,
    container: Uuid,
    text: &str,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let kind = NoticeKind::OutOfMemory;
    let open: Option<DateTime<Utc>> = sqlx::query_scalar!(
        "SELECT at FROM notice WHERE container_id = $1 AND kind = $2 AND ended_at IS NULL",
        container,
        kind.as_str()
    )
    .fetch_optional(&mut *db)
    .await?;
    if open.is_some_and(|at| now - at < Duration::hours(1) && at <= now) {
        return Ok(false);
    }
    raise(db, container, kind, (None, text), now).await.map(|_| true)
}

/// Resolves notices about dumps of templates, except for these templates.
pub async fn end_dumps_but(db: &mut PgConnection, still: &[Uuid], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET ended_at = $2 WHERE kind = 'dump_unusable' AND ended_at IS NULL AND template_id <> ALL($1)",
        still,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The subject of notices that concern neither a database nor a template.
pub const PORTAL: Uuid = Uuid::nil();

/// Resolves notices of one kind about a database or template, or about the portal ([`PORTAL`]).
pub async fn end(
    db: &mut PgConnection,
    subject: Uuid,
    kind: NoticeKind,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET ended_at = $3
          WHERE coalesce(container_id, template_id, '00000000-0000-0000-0000-000000000000') = $1 AND kind = $2 AND ended_at IS NULL",
        subject,
        kind.as_str(),
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Databases that have an open notice of a missed backup.
pub async fn missing(db: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT container_id AS "container_id!" FROM notice WHERE kind = 'backup_missed' AND ended_at IS NULL"#
    )
    .fetch_all(db)
    .await
}

/// Resolves notices of missed backups, except for these databases.
pub async fn end_missing_but(db: &mut PgConnection, still: &[Uuid], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET ended_at = $2 WHERE kind = 'backup_missed' AND ended_at IS NULL AND container_id <> ALL($1)",
        still,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// Notices not yet dismissed by an owner of databases, the newest first.
pub async fn of_owner(db: &mut PgConnection, account: Uuid) -> Result<Vec<Notice>, sqlx::Error> {
    select!("AND c.account_id = $1 AND n.owner_seen_at IS NULL ORDER BY n.at DESC, n.id LIMIT 50", account)
        .fetch_all(db)
        .await
}

/// Notices not yet dismissed by an administrator, the newest first. Only its owner is warned before a database expires.
pub async fn of_admins(db: &mut PgConnection) -> Result<Vec<Notice>, sqlx::Error> {
    select!("AND n.admin_seen_at IS NULL AND n.kind <> 'expires_soon' ORDER BY n.at DESC, n.id LIMIT 50")
        .fetch_all(db)
        .await
}

/// Unresolved notices of a database.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Vec<Notice>, sqlx::Error> {
    select!("AND n.container_id = $1 ORDER BY n.at DESC, n.id", container).fetch_all(db).await
}

/// Records who dismissed it. `false`: the database or template has no such notice.
pub async fn see(
    db: &mut PgConnection,
    (id, subject): (Uuid, Uuid),
    (owner, admin): (bool, bool),
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE notice
            SET owner_seen_at = CASE WHEN $3 THEN coalesce(owner_seen_at, $5) ELSE owner_seen_at END
              , admin_seen_at = CASE WHEN $4 THEN coalesce(admin_seen_at, $5) ELSE admin_seen_at END
          WHERE id = $1 AND coalesce(container_id, template_id, '00000000-0000-0000-0000-000000000000') = $2",
        id,
        subject,
        owner,
        admin,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Number of unresolved notices by kind.
pub async fn counts(db: &mut PgConnection) -> Result<Vec<(String, i64)>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT n.kind, count(*) AS "notices!" FROM notice n LEFT JOIN state s ON s.container_id = n.container_id
          WHERE n.ended_at IS NULL AND (n.container_id IS NULL OR s.state NOT IN ('deleting', 'trashed')) GROUP BY n.kind"#
    )
    .map(|r| (r.kind, r.notices))
    .fetch_all(db)
    .await
}

/// Claims a notice not yet passed to the configured program, for at most the time the program may take; after that, it
/// can be claimed again.
pub async fn claim(db: &mut PgConnection, now: DateTime<Utc>, most: Duration) -> Result<Option<Notice>, sqlx::Error> {
    let id: Option<Uuid> = sqlx::query_scalar!(
        "UPDATE notice SET tell_after = $1::timestamptz + $2::interval, tell_tries = tell_tries + 1
          WHERE id = (SELECT id FROM notice
                       WHERE told_at IS NULL AND ended_at IS NULL AND tell_after <= $1
                         -- Older ones are from before there was a program, or it has been out of order for too long.
                         AND at > $1 - interval '1 day'
                       -- One that fails keeps no other waiting.
                       ORDER BY tell_tries, at LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id",
        now,
        most as _
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(id) = id else { return Ok(None) };
    select!("AND n.id = $1", id).fetch_optional(db).await
}

/// Records that this version of a notice was passed to the configured program. A notice raised again meanwhile has to
/// be passed again.
pub async fn mark_reported(db: &mut PgConnection, n: &Notice, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE notice SET told_at = $3 WHERE id = $1 AND at = $2", n.id, n.at, now)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records that the configured program failed. It is retried after a delay that grows to an hour.
pub async fn put_back(db: &mut PgConnection, n: &Notice, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE notice SET tell_after = $3::timestamptz + least(interval '1 second' * 2 ^ least(tell_tries, 20), interval '1 hour')
          WHERE id = $1 AND at = $2",
        n.id,
        n.at,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}
