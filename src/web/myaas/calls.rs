//! The calls.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answers::{InstanceJson, RowJson, not_found, said, status as word};
use crate::admin_db::containers::Container;
use crate::admin_db::containers::credentials::CredentialKind;
use crate::admin_db::jobs::JobStatus;
use crate::admin_db::templates::versions::{TemplateVersion, VersionStatus};
use crate::admin_db::templates::{Template, instances, versions};
use crate::admin_db::{containers, jobs, templates as table};
use crate::blueprint::password;
use crate::domain::job_kind::JobKind;
use crate::domain::names::InstanceName;
use crate::domain::password::Password;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::provision::container::find;
use crate::queue::refusal::RequestError;
use crate::templates::instance;
use crate::templates::instance::{Instance, InstanceRequest};
use crate::trash::move_to_trash;
use crate::web::access::job_access::{cancel, until_final};
use crate::web::context::Context;
use crate::web::error::AppError;

/// `GET /`
pub(super) async fn status(ctx: Context) -> Result<Response, AppError> {
    let (names, rows) = (template_names(&ctx).await?, rows(&ctx).await?);
    let databases: Vec<_> = rows.iter().map(|(template, c)| format!("{template},{}", c.instance_name)).collect();
    Ok(Json(json!({ "status": "Service is running", "templates": names, "databases": databases })).into_response())
}

/// `GET /templates`
pub(super) async fn templates(ctx: Context) -> Result<Response, AppError> {
    Ok(Json(json!({ "templates": template_names(&ctx).await? })).into_response())
}

/// `GET /db`
pub(super) async fn list(ctx: Context) -> Result<Response, AppError> {
    let rows = rows(&ctx).await?;
    let rows: Vec<_> = rows.iter().map(|(template, c)| RowJson::new(template, c)).collect();
    Ok(Json(json!({ "databases": rows })).into_response())
}

/// Query parameters of a database.
#[derive(Debug, Deserialize)]
pub(super) struct ShowQuery {
    all: Option<String>,
}

/// `GET /db/{template}/{name}`, with `?all=1` what the container engine reports about it.
pub(super) async fn show(
    ctx: Context,
    Path((template, name)): Path<(String, String)>,
    Query(query): Query<ShowQuery>,
) -> Result<Response, AppError> {
    let Some(c) = by_name(&ctx, &template, &name).await?.filter(exists) else { return Ok(not_found()) };
    if query.all.is_some_and(|all| !all.is_empty() && all != "0") {
        return Ok(Json(json!({ "container": inspected(&ctx, &c).await? })).into_response());
    }
    described(&ctx, &c, StatusCode::OK).await
}

/// `POST /db/{template}/{name}` with `ttl` in a form or a JSON object. Responds when the server accepts the login.
pub(super) async fn make(
    ctx: Context,
    Path((template, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, AppError> {
    ctx.writable()?;
    let app = ctx.app();
    let Ok(instance) = InstanceName::parse(&name).map_err(|e| e.to_string()) else {
        let why = InstanceName::parse(&name).err().map(|e| e.to_string()).unwrap_or_default();
        return Ok(said(StatusCode::BAD_REQUEST, &why));
    };
    let Some(t) = of_name(&ctx, &template).await? else {
        return Ok(said(StatusCode::NOT_FOUND, &format!("Template {template} does not exist.")));
    };
    let user = ctx.user()?.clone();
    let ends = ttl(&headers, &body).and_then(|text| {
        // To the predecessor's clients, 0 means that it is kept.
        let text = text.as_deref().map(|text| if text == "0" { "" } else { text });
        instance::end(app, &user, &t, text).map_err(|e| e.to_string())
    });
    let ends = match ends {
        Ok(ends) => ends,
        Err(why) => return Ok(said(StatusCode::BAD_REQUEST, &why)),
    };
    let fixed = app.config.myaas.password.as_ref().map(|p| Password::parse(p.expose_secret()));
    let fixed = fixed.transpose().map_err(|e| AppError::Conflict(format!("myaas.password: {e}")))?;
    let wanted = InstanceRequest {
        template: &t,
        owner: user,
        instance,
        name: None,
        memory: None,
        expires_at: ends,
        password: fixed,
    };
    let until = tokio::time::Instant::now() + app.config.myaas.patience;
    loop {
        match instance::request(app, &wanted, &ctx.actor()).await {
            Ok(Instance::New(made)) => return finished(&ctx, (made.id, made.job), until, StatusCode::CREATED).await,
            Ok(Instance::There(c)) if c.state == ContainerState::Trashed => {
                let why = format!("The database {} is in the trash. Restore it, or delete it permanently.", c.name);
                return Ok(said(StatusCode::CONFLICT, &why));
            }
            // The name is free again in a moment.
            Ok(Instance::There(c)) if !exists(&c) && tokio::time::Instant::now() < until => {
                tokio::time::sleep(AGAIN).await;
            }
            Ok(Instance::There(c)) if never_made(&c) => match again(&ctx, &c, &wanted).await? {
                Ok(job) => return finished(&ctx, (c.id, job), until, StatusCode::CREATED).await,
                // Another request tries the same.
                Err(RequestError::Busy) if tokio::time::Instant::now() < until => tokio::time::sleep(AGAIN).await,
                Err(e) => return Err(ctx.refused("container.create", Some(&c), e).await),
            },
            Ok(Instance::There(c)) => {
                return match c.active_job_id.filter(|_| c.active_kind().is_some_and(|kind| STARTS.contains(&kind))) {
                    Some(job) => finished(&ctx, (c.id, job), until, StatusCode::NOT_MODIFIED).await,
                    None => described(&ctx, &c, StatusCode::NOT_MODIFIED).await,
                };
            }
            Err(RequestError::TemplateEmpty) => return without_version(&ctx, &t).await,
            Err(e) => return Err(ctx.refused("container.create", None, e).await),
        }
    }
}

/// Jobs after which the server of a database accepts its login. Requests do not wait for other jobs.
const STARTS: [JobKind; 3] = [JobKind::FromTemplate, JobKind::Start, JobKind::Restart];
/// Time between two checks of a database that is being deleted.
const AGAIN: Duration = Duration::from_millis(200);

/// Requests a database again that could not be made, as it is wanted now.
async fn again(
    ctx: &Context,
    c: &Container,
    wanted: &InstanceRequest<'_>,
) -> Result<Result<Uuid, RequestError>, AppError> {
    ctx.permit(c, Action::Edit).await?;
    Ok(instance::again(ctx.app(), c, Some(wanted), &ctx.actor()).await)
}

/// Whether a database could not be made, so that another request tries again.
fn never_made(c: &Container) -> bool {
    c.state == ContainerState::Failed && c.started_at.is_none() && c.active_job_id.is_none()
}

/// The answer for a template that has no version to make a database from. Clients repeat a request that is answered with
/// 423, so only a running import is.
async fn without_version(ctx: &Context, t: &Template) -> Result<Response, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let last = versions::latest(&mut db, t.id, 1).await?;
    Ok(match last.first().map(TemplateVersion::status) {
        Some(VersionStatus::Failed) => {
            said(StatusCode::CONFLICT, &format!("Template {} has no data: its import failed.", t.name))
        }
        // One may have ended at this moment.
        Some(_) => said(StatusCode::LOCKED, &format!("Template {} is being imported.", t.name)),
        None => said(StatusCode::CONFLICT, &format!("Template {} has not been imported.", t.name)),
    })
}

/// `DELETE /db/{template}/{name}`
pub(super) async fn remove(ctx: Context, Path((template, name)): Path<(String, String)>) -> Result<Response, AppError> {
    ctx.writable()?;
    let app = ctx.app();
    let until = tokio::time::Instant::now() + app.config.myaas.patience;
    loop {
        let Some(c) = by_name(&ctx, &template, &name).await?.filter(exists) else { return Ok(not_found()) };
        ctx.permit(&c, Action::Delete).await?;
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        match (move_to_trash::delete(app, &c, false, &ctx.actor()).await, c.active_job_id) {
            (Ok(job), _) => {
                let job = until_final(&ctx, job, left).await?;
                return Ok(match job.status {
                    JobStatus::Failed | JobStatus::Cancelled => failed(job.error.as_deref()),
                    _ => StatusCode::NO_CONTENT.into_response(),
                });
            }
            // Somebody else has deleted it.
            (Err(RequestError::Gone), _) => return Ok(not_found()),
            // It is being made, or another job is running.
            (Err(RequestError::Busy | RequestError::State(_)), Some(job)) if !left.is_zero() => {
                give_up(&ctx, &c, job).await?;
                until_final(&ctx, job, left).await?;
                tokio::time::sleep(AGAIN).await;
            }
            (Err(e), _) => return Err(ctx.refused("container.delete", Some(&c), e).await),
        }
    }
}

/// Cancels the job that makes a database. Waits for any other job.
async fn give_up(ctx: &Context, c: &Container, job: Uuid) -> Result<(), AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let job = jobs::by_id(&mut db, job).await?.filter(|job| job.kind() == Some(JobKind::FromTemplate));
    drop(db);
    if let Some(job) = job {
        cancel(ctx, &job, Some(c)).await?;
    }
    Ok(())
}

/// Whether a database exists for clients, that is, is not being deleted.
fn exists(c: &Container) -> bool {
    !matches!(c.state, ContainerState::Deleting | ContainerState::Trashed | ContainerState::Purged)
}

/// Waits for the job of a database, then describes the database.
async fn finished(
    ctx: &Context,
    (id, job): (Uuid, Uuid),
    until: tokio::time::Instant,
    code: StatusCode,
) -> Result<Response, AppError> {
    let patience = until.saturating_duration_since(tokio::time::Instant::now());
    let job = until_final(ctx, job, patience).await?;
    let is_failed = matches!(job.status, JobStatus::Failed | JobStatus::Cancelled);
    if is_failed && job.kind() == Some(JobKind::FromTemplate) {
        return Ok(failed(job.error.as_deref()));
    }
    let mut db = ctx.app().db.acquire().await?;
    let c = containers::by_id(&mut db, id).await?.ok_or(AppError::NotFound)?;
    drop(db);
    described(ctx, &c, code).await
}

fn failed(why: Option<&str>) -> Response {
    said(StatusCode::INTERNAL_SERVER_ERROR, why.unwrap_or("The job was cancelled."))
}

/// The description of a database with its password. A response of 304 has no body.
async fn described(ctx: &Context, c: &Container, code: StatusCode) -> Result<Response, AppError> {
    let app = ctx.app();
    if code == StatusCode::NOT_MODIFIED {
        return Ok(code.into_response());
    }
    let mut db = app.db.acquire().await?;
    let password = password(app, &mut db, c.id, CredentialKind::Clone).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    drop(db);
    let mut response = (code, Json(InstanceJson::new(app, c, password.as_ref()))).into_response();
    if code == StatusCode::CREATED {
        let here = HeaderValue::from_str(&ctx.meta.here);
        here.map(|here| response.headers_mut().insert(header::LOCATION, here)).ok();
    }
    Ok(response)
}

/// What the container engine reports about a database, without environment and mounts, which contain secrets of the portal.
async fn inspected(ctx: &Context, c: &Container) -> Result<Value, AppError> {
    let found = find(ctx.app(), c).await.map_err(|e| anyhow::anyhow!("{e}"))?;
    let Some(found) = found else {
        return Ok(json!({ "Name": c.docker_name, "State": { "Status": word(c.state), "Running": false } }));
    };
    let ports: serde_json::Map<_, _> = found
        .ports
        .iter()
        .map(|(inside, host)| (format!("{inside}/tcp"), json!([{ "HostPort": host.to_string() }])))
        .collect();
    Ok(json!({
        "Id": found.id,
        "Name": found.name,
        "Created": c.created_at.to_rfc3339(),
        "Image": c.image,
        "State": {
            "Status": found.status,
            "Running": found.running,
            "ExitCode": found.exit_code,
            "OOMKilled": found.oom_killed,
            "StartedAt": found.started_at.map(|at| at.to_rfc3339()),
        },
        "HostConfig": { "Memory": c.memory_bytes, "NanoCpus": i64::from(c.millicpus) * 1_000_000 },
        "NetworkSettings": { "Ports": ports },
    }))
}

/// The templates that the sender may use.
async fn usable(ctx: &Context) -> Result<Vec<Template>, AppError> {
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let all = table::all(&mut db).await?;
    Ok(all.into_iter().filter(|t| t.allows(user.username.as_str(), user.is_admin())).collect())
}

async fn template_names(ctx: &Context) -> Result<Vec<String>, AppError> {
    Ok(usable(ctx).await?.into_iter().map(|t| t.name).collect())
}

async fn of_name(ctx: &Context, name: &str) -> Result<Option<Template>, AppError> {
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let found = table::by_name(&mut db, name).await?;
    Ok(found.filter(|t| t.allows(user.username.as_str(), user.is_admin())))
}

/// The sender's databases with the names of their templates.
async fn rows(ctx: &Context) -> Result<Vec<(String, Container)>, AppError> {
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let templates = table::names(&mut db).await?;
    let rows = instances::of_account(&mut db, user.id).await?;
    let named = rows.into_iter().filter(exists).filter_map(|c| {
        let (_, template) = templates.iter().find(|(id, _)| Some(*id) == c.template_id)?;
        Some((template.clone(), c))
    });
    Ok(named.collect())
}

/// The sender's database of this name.
async fn by_name(ctx: &Context, template: &str, name: &str) -> Result<Option<Container>, AppError> {
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    Ok(instances::by_names(&mut db, user.id, template, name).await?)
}

/// The time to live in a form or a JSON object; `None` if there is none.
fn ttl(headers: &HeaderMap, body: &[u8]) -> Result<Option<String>, String> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let text = if kind.starts_with("application/json") && !body.is_empty() {
        let body: Value = serde_json::from_slice(body).map_err(|e| format!("The body is not JSON: {e}."))?;
        match body.get("ttl") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        }
    } else {
        form_urlencoded::parse(body).find(|(name, _)| name == "ttl").map(|(_, value)| value.into_owned())
    };
    Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_live_is_read_from_forms_and_json() {
        let form = HeaderMap::new();
        let json = "application/json; charset=utf-8".parse().unwrap();
        let json: HeaderMap = [(header::CONTENT_TYPE, json)].into_iter().collect();
        for (headers, body, wanted) in [
            (&form, "ttl=3600", Some("3600")),
            (&form, "ttl=0&x=1", Some("0")),
            (&form, "", None),
            (&form, "ttl=", None),
            (&json, r#"{"ttl": 60}"#, Some("60")),
            (&json, r#"{"ttl": "8h"}"#, Some("8h")),
            (&json, r#"{"ttl": -1}"#, Some("-1")),
            (&json, "{}", None),
            (&json, "", None),
        ] {
            assert_eq!(ttl(headers, body.as_bytes()).unwrap().as_deref(), wanted, "{body}");
        }
        assert!(ttl(&json, b"{").is_err());
    }
}
