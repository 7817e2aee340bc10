//! The page of a job, with a live stream of its steps.

use std::convert::Infallible;
use std::time::Duration;

use askama::Template;
use axum::extract::Path;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::shared::{Durations, job_title, steps};
use crate::admin_db::containers::Container;
use crate::admin_db::jobs::{Job, JobStatus};
use crate::admin_db::templates::versions;
use crate::admin_db::{containers, jobs, templates};
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::Cancel;
use crate::import::request::is_load;
use crate::web::access::job_access;
use crate::web::access::job_access::{CancelOutlook, rules, visible_job};
use crate::web::access::still_allowed::{StreamSubject, until_refused};
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::elements::steps::{Steps, StepsFragment};
use crate::web::views::job::JobPage;
use crate::web::views::{ActionButton, Chip, Fact, Flash, Frame, Link, Moment};

/// How often a job is checked while somebody watches it.
const LOOK: Duration = Duration::from_millis(250);
/// Maximum duration of a stream, after which the browser reconnects.
const LONGEST: Duration = Duration::from_secs(600);

/// The name of the template that a job imports a version of.
async fn template_name(db: &mut PgConnection, job: &Job) -> Result<Option<String>, sqlx::Error> {
    if job.kind() != Some(JobKind::ImportTemplate) {
        return Ok(None);
    }
    let Some(version) = versions::of_job(&mut *db, job.id).await? else { return Ok(None) };
    Ok(templates::by_id(db, version.template_id).await?.map(|t| t.name))
}

async fn view(app: &App, job: &Job, container: Option<&Container>) -> Result<Steps, sqlx::Error> {
    let mut db = app.db.acquire().await?;
    let template = template_name(&mut db, job).await?;
    let rows = jobs::steps(&mut db, job.id).await?;
    let durations = Durations::read(&mut db, job, container).await?;
    let name = container.map(|c| c.name.as_str()).or(template.as_deref()).unwrap_or("the portal");
    Ok(steps(job, &rows, name, durations, app.clock.now()))
}

/// `GET /jobs/{id}`
pub async fn show(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (job, container) = visible_job(&ctx, &id).await?;
    let now = ctx.now();
    let living = container.as_ref().filter(|c| c.purged_at.is_none());
    let mut facts = vec![
        Fact::text("Requested by", &job.created_by),
        Fact::when("Requested", &Moment::new(job.created_at, now)),
        Fact::text("Attempt", format!("{} of {}", job.attempt.max(1), job.max_attempts)),
    ];
    if let Some(at) = job.finished_at {
        facts.push(Fact::when("Ended", &Moment::new(at, now)));
    }
    // The reason of a failure is shown with the failed step.
    if let Some(why) = job.error.as_ref().filter(|_| job.status == JobStatus::Cancelled) {
        facts.push(Fact::text("Reason", why));
    }
    let mut db = ctx.app().db.acquire().await?;
    let outlook = CancelOutlook::read(&mut db, ctx.app(), &job).await?;
    let report = job_access::load_report(&mut db, &job).await?;
    let template = template_name(&mut db, &job).await?;
    drop(db);
    if let Some(at) = outlook.deadline {
        facts.push(Fact::when("Deadline", &Moment::new(at, now)));
    }
    let name = container.as_ref().map(|c| c.name.as_str()).or(template.as_deref()).unwrap_or("the portal");
    let subject = match (living, &template) {
        (Some(c), _) => Some(Link::new(&c.name, urls::database(&c.name))),
        (None, Some(name)) => Some(Link::new(name, urls::template(name))),
        (None, None) => None,
    };
    let frame = match (&container, &template) {
        (Some(c), _) => ctx.frame_of(c),
        (None, Some(_)) => ctx.frame("templates"),
        (None, None) => ctx.frame("admin-jobs"),
    };
    page(&JobPage {
        frame: Frame { parent: subject.clone(), ..frame },
        title: format!("{}: {name}", job_title(&job.kind)),
        chip: Chip::of_job(job.status.as_str()),
        container: subject,
        cancel: outlook.cancellable.then(|| cancel_button(&job)),
        job: view(ctx.app(), &job, container.as_ref()).await?,
        report,
        facts,
    })
}

/// `GET /jobs/{id}/events`: sends the current steps with each event until the job has ended.
pub async fn events(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (job, _) = visible_job(&ctx, &id).await?;
    let held = ctx.portal.streams.hold(&ctx, "live pages")?;
    let stream = followed(ctx, job.id).map(|text| Ok::<_, Infallible>(Event::default().data(text)));
    let stream = stream.inspect(move |_| _ = &held);
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

/// The button that cancels a job, if that is possible.
pub(super) async fn cancel_action(ctx: &Context, job: &Job) -> Result<Option<ActionButton>, AppError> {
    let mut db = ctx.app().db.acquire().await?;
    let outlook = CancelOutlook::read(&mut db, ctx.app(), job).await?;
    Ok(outlook.cancellable.then(|| cancel_button(job)))
}

/// The button that cancels a job.
pub(super) fn cancel_button(job: &Job) -> ActionButton {
    let label = match job.kind() {
        Some(JobKind::Backup) => "Cancel backup",
        Some(JobKind::Drill) => "Cancel test restore",
        Some(JobKind::Delete) => "Cancel deletion",
        _ => "Cancel job",
    };
    ActionButton::post(label, urls::job_cancel(job.id))
}

/// `POST /jobs/{id}/cancel`: requests cancellation; the worker then rolls back what the job did.
pub async fn cancel(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (job, container) = visible_job(&ctx, &id).await?;
    let left = container.as_ref().and_then(|c| Some(Tab::left(&ctx, c)?.href(c)));
    let usual = match (&container, job.kind()) {
        (Some(c), Some(JobKind::Delete)) => urls::database(&c.name),
        (Some(c), Some(JobKind::Backup | JobKind::Drill)) => urls::database_page(&c.name, DatabasePage::Backups),
        _ => urls::job(job.id),
    };
    let href = left.unwrap_or(usual);
    let asked = job_access::cancel(&ctx, &job, container.as_ref()).await?;
    let late = match rules(&job).cancel {
        _ if job.status.is_final() => "The job has already ended.",
        Cancel::Never => "Jobs of this kind cannot be cancelled. They end by their deadline at the latest.",
        Cancel::WhileBackingUp if job.kind() == Some(JobKind::Delete) => {
            "The final backup is done, so the deletion can no longer be cancelled."
        }
        _ => "The job can no longer be cancelled at this stage.",
    };
    Ok(to(&href, (!asked).then(|| Flash::warn(late))))
}

/// The page to continue with once the job has ended.
async fn next(db: &mut PgConnection, job: &Job, container: Option<&Container>) -> Result<String, sqlx::Error> {
    if let Some(name) = template_name(db, job).await? {
        return Ok(urls::template(name));
    }
    Ok(match container {
        Some(c) if c.purged_at.is_none() && matches!(job.kind(), Some(JobKind::Backup | JobKind::Drill)) => {
            urls::database_page(&c.name, DatabasePage::Backups)
        }
        // The report on a loaded dump is on the page of the job.
        Some(_) if is_load(job.kind()) => urls::job(job.id),
        Some(c) if c.purged_at.is_none() => urls::database(&c.name),
        _ if job.status == JobStatus::Succeeded && job.kind() == Some(JobKind::RemoveBackups) => "/backups".to_owned(),
        _ if job.status == JobStatus::Succeeded => "/".to_owned(),
        _ => urls::job(job.id),
    })
}

/// The steps of a job each time they change, until it has ended or the client may no longer see them.
pub(crate) fn followed(ctx: Context, id: Uuid) -> impl Stream<Item = String> {
    follow(ctx.clone(), id).take_until(Box::pin(until_refused(ctx, StreamSubject::Job(id))))
}

fn follow(ctx: Context, id: Uuid) -> impl Stream<Item = String> {
    let begin = tokio::time::Instant::now();
    let state = (ctx, String::new(), false);
    futures::stream::unfold(state, move |(ctx, mut last, over)| async move {
        while !over && begin.elapsed() < LONGEST {
            if let Some((text, done)) = snapshot(ctx.app(), id).await.filter(|(text, _)| *text != last) {
                last.clone_from(&text);
                return Some((text, (ctx, last, done)));
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    })
}

/// The data of one event, and whether it is the last. `None` while mydb_admin is unavailable: the stream waits.
async fn snapshot(app: &App, id: Uuid) -> Option<(String, bool)> {
    let mut db = app.db.acquire().await.ok()?;
    let job = jobs::by_id(&mut db, id).await.ok()??;
    let container = match job.container_id {
        Some(id) => containers::by_id(&mut db, id).await.ok()?,
        None => None,
    };
    let next = next(&mut db, &job, container.as_ref()).await.ok()?;
    drop(db);
    let view = view(app, &job, container.as_ref()).await.ok()?;
    let done = job.status.is_final();
    let html = StepsFragment { job: view }.render().ok()?;
    let data = json!({
        "state": job.status.as_str(),
        "html": html,
        "done": done,
        "next": next,
    });
    Some((data.to_string(), done))
}
