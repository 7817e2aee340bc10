//! `/api/v1/jobs/{id}`.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::json::{JobJson, answer};
use super::params::Params;
use super::wait;
use crate::admin_db::jobs;
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::jobs_access::visible_job;

/// `GET /api/v1/jobs/{id}`; with `?wait=SECONDS` it answers when the job ended, or after that time.
///
/// # Errors
/// If there is none, or it is not theirs.
pub async fn show(ctx: Context, Path(id): Path<String>, params: Params) -> Result<Response, AppError> {
    params.only(&["wait"])?;
    let patience = params.wait()?;
    let (mut job, container) = visible_job(&ctx, &id).await?;
    if let Some(patience) = patience {
        job = wait::until_final(&ctx, job.id, patience).await?;
    }
    let mut db = ctx.app().db.acquire().await?;
    let steps = jobs::steps(&mut db, job.id).await?;
    Ok(answer(StatusCode::OK, &JobJson::new(&job, container.as_ref().map(|c| c.name.as_str()), &steps)))
}
