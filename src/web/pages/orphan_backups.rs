//! `/backups`: backups of a user's permanently deleted databases, and the restore of any backup by its id.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use crate::admin_db::backups::{Backup, listing};
use crate::backup::restore::partial;
use crate::backup::verification;
use crate::domain::user::Action;
use crate::encryption::Identities;
use crate::web::access::backup_access::visible_backup;
use crate::web::context::{Context, page, page_with};
use crate::web::error::AppError;
use crate::web::forms::{Fields, partial_fields};
use crate::web::pages::backups::{restore_action, size};
use crate::web::pages::restore::{TypedRestore, restore_facts, restore_into, whole};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::admin::backups::{LeftPage, LeftRow};
use crate::web::views::backups::RestorePage;
use crate::web::views::{ActionButton, Field, Moment};

/// Maximum number of backups on the page.
const MOST: usize = 200;

/// `GET /backups`
pub async fn list(ctx: Context) -> Result<Response, AppError> {
    let now = ctx.now();
    let account = ctx.user()?.id;
    let mut db = ctx.app().db.acquire().await?;
    let mut found = listing::left_behind(&mut db, account, i64::try_from(MOST + 1).unwrap_or(i64::MAX)).await?;
    drop(db);
    let keys = Identities::of(&ctx.app().config.backups);
    let more = found.len() > MOST;
    found.truncate(MOST);
    let row = |b: &Backup| LeftRow {
        database: b.container.clone(),
        engine: b.engine.to_string(),
        engine_label: b.engine.label().to_owned(),
        made: Moment::new(b.started_at, now),
        reason: verification::reason(&b.reason).to_owned(),
        size: size(b.raw_bytes),
        level: verification::level(b.level).to_owned(),
        actions: vec![
            restore_action(b, &keys, urls::backup_restore(b.id)),
            ActionButton::link("Download", urls::backup_download(b.id)),
        ],
    };
    page(&LeftPage { frame: ctx.frame("home"), rows: found.iter().map(row).collect(), more })
}

async fn form(ctx: &Context, b: &Backup, typed: TypedRestore) -> Result<RestorePage, AppError> {
    Ok(RestorePage {
        in_place_href: None,
        part: partial_fields::fields(ctx, b, &typed.only).await?,
        part_open: !typed.only.database.is_empty() || !typed.only.table.is_empty() || typed.only.is_wrong(),
        whole: whole(b.engine, partial::possible(b.engine).0),
        beside: false,
        database: b.container.clone(),
        frame: ctx.frame("home"),
        title: format!("Restore {}", b.container),
        facts: restore_facts(ctx, b),
        action: urls::backup_restore(b.id),
        field: Field::code("name", "New database name")
            .help("Lower-case letters, digits, “-” and “_”.")
            .value(typed.name)
            .error(typed.error)
            .required()
            .max_length(40)
            .focus(true),
        back_href: if b.container_gone {
            "/backups".to_owned()
        } else {
            urls::database_page(&b.container, DatabasePage::Backups)
        },
    })
}

/// `GET /backups/{id}/restore`
pub async fn restore_form(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (b, _) = visible_backup(&ctx, &id, Action::View).await?;
    page(&form(&ctx, &b, TypedRestore { name: b.container.clone(), ..TypedRestore::default() }).await?)
}

/// `POST /backups/{id}/restore` with `name` for the new database
pub async fn restore(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::Restore).await?;
    match restore_into(&ctx, &c, &b, &fields).await? {
        Ok(made) => Ok(made),
        Err(typed) => page_with(StatusCode::UNPROCESSABLE_ENTITY, &form(&ctx, &b, typed).await?),
    }
}
