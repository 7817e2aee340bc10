//! API calls for snapshots and clones.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::{Body, MaybeBody};
use super::json::{ListJson, answer};
use super::params::Params;
use super::replace::enqueued;
use super::wait::Enqueued;
use crate::admin_db::containers::snapshots;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::backup::restore::undo;
use crate::clones::request;
use crate::domain::user::Action;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::copies as form;
use crate::web::forms::copies::Source;
use crate::web::pages::copies::clone::make;
use crate::web::pages::copies::snapshots::taken;

/// A snapshot, or previous data that is kept for some days. Its field names are a contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub(crate) struct SnapshotJson<'a> {
    /// Its id.
    id: Uuid,
    /// `user` for a snapshot; otherwise why previous data was kept.
    reason: &'a str,
    /// Image of the server that wrote the data.
    image: &'a str,
    /// When it was complete.
    made_at: Option<DateTime<Utc>>,
    /// When it is deleted.
    expires_at: Option<DateTime<Utc>>,
    /// Your note.
    note: &'a str,
    /// Moment of the data.
    as_of: Option<DateTime<Utc>>,
    /// How long the server was paused for it, in milliseconds.
    paused_ms: Option<i64>,
    /// Bytes that only it holds.
    bytes: Option<i64>,
}

impl<'a> SnapshotJson<'a> {
    fn new(s: &'a Snapshot) -> Self {
        Self {
            id: s.id,
            reason: &s.reason,
            image: &s.image,
            made_at: s.made_at,
            expires_at: s.expires_at,
            note: &s.note,
            as_of: s.frozen_at,
            paused_ms: s.frozen_ms,
            bytes: s.bytes,
        }
    }
}

/// `GET /api/v1/containers/{name}/snapshots`
pub async fn list(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let c = ctx.container(&name, Action::View).await?;
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = snapshots::copies_of(&mut db, c.id, ctx.now()).await?;
    rows.extend(snapshots::of_container(&mut db, c.id).await?);
    Ok(answer(StatusCode::OK, &ListJson { items: rows.iter().map(SnapshotJson::new).collect(), next: None }))
}

/// `POST /api/v1/containers/{name}/snapshots` with `{"note": …, "days": …}`
pub async fn take(
    ctx: Context,
    Path(name): Path<String>,
    params: Params,
    body: MaybeBody,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    params.only(&["wait"])?;
    let (fields, mut faults) = body.fields(&["note", "days"]);
    let (note, until) = match form::snapshot(&ctx, &fields) {
        Ok(order) if faults.is_empty() => order,
        Ok(_) => return Err(AppError::Invalid(faults)),
        Err(more) => {
            faults.extend(more);
            return Err(AppError::Invalid(faults));
        }
    };
    let done = request::take(ctx.app(), &c, &note, until, &ctx.actor()).await;
    enqueued(&ctx, &c, &params, "container.snapshot", done.map(|(_, job)| job)).await
}

/// `POST /api/v1/containers/{name}/snapshots/{id}/restore`
pub async fn restore(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    params: Params,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    params.only(&["wait"])?;
    if let Ok(snapshot) = taken(&ctx, &c, &id).await {
        let done = request::restore(ctx.app(), &c, snapshot.id, &ctx.actor()).await;
        return enqueued(&ctx, &c, &params, "container.restore-snapshot", done).await;
    }
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = snapshots::by_id(&mut db, id).await?;
    drop(db);
    let previous = |s: &Snapshot| s.container_id == c.id && s.made_at.is_some() && !s.is_copy();
    let snapshot = found.filter(previous).ok_or(AppError::NotFound)?;
    let done = undo::go_back(ctx.app(), &c, &snapshot, &ctx.actor()).await;
    enqueued(&ctx, &c, &params, "container.go-back", done).await
}

/// `DELETE /api/v1/containers/{name}/snapshots/{id}`
pub async fn delete(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    params: Params,
) -> Result<Response, AppError> {
    params.only(&[])?;
    let c = ctx.container(&name, Action::Backup).await?;
    let snapshot = taken(&ctx, &c, &id).await?;
    request::delete(ctx.app(), &c, &snapshot, &ctx.actor()).await?;
    Ok(answer(StatusCode::OK, &SnapshotJson { expires_at: Some(ctx.now()), ..SnapshotJson::new(&snapshot) }))
}

/// `POST /api/v1/containers/{name}/clone` with `{"name": NEW, "memory": …, "ttl": …}`, and `"snapshot": ID` or
/// `"backup": ID`
pub async fn clone(ctx: Context, Path(name): Path<String>, params: Params, body: Body) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (fields, mut faults) = body.fields(&["name", "memory", "snapshot", "backup", "ttl"]);
    let order = match form::clone(&ctx, &c, &fields) {
        Ok(order) if faults.is_empty() => order,
        Ok(_) => return Err(AppError::Invalid(faults)),
        Err(more) => {
            faults.extend(more);
            return Err(AppError::Invalid(faults));
        }
    };
    let field = match order.source {
        Source::Now => None,
        Source::Snapshot(_) => Some("snapshot"),
        Source::Backup(_) => Some("backup"),
    };
    let made = match (make(&ctx, &c, order).await, field) {
        (Err(AppError::NotFound), Some(field)) => {
            let why = format!("There is no such {field} of this database.");
            return Err(AppError::Invalid(vec![(field.to_owned(), why)]));
        }
        (made, _) => made?,
    };
    match made {
        Ok(made) => {
            let (job, container, password) = (made.job, made.id, made.generated);
            Enqueued { job, container, patience, done: StatusCode::CREATED, password }.answer(&ctx).await
        }
        Err(e) => Err(ctx.refused("container.clone", Some(&c), e).await),
    }
}

/// `POST /api/v1/containers/{name}/reset`
pub async fn reset(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    params.only(&["wait"])?;
    let done = request::reset(ctx.app(), &c, &ctx.actor()).await;
    enqueued(&ctx, &c, &params, "container.reset", done).await
}

/// `POST /api/v1/containers/{name}/refresh`
pub async fn refresh(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    params.only(&["wait"])?;
    let done = request::refresh(ctx.app(), &c, &ctx.actor()).await;
    enqueued(&ctx, &c, &params, "container.refresh", done).await
}

/// `POST /api/v1/containers/{name}/promote`
pub async fn promote(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    // There is nothing to wait for, but a program may send the same parameter as for the others.
    params.only(&["wait"])?;
    let c = ctx.container(&name, Action::Edit).await?;
    match request::promote(ctx.app(), &c, &ctx.actor()).await {
        Ok(()) => super::containers::show(ctx, Path(name), Params::default()).await,
        Err(e) => Err(ctx.refused("container.promote", Some(&c), e).await),
    }
}
