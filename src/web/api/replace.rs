//! API calls that replace the data of a database with a backup: restore in place, upgrade.

use axum::extract::Path;
use axum::response::Response;
use uuid::Uuid;

use super::body::Body;
use super::params::Params;
use super::wait::Enqueued;
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::backup::restore::request_in_place;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::web::context::Context;
use crate::web::error::AppError;

/// The response to a call that enqueued a job or was rejected.
pub(super) async fn enqueued(
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
