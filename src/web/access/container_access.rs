//! Which containers a user may see and act on. A container that belongs to someone else is answered like one that does
//! not exist.

use crate::admin_db::containers::Container;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::{containers, log};
use crate::domain::user::{Action, Permission, can};
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::views::Frame;

impl Context {
    /// Returns the existing container with this name, if the signed-in user may perform `action` on it. Refusals are
    /// logged.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if it does not exist or is hidden, [`AppError::Forbidden`] if the action is not allowed.
    pub async fn container(&self, name: &str, action: Action) -> Result<Container, AppError> {
        self.user()?;
        let mut db = self.app().db.acquire().await?;
        let c = containers::by_name(&mut db, name).await?.ok_or(AppError::NotFound)?;
        drop(db);
        self.permit(&c, action).await?;
        Ok(c)
    }

    /// The frame of a page about a database: administrators see databases of others under Administration.
    pub fn frame_of(&self, c: &Container) -> Frame {
        let own = self.identity.as_ref().is_none_or(|i| i.user.id == c.account_id);
        self.frame(if own { "home" } else { "admin-containers" })
    }

    /// Checks whether the signed-in user may perform `action` on a container, existing or deleted. Refusals are logged.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if it is hidden, [`AppError::Forbidden`] if the action is not allowed.
    pub async fn permit(&self, c: &Container, action: Action) -> Result<(), AppError> {
        let user = self.user()?;
        let read_only = self.app().read_only();
        let (error, why) = match can(user, action, &c.subject(read_only.as_deref())) {
            Permission::Allowed => return Ok(()),
            Permission::Hidden => (AppError::NotFound, "not theirs".to_owned()),
            Permission::Refused(why) => (AppError::Forbidden(why.clone()), why),
        };
        let verb = format!("container.{action:?}").to_lowercase();
        let entry =
            LogEntry { action: &verb, container: Some((c.id, &c.name)), outcome: Outcome::Refused, detail: &why };
        let mut db = self.app().db.acquire().await?;
        log::append(&mut db, &self.actor(), &entry, self.now()).await?;
        Err(error)
    }
}
