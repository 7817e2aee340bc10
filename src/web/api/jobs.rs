//! `/api/v1/jobs/{id}`: shows and cancels jobs.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::json::{JobJson, answer};
use super::params::Params;
use crate::admin_db::containers::Container;
use crate::admin_db::jobs;
use crate::admin_db::jobs::Job;
use crate::web::access::job_access;
use crate::web::access::job_access::{CancelOutlook, until_final, visible_job};
use crate::web::context::Context;
use crate::web::error::AppError;

/// `GET /api/v1/jobs/{id}`; with `?wait=SECONDS` it responds when the job has ended, or after that time.
pub async fn show(ctx: Context, Path(id): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (mut job, container) = visible_job(&ctx, &id).await?;
    if let Some(patience) = patience {
        let _held = ctx.portal.waits.hold(&ctx, "waiting API calls")?;
        job = until_final(&ctx, job.id, patience).await?;
    }
    respond(&ctx, StatusCode::OK, &job, container.as_ref()).await
}

/// `POST /api/v1/jobs/{id}/cancel`: ends a queued job at once; a running one gets a request to stop, which its worker
/// sees within a second. 409 if it is too late or jobs of its kind cannot be cancelled.
pub async fn cancel(ctx: Context, Path(id): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&[])?;
    let (job, container) = visible_job(&ctx, &id).await?;
    if !job_access::cancel(&ctx, &job, container.as_ref()).await? {
        return Err(AppError::Conflict("This job cannot be cancelled, or not at this stage.".to_owned()));
    }
    let mut db = ctx.app().db.acquire().await?;
    let job = jobs::by_id(&mut db, job.id).await?.ok_or(AppError::NotFound)?;
    drop(db);
    respond(&ctx, StatusCode::ACCEPTED, &job, container.as_ref()).await
}

async fn respond(
    ctx: &Context,
    status: StatusCode,
    job: &Job,
    container: Option<&Container>,
) -> Result<Response, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let steps = jobs::steps(&mut db, job.id).await?;
    let outlook = CancelOutlook::read(&mut db, ctx.app(), job).await?;
    let report = job_access::load_report(&mut db, job).await?;
    let body = JobJson::new(job, container.map(|c| c.name.as_str()), &steps, outlook).with_report(report);
    Ok(answer(status, &body))
}
