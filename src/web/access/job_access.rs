//! Access to jobs: whoever may see the container may see its jobs.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs::{Job, JobStatus, cancel, queue};
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::templates::versions;
use crate::admin_db::{containers, dumps, is_unreachable, jobs, log, templates};
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::user::{Action, Permission, User, can};
use crate::import::request::is_load;
use crate::jobs::registry;
use crate::manifest::dump::LoadReport;
use crate::web::context::Context;
use crate::web::error::AppError;

/// How long cancelling a queued job waits for the job to end.
const QUEUED: Duration = Duration::from_secs(5);

/// Returns the job with this id and its container, if the signed-in user may see it. Jobs of a permanently deleted
/// container remain visible to its last owner. Of the jobs without a container, only administrators see those that are not
/// the import of a template they manage.
///
/// # Errors
/// [`AppError::NotFound`] if it does not exist or is hidden.
pub async fn visible_job(ctx: &Context, id: &str) -> Result<(Job, Option<Container>), AppError> {
    let user = ctx.user()?;
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let job = jobs::by_id(&mut db, id).await?.ok_or(AppError::NotFound)?;
    let container = match job.container_id {
        Some(id) => containers::by_id(&mut db, id).await?,
        None => None,
    };
    let allowed = match &container {
        Some(c) => can(user, Action::View, &c.subject(None)) == Permission::Allowed,
        None => may_see_unowned(&mut db, user, job.id).await?,
    };
    if allowed {
        return Ok((job, container));
    }
    let about = container.as_ref().map(|c| (c.id, c.name.as_str()));
    let entry = LogEntry { action: "job.view", container: about, outcome: Outcome::Refused, detail: "not theirs" };
    log::append(&mut db, &ctx.actor(), &entry, ctx.now()).await?;
    Err(AppError::NotFound)
}

/// Whether this user may see a job without a container: administrators see all, others those that import a version of a
/// template they manage.
pub(super) async fn may_see_unowned(db: &mut PgConnection, user: &User, job: Uuid) -> Result<bool, sqlx::Error> {
    if user.is_admin() {
        return Ok(true);
    }
    let Some(version) = versions::of_job(db, job).await? else { return Ok(false) };
    let template = templates::by_id(db, version.template_id).await?;
    Ok(template.is_some_and(|t| t.is_managed_by(user.username.as_str(), user.is_admin())))
}

/// The rules of a job's kind; the strictest rules for a kind unknown to this version.
pub fn rules(job: &Job) -> JobRules {
    registry::flow(&job.kind).map_or(JobRules::of(Pool::Short), |f| f.rules)
}

/// Whether an active job can be cancelled, and its deadline.
#[derive(Debug, Clone, Copy, Default)]
pub struct CancelOutlook {
    /// Whether it can be cancelled now.
    pub cancellable: bool,
    /// When it fails if it has not finished.
    pub deadline: Option<DateTime<Utc>>,
}

impl CancelOutlook {
    /// Reads the outlook. `job` may have ended since it was read.
    pub async fn read(db: &mut PgConnection, app: &App, job: &Job) -> Result<Self, sqlx::Error> {
        let rules = rules(job);
        let cancellable = !job.status.is_final()
            && rules.cancel != Cancel::Never
            && cancel::possible(db, job.id, rules.cancel).await?;
        Ok(Self { cancellable, deadline: queue::deadline(job, app.config.deadline(rules.pool)) })
    }
}

/// The action on the database that the owner must be allowed to perform in order to cancel this job.
pub fn deed(job: &Job) -> Action {
    match job.kind() {
        Some(JobKind::Delete) => Action::Delete,
        Some(JobKind::Backup | JobKind::Drill) => Action::Backup,
        _ => Action::Edit,
    }
}

/// Requests the cancellation of a job and logs it. Returns `false` if it is too late.
pub async fn cancel(ctx: &Context, job: &Job, container: Option<&Container>) -> Result<bool, AppError> {
    if let Some(c) = container {
        ctx.permit(c, deed(job)).await?;
    }
    let actor = ctx.actor();
    let mut tx = ctx.app().db.begin().await?;
    let asked = cancel::ask(&mut tx, job.id, &actor.name, rules(job).cancel).await?;
    if asked {
        let about = container.map(|c| (c.id, c.name.as_str()));
        let entry = LogEntry { action: "job.cancel", container: about, outcome: Outcome::Ok, detail: &job.kind };
        log::append(&mut tx, &actor, &entry, ctx.now()).await?;
    }
    tx.commit().await?;
    if asked && job.status == JobStatus::Queued {
        ctx.app().cancels.notify_one();
        // No worker has leased the job, so it ends within moments, and the response can report that.
        until_final(ctx, job.id, QUEUED).await?;
    }
    Ok(asked)
}

/// The report on the dump loaded by a job.
pub async fn load_report(db: &mut PgConnection, job: &Job) -> Result<Option<LoadReport>, sqlx::Error> {
    let Some(container) = job.container_id.filter(|_| is_load(job.kind())) else { return Ok(None) };
    Ok(dumps::of_container(db, container).await?.and_then(|d| d.report).map(|r| r.0))
}

/// The job once it has ended, or as it is after `patience`. Holds no connection between checks, because many clients
/// may wait. Continues to wait while mydb_admin is unavailable.
pub async fn until_final(ctx: &Context, id: Uuid, patience: Duration) -> Result<Job, AppError> {
    let begin = Instant::now();
    loop {
        let looked = async {
            let mut db = ctx.app().db.acquire().await?;
            jobs::by_id(&mut db, id).await
        };
        let over = begin.elapsed() >= patience;
        match looked.await {
            Ok(Some(job)) if over || job.status.is_final() => return Ok(job),
            Ok(None) => return Err(AppError::NotFound),
            Err(e) if over || !is_unreachable(&e) => return Err(e.into()),
            Ok(Some(_)) | Err(_) => {}
        }
        tokio::time::sleep(LOOK.min(patience.saturating_sub(begin.elapsed()))).await;
    }
}

/// Time between two checks of a job.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
