//! Table `log`: all actions. Rows are only ever added.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// Outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "log_outcome", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Completed, or accepted if a job performs it.
    Ok,
    /// Not permitted.
    Refused,
    /// Attempted and failed.
    Failed,
}

impl Outcome {
    /// The word of the outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    /// The outcome with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ok, Self::Refused, Self::Failed].into_iter().find(|o| o.as_str() == word)
    }
}

/// Who performs an action, and from where.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// User name, or the part of the portal that acts on its own.
    pub name: String,
    /// Client address, or empty.
    pub address: String,
    /// Id of the request, or empty.
    pub request_id: String,
}

impl Actor {
    /// A part of the portal, such as `reconciler`.
    pub fn portal(part: &str) -> Self {
        Self { name: part.to_owned(), ..Self::default() }
    }
}

/// An action to log.
#[derive(Debug, Clone)]
pub struct LogEntry<'a> {
    /// Name of the action, such as `container.create`.
    pub action: &'a str,
    /// The container concerned, if any.
    pub container: Option<(Uuid, &'a str)>,
    /// Outcome of the action.
    pub outcome: Outcome,
    /// A sentence for people.
    pub detail: &'a str,
}

/// Adds a row.
pub async fn append(
    db: &mut PgConnection,
    actor: &Actor,
    entry: &LogEntry<'_>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO log (at, actor, address, action, container_id, container_name, outcome, detail, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, left($8, 4000), $9)",
        now,
        &actor.name,
        &actor.address,
        entry.action,
        entry.container.map(|(id, _)| id),
        entry.container.map_or("", |(_, name)| name),
        entry.outcome as _,
        entry.detail,
        &actor.request_id
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// A row of the log.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// Id, which increases with time.
    pub id: i64,
    /// When the action was logged.
    pub at: DateTime<Utc>,
    /// Who performed the action.
    pub actor: String,
    /// Client address.
    pub address: String,
    /// Name of the action.
    pub action: String,
    /// Name of the container concerned.
    pub container_name: String,
    /// Outcome of the action.
    pub outcome: Outcome,
    /// A sentence for people.
    pub detail: String,
    /// Id of the request.
    pub request_id: String,
}

/// Filter of a list.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Only of this actor.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only on containers of this name.
    pub container: Option<String>,
    /// Only on this container.
    pub container_id: Option<Uuid>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only rows older than this id.
    pub before: Option<i64>,
    /// Maximum number of rows.
    pub limit: i64,
}

/// A page of rows, newest first.
pub async fn list(db: &mut PgConnection, f: &LogFilter) -> Result<Vec<LogRecord>, sqlx::Error> {
    sqlx::query_as!(
        LogRecord,
        r#"SELECT id, at, actor, address, action, container_name, outcome AS "outcome: _", detail, request_id FROM log
          WHERE id < coalesce($1, 9223372036854775807)
            AND ($2::text IS NULL OR actor = $2)
            AND ($3::text IS NULL OR action = $3)
            AND ($4::text IS NULL OR container_name = $4)
            AND ($5::uuid IS NULL OR container_id = $5)
            AND ($6::log_outcome IS NULL OR outcome = $6)
          ORDER BY id DESC LIMIT $7"#,
        f.before,
        f.actor.as_deref(),
        f.action.as_deref(),
        f.container.as_deref(),
        f.container_id,
        f.outcome as _,
        f.limit
    )
    .fetch_all(db)
    .await
}
