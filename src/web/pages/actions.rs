//! Start, stop, restart, a new password, delete, undelete, purge.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use crate::admin_db::containers::Container;
use crate::domain::user::Action;
use crate::provision::flow::Flow;
use crate::provision::request;
use crate::provision::rotate::rotate;
use crate::provision::{delete as deletion, power};
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::form::Fields;
use crate::web::views::Flash;
use crate::web::views::confirm::ConfirmPage;

/// Enqueues a flow and shows the container's page, where its steps appear. A click too late is
/// answered there with a sentence.
async fn enqueue(ctx: &Context, c: &Container, flow: &'static Flow) -> Result<Response, AppError> {
    let base = format!("/containers/{}", c.name);
    match request::act(ctx.app(), c, flow, &ctx.actor()).await {
        Ok(_) => Ok(to(&base, None)),
        Err(e) => match ctx.refused(&format!("container.{}", flow.kind), Some(c), e).await {
            AppError::Conflict(why) => Ok(to(&base, Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}

/// `POST /containers/{name}/start`
///
/// # Errors
/// If it is not theirs.
pub async fn start(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Start).await?;
    enqueue(&ctx, &c, request::start_flow(&c)).await
}

/// `POST /containers/{name}/stop`
///
/// # Errors
/// If it is not theirs.
pub async fn stop(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Stop).await?;
    enqueue(&ctx, &c, &power::STOP).await
}

/// `POST /containers/{name}/restart`
///
/// # Errors
/// If it is not theirs.
pub async fn restart(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restart).await?;
    enqueue(&ctx, &c, &power::RESTART).await
}

/// `POST /containers/{name}/undelete`
///
/// # Errors
/// If it is not theirs.
pub async fn undelete(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Undelete).await?;
    enqueue(&ctx, &c, &deletion::UNDELETE).await
}

/// `GET /containers/{name}/rotate-password`
///
/// # Errors
/// If it is not theirs.
pub async fn confirm_rotate(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::RotatePassword).await?;
    let sentences = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    page(&ConfirmPage {
        frame: ctx.frame("home"),
        title: format!("Set a new password for {}", c.name),
        will: sentences(&[
            "The portal makes up a new password for your user. It is shown once, when you ask for it.",
            "The old password stops working at once. Programs that use it fail until they have the new one.",
        ]),
        kept: sentences(&["Your data, and the sessions that are open now: they go on."]),
        action: format!("/containers/{}/rotate-password", c.name),
        button: "Set a new password".to_owned(),
        back_href: format!("/containers/{}", c.name),
        back_label: "Keep the password".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `POST /containers/{name}/rotate-password`: a new password, shown once when it is set.
///
/// # Errors
/// If it is not theirs.
pub async fn rotate_password(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::RotatePassword).await?;
    let base = format!("/containers/{}", c.name);
    match rotate(ctx.app(), &c, &ctx.actor()).await {
        Ok(_) => Ok(to(&base, None)),
        Err(e) => match ctx.refused("container.rotate-password", Some(&c), e).await {
            AppError::Conflict(why) => Ok(to(&base, Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}

fn delete_page(ctx: &Context, c: &Container, value: &str, error: Option<String>) -> ConfirmPage {
    let days = ctx.app().config.trash_days;
    let never_ran = c.started_at.is_none();
    ConfirmPage {
        frame: ctx.frame("home"),
        title: format!("Delete {}", c.name),
        will: vec!["The server stops and its open connections end.".to_owned()],
        kept: if never_ran {
            vec!["Nothing: it never ran, so it has no data. Its name is free again at once.".to_owned()]
        } else {
            vec![
                format!("Its data, name and port are kept for {days} days. Until then you can bring it back."),
                "After that its data is gone for good.".to_owned(),
            ]
        },
        action: format!("/containers/{}/delete", c.name),
        name: Some(c.name.clone()),
        value: value.to_owned(),
        error,
        button: "Delete the database".to_owned(),
        back_href: format!("/containers/{}", c.name),
        back_label: "Keep the database".to_owned(),
        ..ConfirmPage::default()
    }
}

fn purge_page(ctx: &Context, c: &Container, value: &str, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        frame: ctx.frame("home"),
        title: format!("Remove {} for good", c.name),
        will: vec![
            "Its data is removed from the disk. Nobody can bring it back.".to_owned(),
            "Its name and port are free for others.".to_owned(),
        ],
        kept: vec!["Its entry in the log.".to_owned()],
        action: format!("/containers/{}/purge", c.name),
        name: Some(c.name.clone()),
        value: value.to_owned(),
        error,
        button: "Remove it for good".to_owned(),
        back_href: format!("/containers/{}", c.name),
        back_label: "Leave it in the trash".to_owned(),
        ..ConfirmPage::default()
    }
}

fn mismatch(c: &Container, typed: &str) -> Option<String> {
    (typed != c.name).then(|| format!("Type the name exactly: {}", c.name))
}

/// `GET /containers/{name}/delete`
///
/// # Errors
/// If it is not theirs.
pub async fn confirm_delete(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Delete).await?;
    page(&delete_page(&ctx, &c, "", None))
}

/// `POST /containers/{name}/delete` with `confirm` = the name
///
/// # Errors
/// If it is not theirs.
pub async fn delete(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Delete).await?;
    let typed = fields.text("confirm");
    if let Some(error) = mismatch(&c, typed) {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &delete_page(&ctx, &c, typed, Some(error)));
    }
    enqueue(&ctx, &c, &deletion::DELETE).await
}

/// `GET /containers/{name}/purge`
///
/// # Errors
/// If it is not theirs.
pub async fn confirm_purge(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Purge).await?;
    page(&purge_page(&ctx, &c, "", None))
}

/// `POST /containers/{name}/purge` with `confirm` = the name
///
/// # Errors
/// If it is not theirs.
pub async fn purge(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Purge).await?;
    let typed = fields.text("confirm");
    if let Some(error) = mismatch(&c, typed) {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &purge_page(&ctx, &c, typed, Some(error)));
    }
    enqueue(&ctx, &c, &deletion::PURGE).await
}
