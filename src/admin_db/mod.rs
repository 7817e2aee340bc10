//! mydb_admin, the portal's own database. One file for each table; every function takes the connection or transaction
//! to use.

pub mod backups;
pub mod containers;
pub mod dumps;
pub mod image_tools;
pub mod imports;
pub mod jobs;
pub mod log;
pub mod notices;
pub mod people;
pub mod pulse;
pub mod seeds;
pub mod spares;
pub mod storable_text;
pub mod switches;
pub mod templates;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

/// The migrations, embedded in the binary. There are no down migrations.
pub static MIGRATOR: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// A new id. Version 7 UUIDs are sorted by time, so indexes grow at their end.
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Opens a pool. It connects on first use and reconnects automatically. Pages must not hang while mydb_admin is
/// unavailable, so waiting for a connection fails after `patience`.
pub fn pool(url: &str, connections: u32, patience: Duration) -> Result<PgPool, sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    Ok(PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(patience)
        .idle_timeout(Duration::from_secs(300))
        .connect_lazy_with(options.application_name("db4sci")))
}

/// Whether an error means that mydb_admin is currently unavailable rather than that it rejected a statement.
pub fn is_unreachable(e: &sqlx::Error) -> bool {
    match e {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => true,
        // Class 57P: shutting down, starting up, crashed; 08: connection; 53300: too many connections.
        sqlx::Error::Database(e) => {
            e.code().is_some_and(|c| c.starts_with("57P") || c.starts_with("08") || c == "53300")
        }
        _ => false,
    }
}

/// The name of the violated constraint, if any.
pub fn constraint(e: &sqlx::Error) -> Option<&str> {
    e.as_database_error().and_then(sqlx::error::DatabaseError::constraint)
}

/// Checks that an update changed exactly one row.
///
/// # Errors
/// [`sqlx::Error::RowNotFound`] if it did not: somebody else was faster.
pub fn one_row(done: &sqlx::postgres::PgQueryResult) -> Result<(), sqlx::Error> {
    if done.rows_affected() == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
}

/// Checks that mydb_admin responds.
pub async fn ping(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!("SELECT 1").fetch_one(db).await.map(|_| ())
}

/// The version of mydb_admin's server and the size of the database in bytes.
pub async fn about(db: &mut PgConnection) -> Result<(String, i64), sqlx::Error> {
    sqlx::query!(
        r#"SELECT current_setting('server_version') AS "version!", pg_database_size(current_database()) AS "bytes!""#
    )
    .map(|r| (r.version, r.bytes))
    .fetch_one(db)
    .await
}
