//! What changes a database's data for other data: a restore in place, the way back, an upgrade. Each asks first.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::backups::theirs;
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{Container, snapshots};
use crate::backup::restore::request_in_place;
use crate::catalog::CatalogImage;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::provision::rollback::go_back;
use crate::provision::swap::KEPT_DAYS;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::{Choice, Field, Flash};

/// The answer once it is enqueued, or why it is not.
async fn answered(
    ctx: &Context,
    c: &Container,
    action: &str,
    done: Result<Uuid, RequestError>,
) -> Result<Response, AppError> {
    match done {
        Ok(_) => Ok(to(&format!("/containers/{}", c.name), None)),
        Err(e) => match ctx.refused(action, Some(c), e).await {
            AppError::Conflict(why) => Ok(to(&format!("/containers/{}/backups", c.name), Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}

fn kept(what: &str) -> String {
    format!("{what} for {KEPT_DAYS} days. Until then one click on the tab Backups brings it back.")
}

fn mistyped(c: &Container, fields: &Fields) -> Option<String> {
    (fields.text("confirm") != c.name).then(|| format!("Type the name exactly: {}", c.name))
}

fn in_place_page(ctx: &Context, c: &Container, b: &Backup, typed: &str, error: Option<String>) -> ConfirmPage {
    let base = format!("/containers/{}/backups", c.name);
    ConfirmPage {
        frame: ctx.frame("home"),
        title: format!("Put {} back to {}", c.name, b.started_at.format("%Y-%m-%d %H:%M UTC")),
        will: vec![
            if c.state == ContainerState::Stopped {
                "The backup is restored beside your data and compared, while your database stays stopped.".to_owned()
            } else {
                "The backup is restored beside your database and compared, while your database goes on.".to_owned()
            },
            "Then the server starts with that data. What was written after the backup is no longer in it.".to_owned(),
            "Users and passwords are those of the backup.".to_owned(),
        ],
        kept: vec![kept("The data of now is set aside"), "Name, port, limits and settings stay.".to_owned()],
        action: format!("{base}/{}/restore", b.id),
        hidden: vec![("in_place".to_owned(), "true".to_owned())],
        name: Some(c.name.clone()),
        value: typed.to_owned(),
        error,
        button: "Restore in place".to_owned(),
        back_href: base,
        back_label: "Leave it as it is".to_owned(),
        ..ConfirmPage::default()
    }
}

/// `GET /containers/{name}/backups/{id}/in-place`
///
/// # Errors
/// If it is not theirs.
pub async fn in_place_form(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    page(&in_place_page(&ctx, &c, &backup, "", None))
}

/// `POST /containers/{name}/backups/{id}/restore` with `in_place` = `true` and `confirm` = the name
///
/// # Errors
/// The database's.
pub(super) async fn in_place(ctx: &Context, c: &Container, b: &Backup, fields: &Fields) -> Result<Response, AppError> {
    if let Some(error) = mistyped(c, fields) {
        let asked = in_place_page(ctx, c, b, fields.text("confirm"), Some(error));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &asked);
    }
    answered(ctx, c, "container.restore-in-place", request_in_place::in_place(ctx.app(), c, b, &ctx.actor()).await)
        .await
}

/// What is set aside of this container.
async fn aside(ctx: &Context, c: &Container, id: &str) -> Result<Snapshot, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = snapshots::by_id(&mut db, id).await?;
    found.filter(|s| s.container_id == c.id && s.made_at.is_some()).ok_or(AppError::NotFound)
}

/// `GET /containers/{name}/snapshots/{id}/restore`
///
/// # Errors
/// If it is not theirs.
pub async fn go_back_form(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let snapshot = aside(&ctx, &c, &id).await?;
    let label = |image: &str| match ctx.app().catalog.find(image) {
        Some(i) => format!("{} {}", i.engine.label(), i.version),
        None => image.to_owned(),
    };
    let mut will = vec!["The server starts with the data that was set aside.".to_owned()];
    if snapshot.image != c.image {
        will.push(format!("It is {} again.", label(&snapshot.image)));
    }
    page(&ConfirmPage {
        frame: ctx.frame("home"),
        title: format!("Go back to the earlier data of {}", c.name),
        will,
        kept: vec![kept("The data of now is set aside instead")],
        action: format!("/containers/{}/snapshots/{}/restore", c.name, snapshot.id),
        button: "Go back".to_owned(),
        back_href: format!("/containers/{}/backups", c.name),
        back_label: "Leave it as it is".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `POST /containers/{name}/snapshots/{id}/restore`
///
/// # Errors
/// If it is not theirs.
pub async fn go_back_now(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let snapshot = aside(&ctx, &c, &id).await?;
    answered(&ctx, &c, "container.go-back", go_back(ctx.app(), &c, &snapshot, &ctx.actor()).await).await
}

/// The later versions that a database can be upgraded to, and that can be had.
pub(super) fn later<'a>(ctx: &'a Context, c: &Container) -> Vec<&'a CatalogImage> {
    let app = ctx.app();
    let Some(from) = app.catalog.find(&c.image) else { return Vec::new() };
    let can =
        |to: &&CatalogImage| request_in_place::possible(from, to) && app.images.get(&to.image).unavailable().is_none();
    app.catalog.of(c.engine).filter(can).collect()
}

fn upgrade_page(ctx: &Context, c: &Container, fields: Option<&Fields>, error: Option<String>) -> ConfirmPage {
    let later = later(ctx, c);
    let text = |name: &str| fields.map(|f| f.text(name)).unwrap_or_default().to_owned();
    let chosen = text("image");
    let choices = later.iter().map(|i| Choice::new(&i.image, format!("{} {}", i.engine.label(), i.version), &chosen));
    ConfirmPage {
        frame: ctx.frame("home"),
        title: format!("Upgrade {}", c.name),
        will: vec![
            if c.state == ContainerState::Stopped {
                "Nobody can start the database until the upgrade is done. Afterwards it runs.".to_owned()
            } else {
                "The server stops, and nobody can use the database until the upgrade is done.".to_owned()
            },
            "It is backed up, restored by the new version, and compared row by row.".to_owned(),
            "Only if all of it is the same, the new version takes over.".to_owned(),
        ],
        kept: vec![
            "Name, port, users and passwords.".to_owned(),
            kept("The data of the old version is set aside"),
            "If anything fails, the database goes on as it was.".to_owned(),
        ],
        extra: vec![Field::select("image", "New version", choices.collect())],
        action: format!("/containers/{}/upgrade", c.name),
        name: Some(c.name.clone()),
        value: text("confirm"),
        error,
        button: "Upgrade the database".to_owned(),
        back_href: format!("/containers/{}/settings", c.name),
        back_label: "Keep the version".to_owned(),
        ..ConfirmPage::default()
    }
}

/// `GET /containers/{name}/upgrade`
///
/// # Errors
/// If it is not theirs, or there is no later version.
pub async fn upgrade_form(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    if later(&ctx, &c).is_empty() {
        return Err(AppError::Conflict("There is no later version on offer.".to_owned()));
    }
    page(&upgrade_page(&ctx, &c, None, None))
}

/// `POST /containers/{name}/upgrade` with `image` and `confirm` = the name
///
/// # Errors
/// If it is not theirs, or the image is not in the catalog.
pub async fn upgrade(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let wrong = mistyped(&c, &fields);
    let image = ctx.app().catalog.named(c.engine, fields.text("image"));
    match (wrong, image) {
        (None, Some(image)) => {
            answered(&ctx, &c, "container.upgrade", request_in_place::upgrade(ctx.app(), &c, image, &ctx.actor()).await)
                .await
        }
        (wrong, _) => {
            let error = wrong.unwrap_or_else(|| "Choose a version.".to_owned());
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &upgrade_page(&ctx, &c, Some(&fields), Some(error)))
        }
    }
}
