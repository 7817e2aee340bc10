//! Actions that replace the data of a database: restore in place, undo, upgrade. Each asks for confirmation.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::backups::theirs;
use super::copies::snapshots::{restore, restore_page};
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::snapshots::{CLONE, Snapshot};
use crate::admin_db::containers::{Container, snapshots};
use crate::backup::restore::request_in_place;
use crate::backup::restore::swap::KEPT_DAYS;
use crate::backup::restore::undo::go_back;
use crate::catalog::CatalogImage;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::web::context::{Context, page, page_with};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::tabs::{Tab, landed};
use crate::web::urls;
use crate::web::urls::BackupAction;
use crate::web::urls::DatabasePage;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::{Choice, Field, Frame, Link};

fn kept(what: &str) -> String {
    format!("{what} for {KEPT_DAYS} days. During that time you can switch back to it on the Backups tab.")
}

fn mistyped(c: &Container, fields: &Fields) -> Option<String> {
    (fields.text("confirm") != c.name).then(|| format!("Type the name exactly: {}", c.name))
}

fn in_place_page(ctx: &Context, c: &Container, b: &Backup, typed: &str, error: Option<String>) -> ConfirmPage {
    let base = urls::database_page(&c.name, DatabasePage::Backups);
    ConfirmPage {
        frame: ctx.frame_of(c),
        title: format!("Restore {} to {}", c.name, b.started_at.format("%Y-%m-%d %H:%M UTC")),
        will: vec![
            if c.state == ContainerState::Stopped {
                "The backup is restored next to your data and compared. The database stays stopped meanwhile."
                    .to_owned()
            } else {
                "The backup is restored next to your data and compared. The database keeps running meanwhile."
                    .to_owned()
            },
            "The server then starts with the restored data. Changes made after the backup are undone.".to_owned(),
            "Users and passwords are reset to those in the backup.".to_owned(),
        ],
        kept: vec![kept("The current data is kept"), "Name, port, limits and settings.".to_owned()],
        action: urls::database_backup(&c.name, b.id, BackupAction::Restore),
        hidden: vec![("in_place".to_owned(), "true".to_owned())],
        name: Some(c.name.clone()),
        value: typed.to_owned(),
        error,
        button: "Restore in place".to_owned(),
        back_href: base,
        back_label: "Cancel".to_owned(),
        ..ConfirmPage::default()
    }
}

/// `GET /containers/{name}/backups/{id}/in-place`
pub async fn in_place_form(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    page(&in_place_page(&ctx, &c, &backup, "", None))
}

/// `POST /containers/{name}/backups/{id}/restore` with `in_place` = `true` and `confirm` = the name
pub(super) async fn in_place(ctx: &Context, c: &Container, b: &Backup, fields: &Fields) -> Result<Response, AppError> {
    if let Some(error) = mistyped(c, fields) {
        let asked = in_place_page(ctx, c, b, fields.text("confirm"), Some(error));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &asked);
    }
    let done = request_in_place::in_place(ctx.app(), c, b, &ctx.actor()).await;
    landed(ctx, c, ("container.restore-in-place", Tab::Backups), done, None).await
}

/// Previous data of this container, or a snapshot of it.
async fn aside(ctx: &Context, c: &Container, id: &str) -> Result<Snapshot, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = snapshots::by_id(&mut db, id).await?;
    found.filter(|s| s.container_id == c.id && s.made_at.is_some() && s.reason != CLONE).ok_or(AppError::NotFound)
}

/// `GET /containers/{name}/snapshots/{id}/restore`
pub async fn go_back_form(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let snapshot = aside(&ctx, &c, &id).await?;
    if snapshot.is_copy() {
        return page(&restore_page(&ctx, &c, &snapshot));
    }
    let label = |image: &str| match ctx.app().catalog.find(image) {
        Some(i) => format!("{} {}", i.engine.label(), i.version),
        None => image.to_owned(),
    };
    let mut will = vec!["The server starts with the previous data. Changes made since then are undone.".to_owned()];
    if snapshot.image != c.image {
        will.push(format!("It runs {} again.", label(&snapshot.image)));
    }
    let backups = urls::database_page(&c.name, DatabasePage::Backups);
    page(&ConfirmPage {
        frame: Frame { parent: Some(Link::new("Backups", &backups)), ..ctx.frame_of(&c) },
        title: format!("Switch {} to previous data", c.name),
        will,
        kept: vec![kept("The current data is kept")],
        action: urls::snapshot_restore(&c.name, snapshot.id),
        button: "Switch to previous data".to_owned(),
        back_href: backups,
        back_label: "Cancel".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `POST /containers/{name}/snapshots/{id}/restore`
pub async fn go_back_now(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let snapshot = aside(&ctx, &c, &id).await?;
    if snapshot.is_copy() {
        return restore(&ctx, &c, &snapshot).await;
    }
    let done = go_back(ctx.app(), &c, &snapshot, &ctx.actor()).await;
    landed(&ctx, &c, ("container.go-back", Tab::Backups), done, None).await
}

/// The later versions that the database can be upgraded to and whose images are available.
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
        frame: ctx.frame_of(c),
        title: format!("Upgrade {}", c.name),
        will: vec![
            if c.state == ContainerState::Stopped {
                "The database cannot be started until the upgrade is done. Then it starts.".to_owned()
            } else {
                "The server stops and the database is unavailable until the upgrade is done.".to_owned()
            },
            "The database is backed up, restored with the new version and compared row by row.".to_owned(),
            "The new version takes over only if everything matches.".to_owned(),
        ],
        kept: vec![
            "Name, port, users and passwords.".to_owned(),
            kept("The data of the old version is kept"),
            "If anything fails, the database continues unchanged.".to_owned(),
        ],
        extra: vec![Field::select("image", "New version", choices.collect())],
        action: urls::database_page(&c.name, DatabasePage::Upgrade),
        name: Some(c.name.clone()),
        value: text("confirm"),
        error,
        button: "Upgrade database".to_owned(),
        back_href: urls::database_page(&c.name, DatabasePage::Settings),
        back_label: "Keep current version".to_owned(),
        ..ConfirmPage::default()
    }
}

/// `GET /containers/{name}/upgrade`
pub async fn upgrade_form(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    if later(&ctx, &c).is_empty() {
        return Err(AppError::Conflict("No later version is available.".to_owned()));
    }
    page(&upgrade_page(&ctx, &c, None, None))
}

/// `POST /containers/{name}/upgrade` with `image` and `confirm` = the name
pub async fn upgrade(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let wrong = mistyped(&c, &fields);
    let image = ctx.app().catalog.named(c.engine, fields.text("image"));
    match (wrong, image) {
        (None, Some(image)) => {
            let done = request_in_place::upgrade(ctx.app(), &c, image, &ctx.actor()).await;
            landed(&ctx, &c, ("container.upgrade", Tab::Settings), done, None).await
        }
        (wrong, _) => {
            let error = wrong.unwrap_or_else(|| "Choose a version.".to_owned());
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &upgrade_page(&ctx, &c, Some(&fields), Some(error)))
        }
    }
}
