//! `/api/v1/templates`: templates, their versions, and databases made from them.

use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::body::{Body, MaybeBody};
use super::json::{JobJson, ListJson, answer, answer_at};
use super::params::{Params, invalid};
use super::wait::Enqueued;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::admin_db::templates::{Template, instances, listing, versions};
use crate::admin_db::{jobs, templates};
use crate::domain::engine::EngineKind;
use crate::domain::names::TemplateName;
use crate::domain::user::User;
use crate::manifest::dump::LoadReport;
use crate::queue::refusal::RequestError;
use crate::templates::directory::DumpFile;
use crate::templates::instance::Instance;
use crate::templates::origin::TemplateSource;
use crate::templates::update::update as update_dumps;
use crate::templates::{directory, instance, request};
use crate::web::access::job_access::{CancelOutlook, until_final};
use crate::web::access::template_access::{managed, requested, visible};
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::dump::{SentForm, read};
use crate::web::forms::templates as form;
use crate::web::forms::templates::{FormFault, TemplateSettings};
use crate::web::urls;

/// Versions listed for one template.
const VERSIONS: i64 = 50;
/// Versions listed for each template in the list.
const LISTED_VERSIONS: i64 = 3;

/// A template. Its field names are a contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Template)]
pub(crate) struct TemplateJson<'a> {
    /// Its name.
    name: &'a str,
    /// Engine.
    #[schema(value_type = String)]
    engine: EngineKind,
    /// Image of databases made from it.
    image: &'a str,
    /// What it is made from.
    source: &'a str,
    /// Storage tier.
    storage: &'a str,
    /// Name of the database in the server, from the next import on.
    dbname: &'a str,
    /// Database user, from the next import on.
    dbuser: &'a str,
    /// Memory limit of databases made from it, in bytes.
    memory: i64,
    /// Seconds; `null`: databases made from it are kept.
    ttl: Option<i64>,
    /// Who may use it; empty: everybody.
    users: &'a [String],
    /// Description.
    description: &'a str,
    /// Number of the current version.
    version: Option<i32>,
    /// Number of databases made from it.
    databases: i64,
    /// Who made it.
    created_by: &'a str,
    /// When.
    created_at: DateTime<Utc>,
    /// Its latest versions, newest first.
    versions: Vec<VersionJson<'a>>,
}

/// A version of a template. Its field names are a contract.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TemplateVersion)]
pub(crate) struct VersionJson<'a> {
    /// Its number.
    number: i32,
    /// `importing`, `complete`, `failed` or `removed`.
    status: &'static str,
    /// Whether new databases are made from it.
    current: bool,
    /// Image that loaded it.
    image: &'a str,
    /// Name of the database in its copies.
    dbname: &'a str,
    /// User of that database.
    dbuser: &'a str,
    /// What it was made from.
    source: &'a str,
    /// Size of that in bytes.
    source_bytes: i64,
    /// SHA-256 of that.
    source_sha256: &'a str,
    /// Size of its data.
    bytes: Option<i64>,
    /// When it was requested.
    requested_at: DateTime<Utc>,
    /// When it was complete.
    made_at: Option<DateTime<Utc>>,
    /// Duration of the import.
    seconds: Option<i64>,
    /// Why it failed (for those who manage the template).
    error: Option<&'a str>,
    /// What was loaded.
    #[schema(value_type = Option<Object>)]
    report: Option<&'a LoadReport>,
    /// The job that imports it.
    job: Option<Uuid>,
}

impl<'a> VersionJson<'a> {
    /// The error of an import quotes the dump, which may contain what a script removes before a version is complete. It is
    /// only for those who manage the template.
    fn new(t: &Template, v: &'a TemplateVersion, manages: bool) -> Self {
        Self {
            number: v.number,
            status: v.status().as_str(),
            current: t.current_version == Some(v.id),
            image: &v.image,
            dbname: &v.dbname,
            dbuser: &v.dbuser,
            source: &v.source,
            source_bytes: v.source_bytes,
            source_sha256: &v.source_sha256,
            bytes: v.bytes,
            requested_at: v.requested_at,
            made_at: v.made_at,
            seconds: v.begun_at.zip(v.made_at).map(|(from, to)| (to - from).num_seconds()),
            error: v.error.as_deref().filter(|_| manages),
            report: v.report.as_ref().map(|report| &report.0),
            job: v.job_id,
        }
    }
}

impl<'a> TemplateJson<'a> {
    fn new(t: &'a Template, versions: &'a [TemplateVersion], databases: i64, user: &User) -> Self {
        let manages = t.is_managed_by(user.username.as_str(), user.is_admin());
        let current = versions.iter().find(|v| t.current_version == Some(v.id));
        Self {
            name: &t.name,
            engine: t.engine,
            image: &t.image,
            source: &t.source,
            storage: &t.storage,
            dbname: &t.dbname,
            dbuser: &t.dbuser,
            memory: t.memory_bytes,
            ttl: t.ttl_seconds,
            users: &t.users,
            description: &t.description,
            version: current.map(|v| v.number),
            databases,
            created_by: &t.created_by,
            created_at: t.created_at,
            versions: versions.iter().map(|v| VersionJson::new(t, v, manages)).collect(),
        }
    }
}

async fn described(ctx: &Context, t: &Template, code: StatusCode) -> Result<Response, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let (versions, count) = (versions::latest(&mut db, t.id, VERSIONS).await?, instances::count(&mut db, t.id).await?);
    Ok(answer(code, &TemplateJson::new(t, &versions, count, ctx.user()?)))
}

/// `GET /api/v1/templates`
pub async fn list(ctx: Context, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let mut rows = listing::list(&mut db, LISTED_VERSIONS).await?;
    rows.retain(|row| row.template.allows(user.username.as_str(), user.is_admin()));
    let items = rows.iter().map(|row| TemplateJson::new(&row.template, &row.versions, row.databases, user)).collect();
    Ok(answer(StatusCode::OK, &ListJson { items, next: None }))
}

/// `POST /api/v1/templates` with `{"name": …, "source": …}`: creates a template and imports it. For administrators,
/// `{"file": …, "name": …, "engine": …}` creates one from a dump in the directory.
pub async fn create(ctx: Context, params: Params, mut body: Body) -> Result<Response, AppError> {
    ctx.writable()?;
    params.only(&["wait"])?;
    let source: Option<TemplateSource> = body.take("source").map_err(|e| invalid("source", e))?;
    let (fields, faults) = body.fields(&["file", "name", "engine", "source", "dbname", "dbuser"]);
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    if let Some(source) = source {
        let name = TemplateName::parse(fields.text("name")).map_err(|e| invalid("name", e.to_string()))?;
        let t = match form::create(&ctx, &name, &source, form::copy_names(&fields)).await? {
            Ok(t) => t,
            Err(e @ RequestError::TemplateNameTaken) => return Err(invalid("name", e.to_string())),
            Err(e) => return Err(ctx.refused("template.create", None, e).await),
        };
        return import(&ctx, &t, &params, StatusCode::CREATED).await;
    }
    if !ctx.user()?.is_admin() {
        return Err(invalid("source", "Send the database, snapshot or backup that the template is made from."));
    }
    let dump = named(&ctx, fields.text("file"), fields.text("name")).await?;
    let engine = match fields.text("engine") {
        "" => None,
        text => Some(
            EngineKind::parse(text).ok_or_else(|| invalid("engine", "Send postgres, mariadb, mongodb or neo4j."))?,
        ),
    };
    match request::create(ctx.app(), &dump, (engine, form::copy_names(&fields)), &ctx.actor()).await {
        Ok(t) => import(&ctx, &t, &params, StatusCode::CREATED).await,
        Err(e) => Err(ctx.refused("template.create", None, e).await),
    }
}

/// `POST /api/v1/templates/from-dump`: a multipart form with `name`, also `dbname` and `dbuser`, and the file in
/// `dump`.
pub async fn upload(
    ctx: Context,
    params: Params,
    sent: Result<Multipart, MultipartRejection>,
) -> Result<Response, AppError> {
    ctx.writable()?;
    params.only(&["wait"])?;
    let SentForm { fields, file } = read(&ctx, sent.map_err(|_| AppError::UnsupportedMedia)?).await?;
    let t = form::upload(&ctx, &fields, file).await?.map_err(AppError::Invalid)?;
    import(&ctx, &t, &params, StatusCode::CREATED).await
}

/// A dump in the directory, as the source of the template `name`.
async fn named(ctx: &Context, file: &str, name: &str) -> Result<DumpFile, AppError> {
    let dir = &ctx.app().config.templates.dumps;
    let listing = directory::list(dir).await.map_err(AppError::Conflict)?;
    let found = listing.dumps.into_iter().find(|dump| dump.file == file);
    let mut dump = found.ok_or_else(|| {
        let why = listing.unusable.iter().find(|u| u.file == file).map(|u| format!(" {}", u.why));
        invalid("file", format!("There is no such dump in the directory of dumps.{}", why.unwrap_or_default()))
    })?;
    if !name.is_empty() {
        dump.template = TemplateName::parse(name).map_err(|e| invalid("name", e.to_string()))?;
    }
    Ok(dump)
}

/// `POST /api/v1/templates/update`: imports every dump that is new or has changed.
pub async fn update(ctx: Context, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    match update_dumps(ctx.app(), &ctx.actor()).await {
        Ok(done) => {
            let problems: Vec<_> =
                done.problems.iter().map(|(what, why)| json!({ "what": what, "why": why })).collect();
            let body = json!({ "importing": done.importing, "unchanged": done.unchanged, "problems": problems });
            Ok(answer(StatusCode::OK, &body))
        }
        Err(e) => Err(ctx.refused("template.update", None, e).await),
    }
}

/// `GET /api/v1/templates/{name}`
pub async fn show(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let t = visible(&ctx, &name).await?;
    described(&ctx, &t, StatusCode::OK).await
}

/// `PATCH /api/v1/templates/{name}`
pub async fn edit(ctx: Context, Path(name): Path<String>, params: Params, body: Body) -> Result<Response, AppError> {
    params.only(&[])?;
    let (fields, faults) = body.fields(&["name", "image", "dbname", "dbuser", "memory", "ttl", "users", "description"]);
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    let t = managed(&ctx, &name).await?;
    let settings = TemplateSettings::read(&ctx, &t, &fields).map_err(AppError::Invalid)?;
    if let Err(e) = request::edit(ctx.app(), &t, &settings.edit(), &ctx.actor()).await {
        return Err(ctx.refused("template.edit", None, e).await);
    }
    let changed = visible(&ctx, settings.edit().name).await?;
    described(&ctx, &changed, StatusCode::OK).await
}

/// `DELETE /api/v1/templates/{name}?confirm=NAME`
pub async fn delete(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&["confirm"])?;
    let t = managed(&ctx, &name).await?;
    if params.get("confirm") != Some(&t.name) {
        return Err(invalid("confirm", format!("Send the name of the template, {}, to delete it.", t.name)));
    }
    request::delete(ctx.app(), &t, &ctx.actor()).await?;
    Ok(answer(StatusCode::OK, &json!({ "name": t.name, "deleted": true })))
}

/// `POST /api/v1/templates/{name}/refresh`: imports its source again.
pub async fn refresh(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&["wait"])?;
    let t = managed(&ctx, &name).await?;
    import(&ctx, &t, &params, StatusCode::OK).await
}

/// Requests an import and waits for it as long as requested.
async fn import(ctx: &Context, t: &Template, params: &Params, done: StatusCode) -> Result<Response, AppError> {
    let patience = params.wait()?;
    let (_, job) = match requested(ctx, t).await? {
        Ok(requested) => requested,
        Err(e) => return Err(ctx.refused("template.refresh", None, e).await),
    };
    // The import proceeds even if the client has reached its limit of waiting calls.
    let held = if patience.is_some() { ctx.portal.waits.take(ctx)? } else { None };
    let patience = patience.filter(|_| held.is_some());
    let job = until_final(ctx, job, patience.unwrap_or_default()).await?;
    drop(held);
    if patience.is_some() && job.status.is_final() {
        let mut db = ctx.app().db.acquire().await?;
        let t = templates::by_id(&mut db, t.id).await?.ok_or(AppError::NotFound)?;
        drop(db);
        let failed = job.status != jobs::JobStatus::Succeeded;
        return described(ctx, &t, if failed { StatusCode::UNPROCESSABLE_ENTITY } else { done }).await;
    }
    let mut db = ctx.app().db.acquire().await?;
    let steps = jobs::steps(&mut db, job.id).await?;
    let outlook = CancelOutlook::read(&mut db, ctx.app(), &job).await?;
    Ok(answer_at(StatusCode::ACCEPTED, &urls::api_job(job.id), &JobJson::new(&job, None, &steps, outlook)))
}

/// `POST /api/v1/templates/{name}/clone` with `{"name": …, "memory": …, "ttl": …}`
pub async fn clone(
    ctx: Context,
    Path(name): Path<String>,
    params: Params,
    body: MaybeBody,
) -> Result<Response, AppError> {
    ctx.writable()?;
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (fields, faults) = body.fields(&["name", "memory", "ttl"]);
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    let t = visible(&ctx, &name).await?;
    let wanted = match form::instance(&ctx, &t, &fields) {
        Ok(wanted) => wanted,
        Err(FormFault::Fields(faults)) => return Err(AppError::Invalid(faults)),
        Err(FormFault::App(e)) => return Err(e),
    };
    match instance::request(ctx.app(), &wanted, &ctx.actor()).await {
        Ok(Instance::New(made)) => {
            let (job, container, password) = (made.job, made.id, made.generated);
            Enqueued { job, container, patience, done: StatusCode::CREATED, password }.answer(&ctx).await
        }
        Ok(Instance::There(c)) => {
            Err(AppError::Conflict(format!("You already have the database {} from this template.", c.name)))
        }
        Err(e) => Err(ctx.refused("container.create", None, e).await),
    }
}
