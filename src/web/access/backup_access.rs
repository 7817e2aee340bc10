//! Access to backups: whoever may see the database may see its backups, even after it has been permanently deleted.

use uuid::Uuid;

use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::admin_db::{backups, containers};
use crate::domain::user::Action;
use crate::web::context::Context;
use crate::web::error::AppError;

/// Returns the backup with this id and its database, if the signed-in user may perform `action` on that database.
/// Refusals are logged.
///
/// # Errors
/// [`AppError::NotFound`] if it does not exist or is hidden, [`AppError::Forbidden`] if the action is not allowed.
pub async fn visible_backup(ctx: &Context, id: &str, action: Action) -> Result<(Backup, Container), AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let backup = backups::by_id(&mut db, id).await?.filter(|b| b.kind == "backup").ok_or(AppError::NotFound)?;
    let c = containers::by_id(&mut db, backup.container_id).await?.ok_or(AppError::NotFound)?;
    drop(db);
    ctx.permit(&c, action).await?;
    Ok((backup, c))
}
