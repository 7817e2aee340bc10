//! `/containers/{name}/extend`: sets a new expiry for a database.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use crate::admin_db::containers::Container;
use crate::domain::user::Action;
use crate::provision::lifetime;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::{Fields, ttl};
use crate::web::pages::container_head::head;
use crate::web::tabs;
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::extend::ExtendPage;
use crate::web::views::{Flash, Moment};

fn view(ctx: &Context, c: &Container, tab: Tab, value: String, error: Option<String>) -> ExtendPage {
    ExtendPage {
        frame: ctx.frame_of(c),
        head: head(ctx, c, None),
        ends: c.expires_at.map(|at| Moment::new(at, ctx.now())),
        action: urls::database_page(&c.name, DatabasePage::Extend),
        field: ttl::field_of(ctx, c, value, error).focus(true),
        tab: tab.label(),
        back_href: tab.href(c),
    }
}

/// `GET /containers/{name}/extend`
pub async fn form(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    // An empty field would remove the expiry.
    let value = match ttl::suggestion(&ctx, c.engine) {
        none if none.is_empty() => ttl::present(c.expires_at),
        suggestion => suggestion,
    };
    page(&view(&ctx, &c, Tab::left_or_overview(&ctx, &c), value, None))
}

/// `POST /containers/{name}/extend` with `ttl`, counted from now
pub async fn submit(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    let tab = Tab::remembered(fields.text(tabs::FIELD));
    let typed = || fields.text(ttl::TTL).to_owned();
    let end = match ttl::end(&ctx, c.engine, &fields) {
        Ok(end) => end,
        Err(why) => return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view(&ctx, &c, tab, typed(), Some(why))),
    };
    match lifetime::extend(ctx.app(), &c, end, &ctx.actor()).await {
        Ok(()) => {
            let said = match end {
                Some(at) => format!("The database now expires {}.", Moment::new(at, ctx.now()).ago),
                None => "The database no longer expires.".to_owned(),
            };
            Ok(to(&tab.href(&c), Some(Flash::ok(said))))
        }
        Err(e) => match ctx.refused("container.extend", Some(&c), e).await {
            AppError::Conflict(why) => page_with(StatusCode::CONFLICT, &view(&ctx, &c, tab, typed(), Some(why))),
            e => Err(e),
        },
    }
}
