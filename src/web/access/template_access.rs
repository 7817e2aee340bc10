//! Access to templates: who may use one, and who manages it.

use uuid::Uuid;

use crate::admin_db::templates;
use crate::admin_db::templates::Template;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::templates::refresh;
use crate::web::access::backup_access::visible_backup;
use crate::web::context::Context;
use crate::web::error::AppError;

/// The template of this name, if the caller may use it.
///
/// # Errors
/// [`AppError::NotFound`] otherwise.
pub async fn visible(ctx: &Context, name: &str) -> Result<Template, AppError> {
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let found = templates::by_name(&mut db, name).await?;
    found.filter(|t| t.allows(user.username.as_str(), user.is_admin())).ok_or(AppError::NotFound)
}

/// The same, if the caller may change, refresh and delete it.
///
/// # Errors
/// [`AppError::Forbidden`] if the caller may only use it.
pub async fn managed(ctx: &Context, name: &str) -> Result<Template, AppError> {
    let t = visible(ctx, name).await?;
    let user = ctx.user()?;
    if t.is_managed_by(user.username.as_str(), user.is_admin()) {
        return Ok(t);
    }
    Err(AppError::Forbidden("Only administrators and whoever created this template can change it.".to_owned()))
}

/// Requests an import. The caller must be allowed to copy the database or the backup that it is made from.
///
/// # Errors
/// As for [`refresh::refresh`].
pub async fn requested(ctx: &Context, t: &Template) -> Result<Result<(Uuid, Uuid), RequestError>, AppError> {
    if let Some(backup) = t.origin.backup() {
        visible_backup(ctx, &backup.to_string(), Action::Backup).await?;
    }
    match refresh::database(ctx.app(), t).await {
        Ok(Some(c)) => drop(ctx.container(&c.name, Action::Backup).await?),
        Ok(None) => {}
        Err(e) => return Ok(Err(e)),
    }
    Ok(refresh::refresh(ctx.app(), t, &ctx.actor()).await)
}
