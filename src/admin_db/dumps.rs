//! Table `dump_upload`: uploaded dumps and the results of loading them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::storable_text;
use crate::manifest::dump::{Dump, Format, LoadReport, Packing};

/// An uploaded dump.
#[derive(Debug)]
pub struct DumpRow {
    /// Id, which is also part of the file's name.
    pub id: Uuid,
    /// Who uploaded it; unknown for uploads from before this was recorded.
    pub account_id: Option<Uuid>,
    /// Tier on which the file is stored.
    pub tier: String,
    /// Name given by the uploader.
    pub name: String,
    format: Json<Format>,
    packing: String,
    says_its_end: bool,
    version: Option<Json<(u32, u32)>>,
    /// The selected database, if the dump names its databases.
    pub source: Option<String>,
    /// Whether all its databases are selected.
    pub everything: bool,
    /// Names of the databases in it.
    pub databases: Json<Vec<String>>,
    /// Remarks made while it was received.
    pub told: Json<Vec<String>>,
    /// Size in bytes.
    pub bytes: i64,
    /// The result of loading it.
    pub report: Option<Json<LoadReport>>,
}

impl DumpRow {
    /// Format and compression of the dump.
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

/// A row to insert.
#[derive(Debug)]
pub struct NewDump<'a> {
    /// Id of the dump.
    pub id: Uuid,
    /// Who uploaded it.
    pub account: Uuid,
    /// The container it is for; none while a question to the uploader is open.
    pub container: Option<Uuid>,
    /// Tier on which the file is stored.
    pub tier: &'a str,
    /// Name given by the uploader.
    pub name: &'a str,
    /// Format and compression of the dump.
    pub dump: &'a Dump,
    /// The selected database, if the dump names its databases.
    pub source: Option<&'a str>,
    /// Whether all its databases are selected.
    pub everything: bool,
    /// Size in bytes.
    pub bytes: i64,
}

/// Inserts a dump, or updates one whose question has been answered.
///
/// # Errors
/// Errors of the database; no row if the dump was assigned to another container meanwhile.
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
        storable_text::json(&new.dump.databases)? as _,
        storable_text::json(&new.dump.told)? as _,
        new.everything
    )
    .execute(db)
    .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Reads rows as [`DumpRow`], with the same columns in every query.
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

/// The dump that a container is created from.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Option<DumpRow>, sqlx::Error> {
    select!("WHERE container_id = $1", container).fetch_optional(db).await
}

/// A dump with an open question to its uploader.
pub async fn asked_about(db: &mut PgConnection, id: Uuid, account: Uuid) -> Result<Option<DumpRow>, sqlx::Error> {
    select!("WHERE id = $1 AND account_id = $2 AND container_id IS NULL", id, account).fetch_optional(db).await
}

/// Records that loading starts. `false`: it had already started.
pub async fn begin(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("UPDATE dump_upload SET begun_at = $2 WHERE id = $1 AND begun_at IS NULL", id, now);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Allows a container's dump to be loaded again, because nothing of it is left in a database.
pub async fn again(db: &mut PgConnection, container: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE dump_upload SET begun_at = NULL WHERE container_id = $1 AND report IS NULL", container)
        .execute(db)
        .await
        .map(|_| ())
}

/// Records the result of loading.
pub async fn set_report(db: &mut PgConnection, id: Uuid, report: &LoadReport) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE dump_upload SET report = $2 WHERE id = $1", id, storable_text::json(report)? as _)
        .execute(db)
        .await
        .map(|_| ())
}

/// Ids of dumps whose files are still needed: by unfinished jobs, for retrying loads that failed after `failed`, and
/// for questions to uploaders asked after `asked`.
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

/// Deletes dumps whose question was not answered in time.
pub async fn forget_asked(db: &mut PgConnection, asked: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM dump_upload WHERE container_id IS NULL AND received_at <= $1", asked)
        .execute(db)
        .await
        .map(|_| ())
}
