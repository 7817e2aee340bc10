//! Table `finding`: differences between the container engine and mydb_admin.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A difference between the container engine and mydb_admin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedFinding {
    /// The name of a container in the engine, or a directory.
    pub subject: String,
    /// The kind of difference: `missing`, `stopped`, `unknown`, `running` …
    pub kind: String,
    /// A sentence for people.
    pub detail: String,
    /// The container concerned.
    pub container_id: Option<Uuid>,
    /// When it was first seen.
    pub first_seen: DateTime<Utc>,
    /// When it was last seen.
    pub last_seen: DateTime<Utc>,
}

/// Records a difference and returns whether it is new. Never moves `last_seen` back, so that a later run that has seen
/// it too does not delete it.
pub async fn note(
    db: &mut PgConnection,
    subject: &str,
    kind: &str,
    detail: &str,
    container: Option<Uuid>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    // xmax is 0 only for rows inserted by this statement.
    sqlx::query_scalar!(
        r#"INSERT INTO finding (subject, kind, detail, container_id, first_seen, last_seen)
         VALUES ($1, $2, $3, $4, $5, $5)
         ON CONFLICT (subject, kind) DO UPDATE SET detail = excluded.detail, last_seen = greatest(finding.last_seen, excluded.last_seen)
         RETURNING xmax = 0 AS "new!""#,
        subject,
        kind,
        detail,
        container,
        now
    )
    .fetch_one(db)
    .await
}

/// Deletes the differences that the run at `now` has not seen. Those of a run that started later are kept; times
/// further in the future were recorded before the clock was set back.
pub async fn forget_unseen(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<RecordedFinding>, sqlx::Error> {
    sqlx::query_as!(
        RecordedFinding,
        "DELETE FROM finding WHERE last_seen < $1 OR last_seen > $1 + interval '10 minutes'
         RETURNING subject, kind, detail, container_id, first_seen, last_seen",
        now
    )
    .fetch_all(db)
    .await
}

/// A difference with the name of its container.
#[derive(Debug, Clone)]
pub struct ListedFinding {
    /// The difference.
    pub finding: RecordedFinding,
    /// Name of the container concerned.
    pub container_name: Option<String>,
}

/// Maximum number of differences in a list.
pub const MOST: usize = 500;

/// The differences with the names of their containers, the newest first, at most [`MOST`].
pub async fn listed(db: &mut PgConnection) -> Result<Vec<ListedFinding>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT f.subject AS "subject!", f.kind AS "kind!", f.detail AS "detail!", f.container_id AS "container_id?"
                , f.first_seen AS "first_seen!", f.last_seen AS "last_seen!", c.name AS "container_name?"
             FROM finding f LEFT JOIN container c ON c.id = f.container_id
            ORDER BY f.first_seen DESC, f.subject LIMIT 500"#
    )
    .map(|r| ListedFinding {
        finding: RecordedFinding {
            subject: r.subject,
            kind: r.kind,
            detail: r.detail,
            container_id: r.container_id,
            first_seen: r.first_seen,
            last_seen: r.last_seen,
        },
        container_name: r.container_name,
    })
    .fetch_all(db)
    .await
}

/// All differences.
pub async fn list(db: &mut PgConnection) -> Result<Vec<RecordedFinding>, sqlx::Error> {
    sqlx::query_as!(
        RecordedFinding,
        "SELECT subject, kind, detail, container_id, first_seen, last_seen FROM finding
          ORDER BY first_seen DESC, subject LIMIT 500"
    )
    .fetch_all(db)
    .await
}
