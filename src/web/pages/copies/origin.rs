//! What a clone was made from, and what can be done with that: reset, refresh, promote.

use axum::extract::Path;
use axum::response::Response;
use sqlx::PgConnection;

use super::confirm::{cost, kept, space_and_time};
use crate::admin_db::containers;
use crate::admin_db::containers::{Container, copies, snapshots};
use crate::clones::request;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::pages::container_head::allowed;
use crate::web::tabs::{Tab, landed};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::copies::snapshots::OriginView;
use crate::web::views::{ActionButton, Flash, Moment};

/// What the copy for a reset or refresh costs, in a sentence.
async fn copy_costs(ctx: &Context, c: &Container) -> String {
    if cost(ctx, c).await.shared {
        return "The copy shares its data on this storage, so it takes no space at first.".to_owned();
    }
    let takes = space_and_time(c);
    format!("This storage cannot share data between copies: the copy takes {takes}, besides the current data.")
}

/// What a clone was made from; `None` if the database is not a clone.
pub(super) async fn view(db: &mut PgConnection, ctx: &Context, c: &Container) -> Result<Option<OriginView>, AppError> {
    let (Some(origin), Some(from)) = (c.origin, c.cloned_from) else { return Ok(None) };
    let Some(source) = containers::by_id(db, from).await? else { return Ok(None) };
    let gone = source.purged_at.is_some();
    let kept = snapshots::by_id(db, origin).await?.is_some();
    let not_now = c.is_busy().then(|| RequestError::Busy.to_string());
    let link =
        |label: &str, page| ActionButton::link(label, urls::database_page(&c.name, page)).unavailable(not_now.clone());
    let refresh = link("Refresh", DatabasePage::Refresh);
    let others = source.account_id != c.account_id;
    let refresh = match (gone, others) {
        (true, _) => refresh.unavailable(Some(RequestError::NoSource.to_string())),
        (_, true) => refresh.unavailable(Some(RequestError::SourceOfOther.to_string())),
        _ => refresh,
    };
    let reset = link("Reset", DatabasePage::Reset);
    let reset = if kept { reset } else { reset.unavailable(Some(RequestError::NoOrigin.to_string())) };
    Ok(Some(OriginView {
        href: (!gone && allowed(ctx, &source, Action::View)).then(|| urls::database(&source.name)),
        source: if allowed(ctx, &source, Action::View) { source.name } else { "another user’s database".to_owned() },
        at: c.cloned_at.map(|at| Moment::new(at, ctx.now())),
        cut_off: copies::cut_off(db, c.id).await?,
        actions: vec![reset, refresh, link("Promote", DatabasePage::Promote)],
    }))
}

/// The text of a confirmation.
struct Asked<'a> {
    page: DatabasePage,
    title: String,
    will: Vec<String>,
    kept: Vec<String>,
    button: &'a str,
}

fn ask(ctx: &Context, c: &Container, asked: Asked<'_>) -> Result<Response, AppError> {
    if c.origin.is_none() {
        return Err(AppError::Conflict(RequestError::NoClone.to_string()));
    }
    page(&ConfirmPage {
        frame: ctx.frame_of(c),
        title: asked.title,
        will: asked.will,
        kept: asked.kept,
        action: urls::database_page(&c.name, asked.page),
        button: asked.button.to_owned(),
        back_href: urls::database_page(&c.name, DatabasePage::Snapshots),
        back_label: "Cancel".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `GET /containers/{name}/reset`
pub async fn confirm_reset(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let asked = Asked {
        page: DatabasePage::Reset,
        title: format!("Reset {}", c.name),
        will: vec![
            "The server restarts with the data the clone started with. Changes made since then are undone.".to_owned(),
            copy_costs(&ctx, &c).await,
        ],
        kept: vec![kept(), "Your password, name, port and settings.".to_owned()],
        button: "Reset clone",
    };
    ask(&ctx, &c, asked)
}

/// `POST /containers/{name}/reset`
pub async fn reset(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let done = request::reset(ctx.app(), &c, &ctx.actor()).await;
    landed(&ctx, &c, ("container.reset", Tab::Snapshots), done, None).await
}

/// `GET /containers/{name}/refresh`
pub async fn confirm_refresh(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let asked = Asked {
        page: DatabasePage::Refresh,
        title: format!("Refresh {}", c.name),
        will: vec![
            "The current data of the source is copied, and the server of the clone restarts with it.".to_owned(),
            "Changes made in the clone are undone.".to_owned(),
            copy_costs(&ctx, &c).await,
        ],
        kept: vec![kept(), "Your password, name, port and settings.".to_owned()],
        button: "Refresh clone",
    };
    ask(&ctx, &c, asked)
}

/// `POST /containers/{name}/refresh`
pub async fn refresh(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let done = request::refresh(ctx.app(), &c, &ctx.actor()).await;
    landed(&ctx, &c, ("container.refresh", Tab::Snapshots), done, None).await
}

/// `GET /containers/{name}/promote`
pub async fn confirm_promote(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    let asked = Asked {
        page: DatabasePage::Promote,
        title: format!("Promote {}", c.name),
        will: vec![
            "The clone becomes an ordinary database. It can no longer be reset or refreshed.".to_owned(),
            "It is backed up daily from now on. You can change that under Settings.".to_owned(),
        ],
        kept: vec!["Its data, password, name, port and settings.".to_owned()],
        button: "Promote clone",
    };
    ask(&ctx, &c, asked)
}

/// `POST /containers/{name}/promote`
pub async fn promote(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    let done = request::promote(ctx.app(), &c, &ctx.actor()).await;
    let flash = Flash::ok("The clone is now an ordinary database.");
    landed(&ctx, &c, ("container.promote", Tab::Snapshots), done, Some(flash)).await
}
