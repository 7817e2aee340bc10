//! Answers that go on: they end within seconds once whoever asked may not any more, because the account was disabled or
//! signed out, its role changed, or the database is somebody else's.

use std::time::Duration;

use uuid::Uuid;

use super::context::Context;
use crate::admin_db::{containers, jobs};
use crate::domain::user::{Action, Permission, Subject, can};
use crate::web::access::identity;

/// Time between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// What an answer that goes on is about.
#[derive(Debug, Clone, Copy)]
pub enum StreamSubject {
    /// A database, and what is done with it.
    Container(Uuid, Action),
    /// A job: whoever may see its database may see it.
    Job(Uuid),
}

/// Waits until whoever asked may not go on. While mydb_admin is away nothing has changed.
pub async fn until_refused(ctx: Context, about: StreamSubject) {
    loop {
        tokio::time::sleep(LOOK).await;
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
            Some(job) => (job.container_id, Action::View),
            None => return Ok(false),
        },
    };
    let Some(id) = container else { return Ok(user.is_admin()) };
    let Some(c) = containers::by_id(&mut db, id).await? else { return Ok(false) };
    let subject = Subject { owner: c.account_id, maintenance: c.maintenance_note.as_deref(), read_only: None };
    Ok(can(&user, action, &subject) == Permission::Allowed)
}
