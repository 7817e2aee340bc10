//! Table `log`: every action. Rows are only ever added.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type, serde::Serialize)]
#[sqlx(type_name = "log_outcome", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Done, or accepted where a job does it.
    Ok,
    /// Not allowed.
    Refused,
    /// Tried and failed.
    Failed,
}

impl Outcome {
    /// The outcome's word.
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

/// Who acts, and from where.
#[derive(Debug, Clone, Default)]
pub struct Actor {
    /// Account, or the part of the portal that acted by itself.
    pub name: String,
    /// Address, or empty.
    pub address: String,
    /// Request, or empty.
    pub request_id: String,
}

impl Actor {
    /// A part of the portal, such as `reconciler`.
    pub fn portal(part: &str) -> Self {
        Self { name: part.to_owned(), ..Self::default() }
    }
}

/// What happened.
#[derive(Debug, Clone)]
pub struct LogEntry<'a> {
    /// The action, such as `container.create`.
    pub action: &'a str,
    /// On which container.
    pub container: Option<(Uuid, &'a str)>,
    /// How it ended.
    pub outcome: Outcome,
    /// A sentence.
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

/// A row.
#[derive(Debug, Clone)]
pub struct LogRecord {
    /// Key; grows with time.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// On which container.
    pub container_name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// A sentence.
    pub detail: String,
    /// The request.
    pub request_id: String,
}

/// What a list shows.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Only this actor's.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only on containers of this name.
    pub container: Option<String>,
    /// Only on this container.
    pub container_id: Option<Uuid>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only rows older than this key.
    pub before: Option<i64>,
    /// Most rows.
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
