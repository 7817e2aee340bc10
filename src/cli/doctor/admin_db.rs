//! Checks mydb_admin: reachable, up to date, and its clock in sync.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::cli::doctor::report::DoctorReport;
use crate::cli::session::{connect, missing_migrations};
use crate::clock::Clock;
use crate::config::Config;
use crate::secrets::Random;

/// Maximum difference between the two clocks in seconds.
const CLOCK: i64 = 2;

pub(super) async fn examine(report: &mut DoctorReport, config: &Config, clock: &Clock) {
    let mut db = match connect(config, &Random::system()).await {
        Ok(Some(db)) => db,
        Ok(None) => {
            let advice = "The portal creates it at its first start.";
            return report.warn("mydb_admin", "it does not exist yet", advice);
        }
        Err(e) => {
            let advice = format!(
                "A running portal starts its own container. For the log, run: docker logs {}-mydb_admin",
                config.instance
            );
            return report.fail(
                "mydb_admin",
                format!("{e:#}"),
                if config.admin_db.url.is_some() { "" } else { &advice },
            );
        }
    };
    match look(&mut db).await {
        Err(e) => report.fail("mydb_admin", format!("{e:#}"), ""),
        Ok((version, missing, theirs)) => {
            let finding = format!("PostgreSQL {version} is responding");
            match missing {
                0 => report.ok("mydb_admin", format!("{finding}; the schema is up to date")),
                n if n > 0 => {
                    let advice = "The portal applies them when it starts.";
                    report.warn("mydb_admin", format!("{finding}; {n} migrations are pending"), advice);
                }
                _ => {
                    let advice = "Migrations cannot be reverted; run the newer version.";
                    report.fail(
                        "mydb_admin",
                        format!("{finding}; its schema is from a newer version of the portal"),
                        advice,
                    );
                }
            }
            let apart = (clock.now() - theirs).num_seconds().abs();
            if apart > CLOCK {
                let advice = "Synchronise the clocks of both machines (NTP).";
                report.warn("clock", format!("differs from mydb_admin's clock by {apart} s"), advice);
            } else {
                report.ok("clock", format!("agrees with mydb_admin's clock within {CLOCK} s"));
            }
        }
    }
}

async fn look(db: &mut PgConnection) -> anyhow::Result<(String, i64, DateTime<Utc>)> {
    let missing = missing_migrations(db).await?;
    let (version, now) =
        sqlx::query_as("SELECT current_setting('server_version'), clock_timestamp()").fetch_one(db).await?;
    Ok((version, missing, now))
}
