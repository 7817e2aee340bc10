//! API calls that replace the data of a database: restore in place, undo, upgrade.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::body::Body;
use super::json::{ListJson, answer};
use super::params::Params;
use super::wait::Enqueued;
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::{Container, snapshots};
use crate::backup::restore::request_in_place;
use crate::domain::user::Action;
use crate::provision::rollback;
use crate::queue::refusal::RequestError;
use crate::web::context::Context;
use crate::web::error::AppError;

/// Previous data, kept for some days.
#[derive(Debug, Serialize)]
struct SnapshotJson<'a> {
    id: Uuid,
    reason: &'a str,
    image: &'a str,
    made_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
}

async fn enqueued(
    ctx: &Context,
    c: &Container,
    params: &Params,
    action: &str,
    done: Result<Uuid, RequestError>,
) -> Result<Response, AppError> {
    match done {
        Ok(job) => Enqueued::on(c, job, params.wait()?).answer(ctx).await,
        Err(e) => Err(ctx.refused(action, Some(c), e).await),
    }
}

fn confirmed(c: &Container, typed: &str, mut faults: Vec<(String, String)>) -> Result<(), AppError> {
    if typed != c.name {
        faults.push(("confirm".to_owned(), format!("To confirm, send the name, {}, as `confirm`.", c.name)));
    }
    if faults.is_empty() { Ok(()) } else { Err(AppError::Invalid(faults)) }
}

/// `POST /api/v1/backups/{id}/restore` with `{"in_place": true, "confirm": NAME}`
pub(super) async fn in_place(
    ctx: &Context,
    c: &Container,
    backup: &Backup,
    params: &Params,
    body: Body,
) -> Result<Response, AppError> {
    let (fields, faults) = body.fields(&["in_place", "confirm"]);
    confirmed(c, fields.text("confirm"), faults)?;
    let done = request_in_place::in_place(ctx.app(), c, backup, &ctx.actor()).await;
    enqueued(ctx, c, params, "container.restore-in-place", done).await
}

/// `POST /api/v1/containers/{name}/upgrade` with `{"image": IMAGE, "confirm": NAME}`; the image is given by reference
/// or version
pub async fn upgrade(ctx: Context, Path(name): Path<String>, params: Params, body: Body) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    params.only(&["wait"])?;
    let (fields, mut faults) = body.fields(&["image", "confirm"]);
    let image = ctx.app().catalog.named(c.engine, fields.text("image"));
    if image.is_none() {
        faults.push(("image".to_owned(), "Send an image from the catalog, or its version.".to_owned()));
    }
    confirmed(&c, fields.text("confirm"), faults)?;
    let Some(image) = image else { return Err(AppError::NotFound) };
    let done = request_in_place::upgrade(ctx.app(), &c, image, &ctx.actor()).await;
    enqueued(&ctx, &c, &params, "container.upgrade", done).await
}

/// `GET /api/v1/containers/{name}/snapshots`
pub async fn list(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let mut db = ctx.app().db.acquire().await?;
    let rows = snapshots::of_container(&mut db, c.id).await?;
    let items: Vec<_> = rows
        .iter()
        .map(|s| SnapshotJson {
            id: s.id,
            reason: &s.reason,
            image: &s.image,
            made_at: s.made_at,
            expires_at: s.expires_at,
        })
        .collect();
    Ok(answer(StatusCode::OK, &ListJson { items, next: None }))
}

/// `POST /api/v1/containers/{name}/snapshots/{id}/restore`
pub async fn go_back_now(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    params: Params,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    params.only(&["wait"])?;
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = snapshots::by_id(&mut db, id).await?;
    drop(db);
    let snapshot = found.filter(|s| s.container_id == c.id && s.made_at.is_some()).ok_or(AppError::NotFound)?;
    let done = rollback::go_back(ctx.app(), &c, &snapshot, &ctx.actor()).await;
    enqueued(&ctx, &c, &params, "container.go-back", done).await
}
