//! Who may see a backup: whoever may see its database, also when that is purged.

use uuid::Uuid;

use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::admin_db::{backups, containers};
use crate::domain::user::Action;
use crate::web::context::Context;
use crate::web::error::AppError;

/// The backup of this id with its database, if the signed-in user may do `action` with that. A refusal is logged.
///
/// # Errors
/// [`AppError::NotFound`] where there is none or it is hidden, [`AppError::Forbidden`] where it may not be done.
pub async fn visible_backup(ctx: &Context, id: &str, action: Action) -> Result<(Backup, Container), AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let backup = backups::by_id(&mut db, id).await?.filter(|b| b.kind == "backup").ok_or(AppError::NotFound)?;
    let c = containers::by_id(&mut db, backup.container_id).await?.ok_or(AppError::NotFound)?;
    drop(db);
    ctx.permit(&c, action).await?;
    Ok((backup, c))
}
