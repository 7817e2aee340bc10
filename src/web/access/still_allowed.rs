//! Ends long-lived responses within seconds once the client is no longer allowed to see them: the account was disabled
//! or signed out, its role changed, or the database has another owner.

use std::time::Duration;

use uuid::Uuid;

use crate::admin_db::{containers, jobs};
use crate::domain::user::{Action, Permission, can};
use crate::web::access::identity;
use crate::web::access::job_access::may_see_unowned;
use crate::web::context::Context;

/// Time between two permission checks.
const LOOK: Duration = Duration::from_secs(2);

/// The object a long-lived response is about.
#[derive(Debug, Clone, Copy)]
pub enum StreamSubject {
    /// A database, and the action performed on it.
    Container(Uuid, Action),
    /// A job; visible to everyone who may see its database.
    Job(Uuid),
    /// A list; visible as long as the client is signed in with the same role.
    List,
}

/// Waits until the client loses permission or the portal stops. While mydb_admin is unavailable, permissions count as
/// unchanged.
pub async fn until_refused(ctx: Context, about: StreamSubject) {
    loop {
        let stopped = tokio::time::timeout(LOOK, ctx.portal.closing.cancelled()).await;
        if stopped.is_ok() {
            return;
        }
        match may(&ctx, about).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(e) => tracing::debug!("Could not check whether a response may continue: {e}"),
        }
    }
}

async fn may(ctx: &Context, about: StreamSubject) -> Result<bool, sqlx::Error> {
    let Some(before) = &ctx.identity else { return Ok(false) };
    let Some(user) = identity::still(ctx.app(), before).await? else { return Ok(false) };
    if user.role != before.user.role {
        return Ok(false);
    }
    let mut db = ctx.app().db.acquire().await?;
    let (container, action) = match about {
        StreamSubject::Container(id, action) => (Some(id), action),
        StreamSubject::Job(id) => match jobs::by_id(&mut db, id).await? {
            Some(job) if job.container_id.is_none() => return may_see_unowned(&mut db, &user, job.id).await,
            Some(job) => (job.container_id, Action::View),
            None => return Ok(false),
        },
        StreamSubject::List => return Ok(true),
    };
    let Some(id) = container else { return Ok(user.is_admin()) };
    let Some(c) = containers::by_id(&mut db, id).await? else { return Ok(false) };
    Ok(can(&user, action, &c.subject(None)) == Permission::Allowed)
}
