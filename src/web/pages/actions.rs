//! Actions on a database: start, stop, restart, new password, delete, restore from the trash, delete permanently.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs;
use crate::admin_db::jobs::{Job, JobStatus};
use crate::domain::job_kind::JobKind;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::jobs::registry;
use crate::jobs::registry::start_flow;
use crate::provision::rotate_password::rotate;
use crate::provision::{power, request};
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;
use crate::trash::purge::PURGE;
use crate::trash::{final_backup, move_to_trash};
use crate::web::context::{Context, page, page_with};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::tabs::{Tab, landed};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::Field;
use crate::web::views::confirm::ConfirmPage;

/// Enqueues a flow and shows the tab that the request came from.
async fn enqueue(ctx: &Context, c: &Container, flow: &'static Flow) -> Result<Response, AppError> {
    let done = request::act(ctx.app(), c, flow, &ctx.actor()).await;
    answered(ctx, c, flow, done).await
}

async fn answered(
    ctx: &Context,
    c: &Container,
    flow: &'static Flow,
    done: Result<Uuid, RequestError>,
) -> Result<Response, AppError> {
    landed(ctx, c, (&format!("container.{}", flow.kind), Tab::left_or_overview(ctx, c)), done, None).await
}

/// `POST /containers/{name}/start`
pub async fn start(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Start).await?;
    let done = registry::start(ctx.app(), &c, &ctx.actor()).await;
    answered(&ctx, &c, start_flow(&c), done).await
}

/// `POST /containers/{name}/stop`
pub async fn stop(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Stop).await?;
    enqueue(&ctx, &c, &power::STOP).await
}

/// `POST /containers/{name}/restart`
pub async fn restart(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restart).await?;
    enqueue(&ctx, &c, &power::RESTART).await
}

/// `POST /containers/{name}/undelete`
pub async fn undelete(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Undelete).await?;
    enqueue(&ctx, &c, &move_to_trash::UNDELETE).await
}

/// `GET /containers/{name}/rotate-password`
pub async fn confirm_rotate(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::RotatePassword).await?;
    let sentences = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
    page(&ConfirmPage {
        frame: ctx.frame_of(&c),
        title: format!("Set new password for {}", c.name),
        will: sentences(&[
            "The portal generates a new password for your user. You can view it once.",
            "The old password stops working immediately. Programs that use it fail until you update them.",
        ]),
        kept: sentences(&["Your data. Sessions that are already open stay connected."]),
        action: urls::database_page(&c.name, DatabasePage::RotatePassword),
        button: "Set new password".to_owned(),
        back_href: Tab::left_or_overview(&ctx, &c).href(&c),
        back_label: "Keep current password".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `POST /containers/{name}/rotate-password`: sets a new password, which the overview shows once afterwards.
pub async fn rotate_password(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::RotatePassword).await?;
    let done = rotate(ctx.app(), &c, &ctx.actor()).await;
    landed(&ctx, &c, ("container.rotate-password", Tab::Overview), done, None).await
}

/// The sentences about the final backup on the delete page, and whether a final backup is possible.
fn final_backup(ctx: &Context, c: &Container, stopped: Option<String>) -> (Vec<String>, bool) {
    let mut will = Vec::new();
    if let Some(why) = stopped {
        will.push(format!("The last attempt failed: {why}"));
    }
    let none = final_backup::none_because(ctx.app(), c);
    let possible = none.is_none();
    will.push(none.unwrap_or_else(|| {
        match c.state {
            ContainerState::Running => {
                "A final backup is made first. If it fails, the database is not deleted and keeps running."
            }
            ContainerState::Stopped => {
                "A final backup is made first, from a copy of the data. If it fails, the database is not deleted and \
                 stays stopped."
            }
            _ => {
                "A final backup is made first if the data allows it. If it fails, the database is not deleted and \
                 stays as it is."
            }
        }
        .to_owned()
    }));
    (will, possible)
}

/// Why the last attempt to delete the database failed, if that was the most recent job.
pub(super) fn stopped_deletion(latest: Option<&Job>) -> Option<String> {
    let job = latest.filter(|j| j.kind() == Some(JobKind::Delete) && j.status == JobStatus::Failed)?;
    job.error.as_deref().map(|e| e.replace('\n', " "))
}

async fn delete_page(
    ctx: &Context,
    c: &Container,
    fields: &Fields,
    error: Option<String>,
) -> Result<ConfirmPage, AppError> {
    let days = ctx.app().config.trash_days;
    let never_ran = c.started_at.is_none();
    let mut db = ctx.app().db.acquire().await?;
    let latest = jobs::of_container(&mut db, c.id, 1).await?;
    drop(db);
    let (mut will, possible) = final_backup(ctx, c, stopped_deletion(latest.first()));
    will.push(match c.state {
        ContainerState::Running if !c.goes_to_trash() => {
            "The server stops, all connections are closed, and the database is deleted permanently.".to_owned()
        }
        _ if !c.goes_to_trash() => "The database is deleted permanently.".to_owned(),
        ContainerState::Stopped => "The database moves to the trash and can no longer be started.".to_owned(),
        _ => "The server stops and all connections are closed.".to_owned(),
    });
    Ok(ConfirmPage {
        frame: ctx.frame_of(c),
        title: format!("Delete {}", c.name),
        will,
        kept: if never_ran {
            vec![
                "Nothing. The database never ran, so it has no data. Its name becomes available immediately."
                    .to_owned(),
            ]
        } else if c.is_disposable() {
            vec![
                "Nothing. The database was made from a template, so it does not go to the trash. You can make another \
                 one at any time, but not with what you changed in it."
                    .to_owned(),
                "To keep your changes, choose a backup schedule under Settings first.".to_owned(),
            ]
        } else {
            vec![
                format!(
                    "Its data, name and port are kept in the trash for {days} days. During that time you can restore \
                     it."
                ),
                "After that, its data is deleted permanently.".to_owned(),
                "Its backups are kept even then. You can find them under My databases.".to_owned(),
            ]
        },
        action: urls::database_page(&c.name, DatabasePage::Delete),
        name: Some(c.name.clone()),
        value: fields.text("confirm").to_owned(),
        error,
        option: possible.then(|| {
            Field::checkbox("no_backup", "Delete without a final backup", fields.has("no_backup"))
                .help("For data you no longer need, or if the backup fails.")
        }),
        button: "Delete database".to_owned(),
        back_href: urls::database(&c.name),
        back_label: "Keep database".to_owned(),
        ..ConfirmPage::default()
    })
}

fn purge_page(ctx: &Context, c: &Container, value: &str, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        frame: ctx.frame_of(c),
        title: format!("Delete {} permanently", c.name),
        will: vec![
            "The data is removed from disk. This cannot be undone.".to_owned(),
            "Its name and port become available to others.".to_owned(),
        ],
        kept: vec!["Its backups, if any, and its log entries.".to_owned()],
        action: urls::database_page(&c.name, DatabasePage::Purge),
        name: Some(c.name.clone()),
        value: value.to_owned(),
        error,
        button: "Delete permanently".to_owned(),
        back_href: urls::database(&c.name),
        back_label: "Leave in trash".to_owned(),
        ..ConfirmPage::default()
    }
}

fn mismatch(c: &Container, typed: &str) -> Option<String> {
    (typed != c.name).then(|| format!("Type the name exactly: {}", c.name))
}

/// `GET /containers/{name}/delete`
pub async fn confirm_delete(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Delete).await?;
    page(&delete_page(&ctx, &c, &Fields::default(), None).await?)
}

/// `POST /containers/{name}/delete` with `confirm` = the name, and `no_backup` to skip the final backup
pub async fn delete(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Delete).await?;
    let typed = fields.text("confirm");
    if let Some(error) = mismatch(&c, typed) {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &delete_page(&ctx, &c, &fields, Some(error)).await?);
    }
    let done = move_to_trash::delete(ctx.app(), &c, fields.has("no_backup"), &ctx.actor()).await;
    answered(&ctx, &c, &move_to_trash::DELETE, done).await
}

/// `GET /containers/{name}/purge`
pub async fn confirm_purge(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Purge).await?;
    page(&purge_page(&ctx, &c, "", None))
}

/// `POST /containers/{name}/purge` with `confirm` = the name
pub async fn purge(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Purge).await?;
    let typed = fields.text("confirm");
    if let Some(error) = mismatch(&c, typed) {
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &purge_page(&ctx, &c, typed, Some(error)));
    }
    enqueue(&ctx, &c, &PURGE).await
}
