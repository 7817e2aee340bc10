//! The new expiry of an expired database that is restored from the trash.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers;
use crate::admin_db::containers::{Container, expiry};
use crate::admin_db::people::accounts;
use crate::app::App;
use crate::domain::expiry::is_over;
use crate::provision::lifetime;

/// Gives an expired database that is restored from the trash a new expiry: the site's default, or none. With the old one, it
/// would be deleted again at once.
pub(super) async fn renew(app: &App, tx: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    let now = app.clock.now();
    let Some(c) = containers::by_id(&mut *tx, id).await?.filter(|c| is_over(c.expires_at, now)) else { return Ok(()) };
    let end = end_after_undelete(app, &mut *tx, &c).await?;
    expiry::set(&mut *tx, id, end, now).await
}

/// When an expired database will expire if it is restored from the trash now.
pub async fn end_after_undelete(
    app: &App,
    db: &mut PgConnection,
    c: &Container,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let owner = accounts::by_id(db, c.account_id).await?.and_then(|account| account.user());
    Ok(owner.and_then(|owner| lifetime::usual_end(app, owner.role, c.engine)))
}
