//! Table `dump_upload`: dumps that people brought, and what became of them.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::intake::format::{Dump, Format, Packing};
use crate::intake::report::LoadReport;

/// A dump.
#[derive(Debug, FromRow)]
pub struct DumpRow {
    /// Key; it names the file.
    pub id: Uuid,
    /// Tier that the file lies on.
    pub tier: String,
    /// What its sender calls it.
    pub name: String,
    format: Json<Format>,
    packing: String,
    says_its_end: bool,
    /// Which database of it is wanted, where it has names.
    pub source: Option<String>,
    /// What became of it.
    pub report: Option<Json<LoadReport>>,
}

impl DumpRow {
    /// What it is.
    pub fn dump(&self) -> Dump {
        let packing = match self.packing.as_str() {
            "gzip" => Packing::Gzip,
            "zstd" => Packing::Zstd,
            _ => Packing::None,
        };
        Dump { packing, format: self.format.0, version: None, says_its_end: self.says_its_end, databases: Vec::new() }
    }
}

/// A row to be written.
#[derive(Debug)]
pub struct NewDump<'a> {
    /// Key.
    pub id: Uuid,
    /// The container it is for.
    pub container: Uuid,
    /// Tier of the file.
    pub tier: &'a str,
    /// What its sender calls it.
    pub name: &'a str,
    /// What it is.
    pub dump: &'a Dump,
    /// Which database of it is wanted, where it has names.
    pub source: Option<&'a str>,
    /// Its length.
    pub bytes: i64,
}

/// Writes it.
///
/// # Errors
/// The database's.
pub async fn insert(db: &mut PgConnection, new: &NewDump<'_>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let packing = match new.dump.packing {
        Packing::None => "none",
        Packing::Gzip => "gzip",
        Packing::Zstd => "zstd",
    };
    sqlx::query(
        "INSERT INTO dump_upload (id, container_id, tier, name, format, packing, says_its_end, bytes, received_at, source)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(new.id)
    .bind(new.container)
    .bind(new.tier)
    .bind(new.name)
    .bind(Json(new.dump.format))
    .bind(packing)
    .bind(new.dump.says_its_end)
    .bind(new.bytes)
    .bind(now)
    .bind(new.source)
    .execute(db)
    .await
    .map(|_| ())
}

/// The dump that a container is made of.
///
/// # Errors
/// The database's.
pub async fn of_container(db: &mut PgConnection, container: Uuid) -> Result<Option<DumpRow>, sqlx::Error> {
    sqlx::query_as(
        "SELECT id, tier, name, format, packing, says_its_end, source, report FROM dump_upload WHERE container_id = $1",
    )
    .bind(container)
    .fetch_optional(db)
    .await
}

/// Notes that it is being loaded. `false`: it was before.
///
/// # Errors
/// The database's.
pub async fn begin(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query("UPDATE dump_upload SET begun_at = $2 WHERE id = $1 AND begun_at IS NULL");
    Ok(done.bind(id).bind(now).execute(db).await?.rows_affected() == 1)
}

/// Notes what became of it.
///
/// # Errors
/// The database's.
pub async fn set_report(db: &mut PgConnection, id: Uuid, report: &LoadReport) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE dump_upload SET report = $2 WHERE id = $1")
        .bind(id)
        .bind(Json(report))
        .execute(db)
        .await
        .map(|_| ())
}

/// Keys of those whose job is not over.
///
/// # Errors
/// The database's.
pub async fn waiting(db: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT d.id FROM dump_upload d JOIN job j ON j.container_id = d.container_id
          WHERE j.kind IN ('load', 'load-stopped') AND j.status IN ('queued', 'running')",
    )
    .fetch_all(db)
    .await
}
