//! Who may see a job: whoever may see its container.

use uuid::Uuid;

use super::context::Context;
use super::error::AppError;
use crate::admin_db::containers::{self, Container};
use crate::admin_db::jobs::{self, Job};
use crate::admin_db::log::{self, Entry, Outcome};
use crate::domain::user::{Action, Permission, Subject, can};

/// The job of this id with its container, if the signed-in user may see it. Jobs of a purged
/// container stay visible to its last owner; jobs about no container are the admins'.
///
/// # Errors
/// [`AppError::NotFound`] where there is none or it is hidden.
pub async fn visible_job(ctx: &Context, id: &str) -> Result<(Job, Option<Container>), AppError> {
    let user = ctx.user()?;
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let job = jobs::by_id(&mut db, id).await?.ok_or(AppError::NotFound)?;
    let container = match job.container_id {
        Some(id) => containers::by_id(&mut db, id).await?,
        None => None,
    };
    let allowed = match &container {
        Some(c) => {
            let subject = Subject { owner: c.account_id, maintenance: c.maintenance_note.as_deref(), read_only: None };
            can(user, Action::View, &subject) == Permission::Allowed
        }
        None => user.is_admin(),
    };
    if allowed {
        return Ok((job, container));
    }
    let about = container.as_ref().map(|c| (c.id, c.name.as_str()));
    let entry = Entry { action: "job.view", container: about, outcome: Outcome::Refused, detail: "not theirs" };
    log::append(&mut db, &ctx.actor(), &entry, ctx.now()).await?;
    Err(AppError::NotFound)
}
