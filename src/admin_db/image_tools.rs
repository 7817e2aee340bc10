//! Table `image_tool`: which programs an image contains, determined once for each digest.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::engine::Tools;

/// The known tools of an image; `None` if it has not been inspected yet.
pub async fn get(db: &mut PgConnection, digest: &str) -> Result<Option<Tools>, sqlx::Error> {
    let found: Option<Vec<String>> =
        sqlx::query_scalar!("SELECT tools FROM image_tool WHERE digest = $1", digest).fetch_optional(db).await?;
    Ok(found.map(Tools))
}

/// The same, if the image has been inspected for all of these programs.
pub async fn of(db: &mut PgConnection, digest: &str, asked: &[String]) -> Result<Option<Tools>, sqlx::Error> {
    let found: Option<Vec<String>> =
        sqlx::query_scalar!("SELECT tools FROM image_tool WHERE digest = $1 AND asked @> $2", digest, asked)
            .fetch_optional(db)
            .await?;
    Ok(found.map(Tools))
}

/// Records which of the programs in `asked` were found.
pub async fn set(
    db: &mut PgConnection,
    digest: &str,
    asked: &[String],
    tools: &Tools,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO image_tool (digest, asked, tools, looked_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (digest) DO UPDATE SET asked = excluded.asked, tools = excluded.tools, looked_at = excluded.looked_at",
        digest,
        asked,
        &tools.0,
        now
    )
    .execute(db)
    .await
    .map(|_| ())
}
