//! Table `setting`: portal-wide switches.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

const READ_ONLY: &str = "read_only";
const INSTANCE: &str = "instance";

async fn get(db: &mut PgConnection, key: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT value #>> '{}' AS "value!" FROM setting WHERE key = $1"#, key)
        .fetch_optional(db)
        .await
}

async fn set(db: &mut PgConnection, key: &str, value: &str, by: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO setting (key, value, changed_by, changed_at) VALUES ($1, to_jsonb($2::text), $3, $4)
         ON CONFLICT (key) DO UPDATE
            SET value = excluded.value, changed_by = excluded.changed_by, changed_at = excluded.changed_at",
        key,
        value,
        by,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}

/// The banner text while the portal is read-only.
pub async fn read_only(db: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    get(db, READ_ONLY).await
}

/// Makes the portal read-only with this banner, or ends read-only mode.
pub async fn set_read_only(
    db: &mut PgConnection,
    banner: Option<&str>,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    match banner {
        Some(text) => set(db, READ_ONLY, text, by, now).await,
        None => {
            sqlx::query!("DELETE FROM setting WHERE key = $1", READ_ONLY).execute(db).await?;
            Ok(())
        }
    }
}

/// Binds this database to an instance and returns the instance it is bound to: a portal with the mydb_admin of another
/// instance must not treat its containers as lost.
pub async fn bind_instance(db: &mut PgConnection, instance: &str, now: DateTime<Utc>) -> Result<String, sqlx::Error> {
    if let Some(bound) = get(db, INSTANCE).await? {
        return Ok(bound);
    }
    set(db, INSTANCE, instance, "portal", now).await?;
    Ok(instance.to_owned())
}
