//! `/api/v1/containers`: lists databases, creates, changes and deletes them.

use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, Path};
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::body::{Body, MaybeBody};
use super::json::{ContainerJson, ListJson, answer};
use super::params::{Params, invalid};
use super::wait::Enqueued;
use crate::admin_db::containers;
use crate::admin_db::containers::listing::ContainerQuery;
use crate::admin_db::containers::{Container, listing};
use crate::admin_db::people::accounts;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::import::request as import;
use crate::jobs::registry;
use crate::jobs::registry::start_flow;
use crate::provision::{lifetime, power, request};
use crate::queue::flow::Flow;
use crate::queue::refusal::RequestError;
use crate::trash::move_to_trash;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::forms::create::{CreateFault, parse};
use crate::web::forms::dump::{DumpFault, SentForm};
use crate::web::forms::edit::read;
use crate::web::forms::{dump, edit, ttl};
use crate::web::pages::shared::{cursor, parse_cursor};

/// Fields of a create call, the same as those of the form.
pub const FIELDS: &[&str] = &[
    "engine",
    "image",
    "name",
    "dbname",
    "dbuser",
    "dbuserpass",
    "extensions",
    "owner",
    "contact",
    "department",
    "description",
    "backup_freq",
    "storage",
    "memory",
    "cpus",
    "cpuset",
    "ttl",
];

/// `GET /api/v1/containers`: the caller's own databases, newest first; for administrators everyone's.
pub async fn list(ctx: Context, params: Params) -> Result<Response, AppError> {
    params.only(&["limit", "cursor", "q", "state", "owner"])?;
    let limit = params.limit()?;
    let after = params.get("cursor").map(|text| {
        parse_cursor(text).ok_or_else(|| invalid("cursor", "Send the value of `next` from the previous response."))
    });
    let state = params.get("state").map(|word| {
        let known = ContainerState::ALL.into_iter().find(|s| s.as_str() == word);
        known.ok_or_else(|| {
            invalid("state", format!("Known values: {}.", ContainerState::ALL.map(ContainerState::as_str).join(", ")))
        })
    });
    let state = state.transpose()?;
    let user = ctx.user()?;
    let mut db = ctx.app().db.acquire().await?;
    let account = match params.get("owner") {
        None => (!user.is_admin()).then_some(user.id),
        Some(name) if name == user.username.as_str() => Some(user.id),
        // Only administrators can filter by another owner; for others the list is then empty.
        Some(name) => match accounts::by_name(&mut db, name).await?.filter(|_| user.is_admin()) {
            Some(account) => Some(account.id),
            None => return Ok(answer(StatusCode::OK, &ListJson::<()> { items: Vec::new(), next: None })),
        },
    };
    let filter = ContainerQuery {
        account,
        text: params.get("q").map(str::to_owned),
        state,
        purged: state == Some(ContainerState::Purged),
        after: after.transpose()?,
        // One row more than requested shows whether there is another page.
        limit: limit + 1,
        ..ContainerQuery::default()
    };
    let mut rows = listing::list(&mut db, &filter).await?;
    drop(db);
    let more = i64::try_from(rows.len()).is_ok_and(|n| n > limit);
    if more {
        rows.pop();
    }
    let next = rows.last().filter(|_| more).map(|c| cursor(c.created_at, c.id));
    let items = rows.iter().map(|c| ContainerJson::new(ctx.app(), c)).collect();
    Ok(answer(StatusCode::OK, &ListJson { items, next }))
}

/// `POST /api/v1/containers`
///
/// # Errors
/// With all invalid values; [`AppError::Conflict`] if the name is taken.
pub async fn create(ctx: Context, params: Params, body: Body) -> Result<Response, AppError> {
    ctx.writable()?;
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (fields, faults) = body.fields(FIELDS);
    let request = match parse(&ctx, &fields).await {
        Ok(_) if !faults.is_empty() => return Err(AppError::Invalid(faults)),
        Ok(request) => request,
        // If a field has two errors, the last one is reported: that its type is wrong, not that it is missing.
        Err(CreateFault::Fields(found)) => return Err(AppError::Invalid(found.into_iter().chain(faults).collect())),
        Err(CreateFault::App(e)) => return Err(e),
    };
    match request::create(ctx.app(), &request, &ctx.actor()).await {
        Ok(made) => {
            let (job, container, password) = (made.job, made.id, made.generated);
            Enqueued { job, container, patience, done: StatusCode::CREATED, password }.answer(&ctx).await
        }
        Err(e) => Err(ctx.refused("container.create", None, e).await),
    }
}

/// `POST /api/v1/containers/from-dump`: a multipart form with the fields of a create call and the file in `dump`.
///
/// # Errors
/// With all invalid values; [`AppError::Conflict`] if the name is taken.
pub async fn from_dump(
    ctx: Context,
    params: Params,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, AppError> {
    ctx.writable()?;
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let form = form.map_err(|_| AppError::UnsupportedMedia)?;
    let SentForm { fields, file } = dump::read(&ctx, form).await?;
    let (request, received) = match dump::check(&ctx, &fields, file, false).await {
        Ok(checked) => checked,
        Err(DumpFault::Refused(refused)) => return Err(AppError::Invalid(dump::for_programs(refused))),
        Err(DumpFault::App(e)) => return Err(e),
    };
    match import::from_dump(ctx.app(), &request, received, &ctx.actor()).await {
        Ok(made) => {
            let (job, container, password) = (made.job, made.id, made.generated);
            Enqueued { job, container, patience, done: StatusCode::CREATED, password }.answer(&ctx).await
        }
        Err(e) => Err(ctx.refused("container.create", None, e).await),
    }
}

/// `GET /api/v1/containers/{name}`
pub async fn show(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let c = ctx.container(&name, Action::View).await?;
    Ok(answer(StatusCode::OK, &ContainerJson::new(ctx.app(), &c)))
}

/// `PATCH /api/v1/containers/{name}`
pub async fn edit(ctx: Context, Path(name): Path<String>, params: Params, body: Body) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (fields, faults) = body.fields(edit::FIELDS);
    let changes = read(&ctx, &c, &fields, faults).await?;
    match crate::provision::edit::edit(ctx.app(), &c, &changes, &ctx.actor()).await {
        Ok(Some(job)) => Enqueued::on(&c, job, patience).answer(&ctx).await,
        Ok(None) => {
            let mut db = ctx.app().db.acquire().await?;
            // Read by id: after a change of owner, the previous owner may no longer see it by name.
            let c = containers::by_id(&mut db, c.id).await?.ok_or(AppError::NotFound)?;
            Ok(answer(StatusCode::OK, &ContainerJson::new(ctx.app(), &c)))
        }
        Err(e) => Err(ctx.refused("container.edit", Some(&c), e).await),
    }
}

/// `POST /api/v1/containers/{name}/extend` with `{"ttl": …}`, counted from now; the usual time to live if absent
pub async fn extend(
    ctx: Context,
    Path(name): Path<String>,
    params: Params,
    body: MaybeBody,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    params.only(&[])?;
    let (fields, mut faults) = body.fields(&[ttl::TTL]);
    let end = match ttl::end(&ctx, c.engine, &fields) {
        Ok(end) if faults.is_empty() => end,
        Ok(_) => return Err(AppError::Invalid(faults)),
        Err(why) => {
            faults.insert(0, (ttl::TTL.to_owned(), why));
            return Err(AppError::Invalid(faults));
        }
    };
    match lifetime::extend(ctx.app(), &c, end, &ctx.actor()).await {
        Ok(()) => show(ctx, Path(name), Params::default()).await,
        Err(e) => Err(ctx.refused("container.extend", Some(&c), e).await),
    }
}

/// `DELETE /api/v1/containers/{name}`: moves a database to the trash. `confirm`, in the query or the body, is its name;
/// `no_backup` = true skips the final backup.
pub async fn delete(
    ctx: Context,
    Path(name): Path<String>,
    params: Params,
    body: MaybeBody,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Delete).await?;
    params.only(&["wait", "confirm", "no_backup"])?;
    let patience = params.wait()?;
    let (fields, mut faults) = body.fields(&["confirm", "no_backup"]);
    if params.get("confirm").unwrap_or(fields.text("confirm")) != c.name {
        faults.push(("confirm".to_owned(), format!("To confirm, send the name, {}, as `confirm`.", c.name)));
    }
    if !faults.is_empty() {
        return Err(AppError::Invalid(faults));
    }
    let without = matches!(params.get("no_backup").unwrap_or(fields.text("no_backup")), "true" | "on" | "1");
    match move_to_trash::delete(ctx.app(), &c, without, &ctx.actor()).await {
        Ok(job) => Enqueued::on(&c, job, patience).answer(&ctx).await,
        Err(e) => Err(ctx.refused("container.delete", Some(&c), e).await),
    }
}

/// `POST /api/v1/containers/{name}/start`
pub async fn start(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Start).await?;
    params.only(&["wait"])?;
    let done = registry::start(ctx.app(), &c, &ctx.actor()).await;
    enqueued(&ctx, &c, start_flow(&c), done, params.wait()?).await
}

/// `POST /api/v1/containers/{name}/stop`
pub async fn stop(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Stop).await?;
    act_on(&ctx, &c, &power::STOP, &params).await
}

/// `POST /api/v1/containers/{name}/restart`
pub async fn restart(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restart).await?;
    act_on(&ctx, &c, &power::RESTART, &params).await
}

/// `POST /api/v1/containers/{name}/undelete`
pub async fn undelete(ctx: Context, Path(name): Path<String>, params: Params) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Undelete).await?;
    act_on(&ctx, &c, &move_to_trash::UNDELETE, &params).await
}

async fn act_on(ctx: &Context, c: &Container, flow: &'static Flow, params: &Params) -> Result<Response, AppError> {
    params.only(&["wait"])?;
    act(ctx, c, flow, params.wait()?).await
}

async fn act(
    ctx: &Context,
    c: &Container,
    flow: &'static Flow,
    patience: Option<std::time::Duration>,
) -> Result<Response, AppError> {
    let done = request::act(ctx.app(), c, flow, &ctx.actor()).await;
    enqueued(ctx, c, flow, done, patience).await
}

async fn enqueued(
    ctx: &Context,
    c: &Container,
    flow: &'static Flow,
    done: Result<Uuid, RequestError>,
    patience: Option<std::time::Duration>,
) -> Result<Response, AppError> {
    match done {
        Ok(job) => Enqueued::on(c, job, patience).answer(ctx).await,
        Err(e) => Err(ctx.refused(&format!("container.{}", flow.kind), Some(c), e).await),
    }
}
