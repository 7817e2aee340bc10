//! When databases with a time to live expire, and the warnings before that.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::{Container, select};
use crate::admin_db::one_row;

/// Sets or removes the expiry of a database. Withdraws warnings about the previous expiry, which no longer count.
pub async fn set(
    db: &mut PgConnection,
    id: Uuid,
    end: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET expires_at = $2, expiry_set_at = $3, expiry_warned_at = NULL
          WHERE id = $1 AND purged_at IS NULL",
        id,
        end,
        end.map(|_| now)
    )
    .execute(&mut *db)
    .await?;
    one_row(&done)?;
    sqlx::query!(
        "UPDATE notice SET ended_at = $2 WHERE container_id = $1 AND kind = 'expires_soon' AND ended_at IS NULL",
        id,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The databases that expire, the earliest first, except those in the trash.
pub async fn temporary(db: &mut PgConnection) -> Result<Vec<Container>, sqlx::Error> {
    select!(
        "WHERE (c.expires_at IS NOT NULL OR c.template_version IS NOT NULL) AND c.purged_at IS NULL AND s.state NOT IN ('deleting', 'trashed')
         ORDER BY c.expires_at, c.id"
    )
    .fetch_all(db)
    .await
}

/// A database that expires soon.
#[derive(Debug, Clone)]
pub struct EndsSoon {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// When it expires.
    pub end: DateTime<Utc>,
    /// When this expiry was set.
    pub set_at: DateTime<Utc>,
    /// When its owner was last warned of this expiry.
    pub warned_at: Option<DateTime<Utc>>,
    /// Whether it is deleted permanently at once; see [`Container::is_disposable`].
    pub is_disposable: bool,
}

/// The databases that expire by `until`, the earliest first, except those in the trash.
pub async fn ends_by(db: &mut PgConnection, until: DateTime<Utc>) -> Result<Vec<EndsSoon>, sqlx::Error> {
    sqlx::query_as!(
        EndsSoon,
        r#"SELECT c.id, c.name, c.expires_at AS "end!", coalesce(c.expiry_set_at, c.created_at) AS "set_at!"
                , c.expiry_warned_at AS warned_at
                , c.template_version IS NOT NULL AND lower(c.backup_freq) = 'never' AS "is_disposable!"
             FROM container c JOIN state s ON s.container_id = c.id
            WHERE c.expires_at <= $1 AND c.purged_at IS NULL AND s.state NOT IN ('deleting', 'trashed')
            ORDER BY c.expires_at, c.id"#,
        until
    )
    .fetch_all(db)
    .await
}

/// Records a warning about this expiry. `false`: the expiry has changed meanwhile.
pub async fn set_warned(db: &mut PgConnection, of: &EndsSoon, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE container SET expiry_warned_at = $3 WHERE id = $1 AND expires_at = $2",
        of.id,
        of.end,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
