//! A connection to mydb_admin for commands that read or change data independently of the portal process.

use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{MIGRATOR, log};
use crate::bootstrap;
use crate::cli::surroundings::Surroundings;
use crate::clock::Clock;
use crate::config::Config;
use crate::secrets::Random;

const CONNECT: Duration = Duration::from_secs(5);

/// The connection of a command, and who runs the command.
pub(super) struct CommandSession {
    /// mydb_admin.
    pub(super) db: PgConnection,
    /// Random number generator.
    pub(super) random: Random,
    /// Who runs the command, for the log.
    pub(super) actor: Actor,
    /// Start time of the command.
    pub(super) now: DateTime<Utc>,
}

impl CommandSession {
    /// Connects to mydb_admin of the configured instance. Does not start anything.
    pub(super) async fn open(at: &Surroundings) -> anyhow::Result<Self> {
        let config = at.checked_config()?;
        let random = Random::system();
        let Some(mut db) = connect(&config, &random).await? else {
            bail!("the portal {} has no mydb_admin yet: start it once with `db4sci serve`", config.instance);
        };
        let behind = missing_migrations(&mut db).await?;
        if behind != 0 {
            bail!("mydb_admin is of another version of the portal: start this version once with `db4sci serve`");
        }
        let actor = Actor { name: format!("cli:{}", os_user()), ..Actor::default() };
        Ok(Self { db, random, actor, now: Clock::system().now() })
    }
}

/// Adds a row to the log, in the transaction of the change it records.
pub(super) async fn note(
    db: &mut PgConnection,
    actor: &Actor,
    now: DateTime<Utc>,
    action: &str,
    detail: &str,
) -> Result<(), sqlx::Error> {
    log::append(db, actor, &LogEntry { action, container: None, outcome: Outcome::Ok, detail }, now).await
}

/// A connection to mydb_admin, or `None` if it has never been set up.
pub(super) async fn connect(config: &Config, random: &Random) -> anyhow::Result<Option<PgConnection>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let Some(url) = bootstrap::existing_url(config, random)? else { return Ok(None) };
    let connecting = PgConnection::connect(url.expose_secret());
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(Ok(db)) => Ok(Some(db)),
        // Formatted into the message instead of attached as a cause, because its text already includes the errors below
        // it.
        Ok(Err(e)) => bail!("mydb_admin is not responding: {e}"),
        Err(_) => bail!("mydb_admin did not respond within {} s", CONNECT.as_secs()),
    }
}

/// Number of migrations of this program that have not been applied; negative if mydb_admin is newer. The queries are
/// not checked at compile time, because they ask which tables exist.
pub(super) async fn missing_migrations(db: &mut PgConnection) -> anyhow::Result<i64> {
    let table: bool =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL").fetch_one(&mut *db).await?;
    let applied: i64 = if table {
        sqlx::query_scalar("SELECT count(*) FROM _sqlx_migrations WHERE success").fetch_one(db).await?
    } else {
        0
    };
    let known = MIGRATOR.iter().filter(|m| m.migration_type.is_up_migration()).count();
    Ok(i64::try_from(known)? - applied)
}

/// The operating system user, for the log.
pub(super) fn os_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd
        .lines()
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
        .unwrap_or_else(|| uid.to_string())
}
