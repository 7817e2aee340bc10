//! The expiry of a database: set by its owner, or by the rules of the site.

use chrono::{DateTime, Utc};

use crate::admin_db::containers::{Container, expiry, states};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{containers, log};
use crate::app::App;
use crate::domain::engine::EngineKind;
use crate::domain::state::ContainerState;
use crate::domain::ttl::TtlLimits;
use crate::domain::user::Role;
use crate::queue::refusal::RequestError;

/// What the site allows somebody with this role.
pub fn limits(app: &App, role: Role, engine: EngineKind) -> TtlLimits {
    app.config.limits.ttl.of(role, engine)
}

/// When a database expires if nobody has chosen a time.
pub fn usual_end(app: &App, role: Role, engine: EngineKind) -> Option<DateTime<Utc>> {
    limits(app, role, engine).usual().end(app.clock.now()).ok().flatten()
}

/// A change of the expiry, in words for the log.
pub(super) fn change(before: Option<DateTime<Utc>>, after: Option<DateTime<Utc>>) -> String {
    let text = |end: Option<DateTime<Utc>>| {
        end.map_or("never".to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
    };
    format!("expires {} → {}", text(before), text(after))
}

/// Sets or removes the expiry of a database.
///
/// # Errors
/// [`RequestError::State`] if it is in the trash or being deleted: it is too late then.
pub async fn extend(app: &App, c: &Container, end: Option<DateTime<Utc>>, actor: &Actor) -> Result<(), RequestError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // The reaper takes the same lock before it checks the expiry again.
    let state = states::lock(&mut tx, c.id).await?.ok_or(RequestError::Gone)?;
    if matches!(state, ContainerState::Deleting | ContainerState::Trashed) {
        return Err(RequestError::State(state));
    }
    let c = containers::by_id(&mut tx, c.id).await?.ok_or(RequestError::Gone)?;
    expiry::set(&mut tx, c.id, end, now).await?;
    let detail = change(c.expires_at, end);
    let entry = LogEntry {
        action: "container.extend",
        container: Some((c.id, &c.name)),
        outcome: Outcome::Ok,
        detail: &detail,
    };
    log::append(&mut tx, actor, &entry, now).await?;
    Ok(tx.commit().await?)
}
