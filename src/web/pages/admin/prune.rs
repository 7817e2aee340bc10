//! `/admin/backups/prune`: shows what the retention policy would remove now, and removes it.

use std::collections::HashSet;

use axum::response::Response;
use uuid::Uuid;

use crate::admin_db::backups::listing;
use crate::backup::retention::prune;
use crate::backup::retention::prune::PRUNE;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::pages::admin::backups::rows;
use crate::web::urls;
use crate::web::views::admin::backups::PrunePage;
use crate::web::views::elements::format::{count_text, size_text};
use crate::web::views::{ActionButton, Flash};

/// Maximum number of rows on the page.
const MOST: usize = 200;

/// `GET /admin/backups/prune`
pub async fn show(ctx: Context) -> Result<Response, AppError> {
    let (app, now) = (ctx.app(), ctx.now());
    let mut db = app.db.acquire().await?;
    let judged = prune::judged(&mut db, &app.config, now).await?;
    let going: HashSet<Uuid> = judged.iter().filter(|v| v.goes()).map(|v| v.id).collect();
    let all: Vec<Uuid> = going.iter().copied().collect();
    let mut found = listing::by_ids(&mut db, &all).await?;
    let bytes: i64 = found.iter().filter_map(|b| b.bytes).sum();
    found.truncate(MOST);
    let shown = rows(&mut db, &found, now).await?;
    drop(db);
    page(&PrunePage {
        frame: ctx.frame("admin-backups"),
        policy: app.config.backups.keep.sentence(),
        summary: format!(
            "{1} of {0} would be removed ({2}).",
            count_text(judged.len() as u64, "backup", "backups"),
            going.len(),
            size_text(u64::try_from(bytes).unwrap_or(0))
        ),
        more: going.len().saturating_sub(shown.len()) as u64,
        remove: (!shown.is_empty()).then(|| {
            ActionButton::post("Remove", "/admin/backups/prune")
                .danger()
                .asks("Deletes the backups listed below from their targets. This cannot be undone.")
        }),
        rows: shown,
    })
}

/// `POST /admin/backups/prune`
pub async fn remove(ctx: Context) -> Result<Response, AppError> {
    match enqueue_portal(ctx.app(), &PRUNE, &ctx.actor()).await {
        Ok(job) => Ok(to(&urls::job(job), None)),
        Err(RequestError::Busy) => Ok(to("/admin/backups/prune", Some(Flash::warn("Removing expired backups.")))),
        Err(e) => Err(e.into()),
    }
}
