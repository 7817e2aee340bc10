//! `/api/v1/backups`: lists backups, creates and restores them.

use std::time::Duration;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::Body;
use super::json::{ListJson, answer};
use super::params::Params;
use super::replace;
use super::wait::Enqueued;
use crate::admin_db::backups;
use crate::admin_db::backups::{Backup, BackupStatus};
use crate::admin_db::containers::Container;
use crate::backup::request;
use crate::backup::request::{Purpose, RestoreRequest};
use crate::backup::restore::partial;
use crate::domain::engine::EngineKind;
use crate::domain::names::ContainerName;
use crate::domain::user::Action;
use crate::engine::partial::Selection;
use crate::queue::refusal::RequestError;
use crate::web::access::backup_access::visible_backup;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::pages::shared::{cursor, parse_cursor};

/// A backup. Its field names are a contract (docs/API.md).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Backup)]
pub struct BackupJson<'a> {
    /// Its id.
    id: Uuid,
    /// Name of its database.
    container: &'a str,
    /// Engine of its database.
    #[schema(value_type = String)]
    engine: EngineKind,
    /// `backup`, `drill` or `restore`.
    kind: &'a str,
    /// `running`, `succeeded`, `failed` or `cancelled`.
    #[schema(value_type = String)]
    status: BackupStatus,
    /// When it started.
    started_at: DateTime<Utc>,
    /// When it ended.
    finished_at: Option<DateTime<Utc>>,
    /// Stored bytes.
    bytes: Option<i64>,
    /// SHA-256 of its manifest.
    sha256: Option<String>,
    /// Verification level, 0 to 5.
    level: Option<i16>,
    /// Where its objects are.
    location: Option<&'a str>,
    /// Why it failed.
    error: Option<&'a str>,
    /// Why it was made: `manual`, `schedule`, `final` and others.
    reason: &'a str,
    /// Name of the backup target.
    target: Option<&'a str>,
    /// When a test restore last succeeded.
    proven_at: Option<DateTime<Utc>>,
    /// Duration of that test restore in milliseconds.
    restore_ms: Option<i64>,
    /// Status of the last test restore, successful or not.
    #[schema(value_type = Option<String>)]
    drill_status: Option<BackupStatus>,
    /// When it ended.
    drill_at: Option<DateTime<Utc>>,
    /// Why it failed.
    drill_error: Option<&'a str>,
    /// Differences found by it, at most 51 sentences.
    differences: &'a [String],
    /// Number of objects defined in it; `null` if not recorded.
    definitions: Option<i32>,
    /// The job that makes it.
    job: Option<Uuid>,
}

impl<'a> BackupJson<'a> {
    fn new(b: &'a Backup) -> Self {
        Self {
            id: b.id,
            container: &b.container,
            engine: b.engine,
            kind: &b.kind,
            status: b.status,
            started_at: b.started_at,
            finished_at: b.finished_at,
            bytes: b.bytes,
            sha256: b.sha256.as_deref().map(hex::encode),
            level: b.level,
            location: b.location.as_deref(),
            error: b.error.as_deref(),
            reason: &b.reason,
            target: b.target.as_deref(),
            proven_at: b.proven_at,
            restore_ms: b.proven_ms,
            drill_status: b.drill_status,
            drill_at: b.drill_at,
            drill_error: b.drill_error.as_deref(),
            differences: b.differences.as_ref().map(|d| d.0.as_slice()).unwrap_or_default(),
            definitions: b.definitions,
            job: b.job_id,
        }
    }
}

/// `GET /api/v1/backups?container=NAME`
pub async fn list(ctx: Context, params: Params) -> Result<Response, AppError> {
    params.only(&["container", "limit", "cursor"])?;
    let user = ctx.user()?;
    let limit = params.limit()?;
    let wrong = || {
        AppError::Invalid(vec![(
            "cursor".to_owned(),
            "Send the value of `next` from the previous response.".to_owned(),
        )])
    };
    let after = params.get("cursor").map(|text| parse_cursor(text).ok_or_else(wrong)).transpose()?;
    let owner = (!user.is_admin()).then_some(user.id);
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = backups::list(&mut db, params.get("container"), owner, after, limit + 1).await?;
    drop(db);
    let more = i64::try_from(rows.len()).is_ok_and(|n| n > limit);
    if more {
        rows.pop();
    }
    let next = rows.last().filter(|_| more).map(|b| cursor(b.started_at, b.id));
    Ok(answer(StatusCode::OK, &ListJson { items: rows.iter().map(BackupJson::new).collect(), next }))
}

/// `POST /api/v1/containers/{name}/backup`
pub async fn now(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    params.only(&["wait"])?;
    let patience = params.wait()?;
    match request::backup(ctx.app(), &c, "manual", &ctx.actor()).await {
        Ok((_, job)) => Enqueued::on(&c, job, patience).answer(&ctx).await,
        Err(e) => Err(ctx.refused("container.backup", Some(&c), e).await),
    }
}

/// `POST /api/v1/backups/{id}/restore` with `{"name": NEW}`, also `storage`, and `"only": {"database": …, "table": …}` for a partial
/// restore; `{"beside": true, "only": …}` restores that part as a copy in the existing database
pub async fn restore(
    ctx: Context,
    Path(id): Path<String>,
    params: Params,
    mut body: Body,
) -> Result<Response, AppError> {
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (backup, c) = visible_backup(&ctx, &id, Action::Restore).await?;
    if body.asks("in_place") {
        return replace::in_place(&ctx, &c, &backup, &params, body).await;
    }
    let only: Option<Selection> = body.take("only").map_err(|why| AppError::Invalid(vec![("only".to_owned(), why)]))?;
    if body.asks("beside") {
        return beside_now(&ctx, &c, &backup, only, patience, body).await;
    }
    let (fields, mut faults) = body.fields(&["name", "beside", "storage"]);
    let name = ContainerName::parse(fields.text("name"));
    let name = match name {
        Ok(name) if faults.is_empty() => name,
        Ok(_) => return Err(AppError::Invalid(faults)),
        Err(e) => {
            faults.push(("name".to_owned(), e.to_string()));
            return Err(AppError::Invalid(faults));
        }
    };
    let storage = Some(fields.text("storage")).filter(|name| !name.is_empty()).map(str::to_owned);
    let wanted = RestoreRequest { name, owner: c.account_id, only, storage, purpose: Purpose::Restore };
    match request::restore(ctx.app(), &backup, &wanted, &ctx.actor()).await {
        Ok(made) => {
            let (job, container, password) = (made.job, made.id, made.generated);
            Enqueued { job, container, patience, done: StatusCode::CREATED, password }.answer(&ctx).await
        }
        Err(RequestError::NotAlone(why)) => Err(AppError::Invalid(vec![("only".to_owned(), why)])),
        Err(e) => Err(ctx.refused("container.restore", Some(&c), e).await),
    }
}

async fn beside_now(
    ctx: &Context,
    c: &Container,
    backup: &Backup,
    only: Option<Selection>,
    patience: Option<Duration>,
    body: Body,
) -> Result<Response, AppError> {
    let (_, mut faults) = body.fields(&["beside"]);
    let Some(only) = only.filter(|_| faults.is_empty()) else {
        faults.push((
            "only".to_owned(),
            "Name the database or table to restore as a copy (`database`, `table`).".to_owned(),
        ));
        return Err(AppError::Invalid(faults));
    };
    match partial::beside(ctx.app(), c, backup, &only, &ctx.actor()).await {
        Ok((job, _)) => Enqueued::on(c, job, patience).answer(ctx).await,
        Err(RequestError::NotAlone(why)) => Err(AppError::Invalid(vec![("only".to_owned(), why)])),
        Err(e) => Err(ctx.refused("container.restore-beside", Some(c), e).await),
    }
}
