//! Table `dump_upload`: dumps that people brought, and what became of them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::plain;
use crate::manifest::dump::{Dump, Format, LoadReport, Packing};

/// A dump.
#[derive(Debug)]
pub struct DumpRow {
    /// Key; it names the file.
    pub id: Uuid,
    /// Who sent it; unknown of those before that was kept.
    pub account_id: Option<Uuid>,
    /// Tier that the file lies on.
    pub tier: String,
    /// What its sender calls it.
    pub name: String,
    format: Json<Format>,
    packing: String,
    says_its_end: bool,
    version: Option<Json<(u32, u32)>>,
    /// Which database of it is wanted, where it has names.
    pub source: Option<String>,
    /// Whether all of them are.
    pub everything: bool,
    /// The databases in it.
    pub databases: Json<Vec<String>>,
    /// What was noticed when it was received.
    pub told: Json<Vec<String>>,
    /// Its length.
    pub bytes: i64,
    /// What became of it.
    pub report: Option<Json<LoadReport>>,
}

impl DumpRow {
    /// What it is.
    pub fn dump(&self) -> Dump {
        Dump {
            packing: Packing::parse(&self.packing),
            format: self.format.0,
            version: self.version.as_ref().map(|v| v.0),
            says_its_end: self.says_its_end,
            databases: self.databases.0.clone(),
            told: self.told.0.clone(),
        }
    }
}

/// A row to be written.
#[derive(Debug)]
pub struct NewDump<'a> {
    /// Key.
    pub id: Uuid,
    /// Who sent it.
    pub account: Uuid,
    /// The container it is for; none while its sender is asked something.
    pub container: Option<Uuid>,
    /// Tier of the file.
    pub tier: &'a str,
    /// What its sender calls it.
    pub name: &'a str,
    /// What it is.
    pub dump: &'a Dump,
    /// Which database of it is wanted, where it has names.
    pub source: Option<&'a str>,
    /// Whether all of them are.
    pub everything: bool,
    /// Its length.
    pub bytes: i64,
}

/// Writes it; one that waited for an answer now has it.
///
/// # Errors
/// The database's; no row, if it was given to another container meanwhile.
pub async fn insert(db: &mut PgConnection, new: &NewDump<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO dump_upload AS d (id, container_id, tier, name, format, packing, says_its_end, bytes, received_at, source,
                                  account_id, version, databases, told, everything)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (id) DO UPDATE
            SET container_id = excluded.container_id, source = excluded.source, everything = excluded.everything
              , received_at = excluded.received_at
          WHERE d.container_id IS NULL AND d.account_id = excluded.account_id",
        new.id,
        new.container,
        new.tier,
        new.name,
        Json(new.dump.format) as _,
        new.dump.packing.as_str(),
        new.dump.says_its_end,
        new.bytes,
        now,
        new.source,
        new.account,
        new.dump.version.map(Json) as _,
        plain::json(&new.dump.databases)? as _,
        plain::json(&new.dump.told)? as _,
        new.everything
    )
    .execute(db)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Reads rows as [`DumpRow`]: one text, so that every query reads the same.
macro_rules! select {
    ($rest:literal $(, $arg:expr)+) => {
        sqlx::query_as!(
            DumpRow,
            r#"SELECT id, account_id, tier, name, format AS "format: _", packing, says_its_end, version AS "version: _", source
                    , everything, databases AS "databases: _", told AS "told: _", bytes, report AS "report: _"
                 FROM dump_upload "#
                + $rest
            $(, $arg)+
        )
    };
}

/// The dump that a container is made of.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Option<DumpRow>, sqlx::Error> {
    select!("WHERE container_id = $1", container).fetch_optional(db).await
}

/// A dump that its sender was asked something about.
pub async fn asked_about(db: &mut PgConnection, id: Uuid, account: Uuid) -> Result<Option<DumpRow>, sqlx::Error> {
    select!("WHERE id = $1 AND account_id = $2 AND container_id IS NULL", id, account).fetch_optional(db).await
}

/// Notes that it is being loaded. `false`: it was before.
pub async fn begin(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("UPDATE dump_upload SET begun_at = $2 WHERE id = $1 AND begun_at IS NULL", id, now);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Lets a container's dump be loaded once more: nothing of it is left in a database.
pub async fn again(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE dump_upload SET begun_at = NULL WHERE container_id = $1 AND report IS NULL", container)
        .execute(db)
        .await
        .map(|_| ())
}

/// Notes what became of it.
pub async fn set_report(db: &mut PgConnection, id: Uuid, report: &LoadReport) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE dump_upload SET report = $2 WHERE id = $1", id, plain::json(report)? as _)
        .execute(db)
        .await
        .map(|_| ())
}

/// Keys of those whose files are still wanted: of jobs under way, of loads that failed after `failed`, and of forms that
/// their senders were asked about after `asked`.
pub async fn waiting(
    db: &mut PgConnection,
    failed: DateTime<Utc>,
    asked: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT d.id AS "id!" FROM dump_upload d LEFT JOIN container c ON c.id = d.container_id
          WHERE d.report IS NULL
            AND (c.id IS NULL AND d.received_at > $2
                 OR c.purged_at IS NULL AND c.id IS NOT NULL
                    AND (d.received_at > $1
                         OR EXISTS (SELECT FROM job j WHERE j.container_id = c.id AND j.kind IN ('load', 'load-stopped')
                                       AND j.status IN ('queued', 'running'))))"#,
        failed,
        asked
    )
    .fetch_all(db)
    .await
}

/// Forgets those that nobody answered for.
pub async fn forget_asked(db: &mut PgConnection, asked: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM dump_upload WHERE container_id IS NULL AND received_at <= $1", asked)
        .execute(db)
        .await
        .map(|_| ())
}
