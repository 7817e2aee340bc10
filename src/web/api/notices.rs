//! `/api/v1/containers/{name}/notices`: problems with the backups and restores of a database.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::json::{ListJson, answer};
use super::params::Params;
use crate::admin_db::notices;
use crate::admin_db::notices::Notice;
use crate::domain::user::Action;
use crate::web::context::Context;
use crate::web::error::AppError;

/// A notice.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub(crate) struct NoticeJson<'a> {
    /// Its id.
    id: Uuid,
    /// What it is about, such as `backup_failed`.
    kind: &'a str,
    /// The notice.
    text: &'a str,
    /// When it was raised.
    at: DateTime<Utc>,
    /// The backup it is about.
    backup: Option<Uuid>,
    /// Whether you dismissed it.
    seen: bool,
}

impl<'a> NoticeJson<'a> {
    fn new(n: &'a Notice, is_owner: bool) -> Self {
        let seen = if is_owner { n.owner_seen_at } else { n.admin_seen_at };
        Self { id: n.id, kind: &n.kind, text: &n.text, at: n.at, backup: n.backup_id, seen: seen.is_some() }
    }
}

/// `GET /api/v1/containers/{name}/notices`: open notices, newest first.
pub async fn list(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let c = ctx.container(&name, Action::View).await?;
    let is_owner = c.account_id == ctx.user()?.id;
    let mut db = ctx.app().db.acquire().await?;
    let open = notices::of_container(&mut db, c.id).await?;
    let items = open.iter().map(|n| NoticeJson::new(n, is_owner)).collect();
    Ok(answer(StatusCode::OK, &ListJson { items, next: None }))
}

/// `POST /api/v1/containers/{name}/notices/{id}/seen`: dismisses a notice and returns the remaining ones.
pub async fn seen(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    params: Params,
) -> Result<Response, AppError> {
    params.only(&[])?;
    let c = ctx.container(&name, Action::View).await?;
    let user = ctx.user()?;
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    if !notices::see(&mut db, (id, c.id), (c.account_id == user.id, user.is_admin()), ctx.now()).await? {
        return Err(AppError::NotFound);
    }
    drop(db);
    list(ctx, Path(name), params).await
}
