//! Responses to slow calls: 202 with the job, or with `?wait=SECONDS` the finished result.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use uuid::Uuid;

use super::json::{ContainerJson, JobJson, answer, answer_at};
use crate::admin_db::containers::{Container, credentials};
use crate::admin_db::jobs::{Job, JobStatus};
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::{containers, jobs, log};
use crate::web::access::job_access::{CancelOutlook, load_report, until_final};
use crate::web::context::Context;
use crate::web::error::AppError;
use crate::web::urls;

/// A job enqueued by a call.
pub struct Enqueued {
    /// The job.
    pub job: Uuid,
    /// The container it works on.
    pub container: Uuid,
    /// How long to wait for it.
    pub patience: Option<Duration>,
    /// Status code once the job has finished.
    pub done: StatusCode,
    /// The generated password, delivered once.
    pub password: Option<SecretString>,
}

impl Enqueued {
    /// A job on an existing container.
    pub fn on(c: &Container, job: Uuid, patience: Option<Duration>) -> Self {
        Self { job, container: c.id, patience, done: StatusCode::OK, password: None }
    }

    /// Waits as long as requested, then responds.
    pub async fn answer(self, ctx: &Context) -> Result<Response, AppError> {
        // The job proceeds even if the client has reached its limit of waiting calls.
        let held = if self.patience.is_some() { ctx.portal.waits.take(ctx)? } else { None };
        let patience = self.patience.filter(|_| held.is_some());
        let job = until_final(ctx, self.job, patience.unwrap_or_default()).await?;
        drop(held);
        let mut db = ctx.app().db.acquire().await?;
        let c = containers::by_id(&mut db, self.container).await?.ok_or(AppError::NotFound)?;
        let steps = jobs::steps(&mut db, self.job).await?;
        let outlook = CancelOutlook::read(&mut db, ctx.app(), &job).await?;
        let report = load_report(&mut db, &job).await?;
        drop(db);
        let waited = patience.is_some();
        if waited && matches!(job.status, JobStatus::Failed | JobStatus::Cancelled) {
            return Ok(failed(ctx, &job, &JobJson::new(&job, Some(&c.name), &steps, outlook).with_report(report)));
        }
        let password = match self.password {
            Some(password) => hand_over(ctx, &c, password).await,
            None => None,
        };
        let password = password.as_ref().map(ExposeSecret::expose_secret);
        if waited && job.status == JobStatus::Succeeded {
            let body = ContainerJson::new(ctx.app(), &c).with_password(password).with_report(report);
            return Ok(match self.done {
                StatusCode::CREATED => answer_at(self.done, &urls::api_database(&c.name), &body),
                done => answer(done, &body),
            });
        }
        let body = JobJson::new(&job, Some(&c.name), &steps, outlook).with_report(report).with_password(password);
        Ok(answer_at(StatusCode::ACCEPTED, &urls::api_job(job.id), &body))
    }
}

/// Marks a generated password as delivered, because this response contains it. If that fails, the response omits it,
/// and the page of the container still offers it.
async fn hand_over(ctx: &Context, c: &Container, password: SecretString) -> Option<SecretString> {
    let marked = async {
        let mut db = ctx.app().db.acquire().await?;
        if !credentials::mark_shown(&mut db, c.id).await? {
            return Ok::<_, sqlx::Error>(false);
        }
        let entry = LogEntry {
            action: "container.password_shown",
            container: Some((c.id, &c.name)),
            outcome: Outcome::Ok,
            detail: "in the API response",
        };
        // From here on only this response contains the password: a failed log row must not withhold it.
        if let Err(e) = log::append(&mut db, &ctx.actor(), &entry, ctx.now()).await {
            tracing::warn!(container = c.name, "Could not log the delivery of a password: {e}");
        }
        Ok(true)
    };
    match marked.await {
        Ok(first) => first.then_some(password),
        Err(e) => {
            tracing::warn!(container = c.name, "Could not remove a delivered password; it remains on its page: {e}");
            None
        }
    }
}

/// The response if the job failed while the call waited for it. Neither the request is at fault (4xx), nor would a
/// blind retry help (502 to 504, which clients repeat automatically): 500 with the job.
fn failed(ctx: &Context, job: &Job, body: &JobJson<'_>) -> Response {
    let problem = json!({
        "type": "about:blank",
        "title": "The job failed",
        "status": StatusCode::INTERNAL_SERVER_ERROR.as_u16(),
        "detail": job.error.as_deref().unwrap_or("The job was cancelled."),
        "request_id": ctx.meta.request_id,
        "job": body,
    });
    let mut response = answer(StatusCode::INTERNAL_SERVER_ERROR, &problem);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}
