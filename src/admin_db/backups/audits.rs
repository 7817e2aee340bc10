//! Table `backup_audit`: the reports of backup audits.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::admin_db::new_id;
use crate::domain::audit::{AuditReport, FindingKind};

/// Days for which reports are kept.
const DAYS: i64 = 90;

/// Stores a report and deletes old ones.
pub async fn insert(db: &mut PgConnection, report: &AuditReport) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO backup_audit (id, at, counts, report) VALUES ($1, $2, $3, $4)",
        new_id(),
        report.at,
        Json(&report.counts) as _,
        Json(report) as _
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("DELETE FROM backup_audit WHERE at < $1", report.at - chrono::Duration::days(DAYS))
        .execute(db)
        .await
        .map(|_| ())
}

/// The newest report.
pub async fn newest(db: &mut PgConnection) -> Result<Option<AuditReport>, sqlx::Error> {
    let found: Option<Json<AuditReport>> = sqlx::query_scalar!(
        r#"SELECT report AS "report: Json<AuditReport>" FROM backup_audit ORDER BY at DESC LIMIT 1"#
    )
    .fetch_optional(db)
    .await?;
    Ok(found.map(|r| r.0))
}

/// Number of findings of each kind.
pub type FindingCounts = BTreeMap<FindingKind, u64>;

/// The time of the newest report and its number of findings of each kind.
pub async fn counts(db: &mut PgConnection) -> Result<Option<(DateTime<Utc>, FindingCounts)>, sqlx::Error> {
    let found: Option<(DateTime<Utc>, Json<FindingCounts>)> = sqlx::query!(
        r#"SELECT at, counts AS "counts: Json<FindingCounts>" FROM backup_audit ORDER BY at DESC LIMIT 1"#
    )
    .map(|r| (r.at, r.counts))
    .fetch_optional(db)
    .await?;
    Ok(found.map(|(at, counts)| (at, counts.0)))
}

/// What the newest report covers and found.
#[derive(Debug, Clone)]
pub struct AuditSummary {
    /// When the audit started.
    pub at: DateTime<Utc>,
    /// Number of databases it covered.
    pub databases: i64,
    /// Number of findings of each kind.
    pub counts: FindingCounts,
}

/// The summary of the newest report.
pub async fn summary(db: &mut PgConnection) -> Result<Option<AuditSummary>, sqlx::Error> {
    sqlx::query!(
        r#"SELECT at, counts AS "counts: Json<FindingCounts>", (report ->> 'databases')::bigint AS "databases!"
             FROM backup_audit ORDER BY at DESC LIMIT 1"#
    )
    .map(|r| AuditSummary { at: r.at, databases: r.databases, counts: r.counts.0 })
    .fetch_optional(db)
    .await
}
