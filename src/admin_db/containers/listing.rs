//! Pages of table `container`: filtered, sorted, and continued after a row.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::{Container, select};
use crate::domain::state::ContainerState;

/// Filter and order of a list.
#[derive(Debug, Clone, Default)]
pub struct ContainerQuery {
    /// Only of this account.
    pub account: Option<Uuid>,
    /// Only if name, description or database contain this text.
    pub text: Option<String>,
    /// Only in this state.
    pub state: Option<ContainerState>,
    /// Include permanently deleted ones.
    pub purged: bool,
    /// Continue after this row: its time and id.
    pub after: Option<(DateTime<Utc>, Uuid)>,
    /// Continue after this name, when sorted by name.
    pub after_name: Option<String>,
    /// Sort by name instead of newest first.
    pub by_name: bool,
    /// Sort by the time of the newest backup, those without one first. `after` continues after that time, or after
    /// [`NO_BACKUP`].
    pub by_loss: bool,
    /// Maximum number of rows.
    pub limit: i64,
}

/// The time that stands for a missing backup.
pub const NO_BACKUP: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// A page of containers.
pub async fn list(db: &mut PgConnection, f: &ContainerQuery) -> Result<Vec<Container>, sqlx::Error> {
    let pattern =
        f.text.as_ref().map(|t| format!("%{}%", t.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
    let (at, id) = f.after.unzip();
    macro_rules! page {
        ($rest:literal) => {
            select!($rest, f.account, pattern, f.state as _, at, id, f.after_name.as_deref(), f.limit)
                .fetch_all(db)
                .await
        };
    }
    if f.by_loss {
        return page!(
            "LEFT JOIN LATERAL (SELECT started_at FROM backup_log WHERE container_id = c.id AND kind = 'backup'
                                   AND status = 'succeeded' AND removed_at IS NULL AND removing_at IS NULL
                                 ORDER BY started_at DESC LIMIT 1) g ON true
             WHERE c.purged_at IS NULL AND ($1::uuid IS NULL OR c.account_id = $1)
               AND ($2::text IS NULL OR c.name ILIKE $2 OR c.description ILIKE $2 OR c.dbname ILIKE $2)
               AND ($3::container_state IS NULL OR s.state = $3)
               AND ($4::timestamptz IS NULL OR (coalesce(g.started_at, 'epoch'), c.id) > ($4, $5::uuid))
               AND ($6::text IS NULL OR true)
             ORDER BY coalesce(g.started_at, 'epoch'), c.id LIMIT $7"
        );
    }
    // Separate statements instead of one with OR, so that each uses the index made for it.
    match (f.by_name, f.account.is_some(), f.purged) {
        (true, _, _) => page!(
            "WHERE c.purged_at IS NULL AND ($1::uuid IS NULL OR c.account_id = $1)
               AND ($2::text IS NULL OR c.name ILIKE $2 OR c.description ILIKE $2 OR c.dbname ILIKE $2)
               AND ($3::container_state IS NULL OR s.state = $3)
               AND ($4::timestamptz IS NULL OR true) AND ($5::uuid IS NULL OR true) AND ($6::text IS NULL OR c.name > $6)
             ORDER BY c.name LIMIT $7"
        ),
        (false, true, _) => page!(
            "WHERE c.purged_at IS NULL AND c.account_id = $1
               AND ($2::text IS NULL OR c.name ILIKE $2 OR c.description ILIKE $2 OR c.dbname ILIKE $2)
               AND ($3::container_state IS NULL OR s.state = $3)
               AND ($4::timestamptz IS NULL OR (c.created_at, c.id) < ($4, $5::uuid)) AND ($6::text IS NULL OR true)
             ORDER BY c.created_at DESC, c.id DESC LIMIT $7"
        ),
        (false, false, false) => page!(
            "WHERE c.purged_at IS NULL AND ($1::uuid IS NULL OR true)
               AND ($2::text IS NULL OR c.name ILIKE $2 OR c.description ILIKE $2 OR c.dbname ILIKE $2)
               AND ($3::container_state IS NULL OR s.state = $3)
               AND ($4::timestamptz IS NULL OR (c.created_at, c.id) < ($4, $5::uuid)) AND ($6::text IS NULL OR true)
             ORDER BY c.created_at DESC, c.id DESC LIMIT $7"
        ),
        (false, false, true) => page!(
            "WHERE ($1::uuid IS NULL OR true)
               AND ($2::text IS NULL OR c.name ILIKE $2 OR c.description ILIKE $2 OR c.dbname ILIKE $2)
               AND ($3::container_state IS NULL OR coalesce(s.state, 'purged') = $3)
               AND ($4::timestamptz IS NULL OR (c.created_at, c.id) < ($4, $5::uuid)) AND ($6::text IS NULL OR true)
             ORDER BY c.created_at DESC, c.id DESC LIMIT $7"
        ),
    }
}
