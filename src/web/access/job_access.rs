//! Who may see a job: whoever may see its container.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs::{Job, JobStatus, cancel, queue};
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::{containers, dumps, is_unreachable, jobs, log};
use crate::app::App;
use crate::domain::job_kind::JobKind;
use crate::domain::user::{Action, Permission, Subject, can};
use crate::domain::work::{Cancel, JobRules, Pool};
use crate::import::request::is_load;
use crate::jobs::registry;
use crate::manifest::dump::LoadReport;
use crate::web::context::Context;
use crate::web::error::AppError;

/// How long whoever cancels a queued job waits for its end.
const QUEUED: Duration = Duration::from_secs(5);

/// The job of this id with its container, if the signed-in user may see it. Jobs of a purged
/// container stay visible to its last owner; jobs about no container are the admins'.
///
/// # Errors
/// [`AppError::NotFound`] where there is none or it is hidden.
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
        Some(c) => {
            let subject = Subject { owner: c.account_id, maintenance: c.maintenance_note.as_deref(), read_only: None };
            can(user, Action::View, &subject) == Permission::Allowed
        }
        None => user.is_admin(),
    };
    if allowed {
        return Ok((job, container));
    }
    let about = container.as_ref().map(|c| (c.id, c.name.as_str()));
    let entry = LogEntry { action: "job.view", container: about, outcome: Outcome::Refused, detail: "not theirs" };
    log::append(&mut db, &ctx.actor(), &entry, ctx.now()).await?;
    Err(AppError::NotFound)
}

/// The rules of a job's kind; of one that this version does not know, the strictest.
pub fn rules(job: &Job) -> JobRules {
    registry::flow(&job.kind).map_or(JobRules::of(Pool::Short), |f| f.rules)
}

/// How a job that is under way will end at the latest.
#[derive(Debug, Clone, Copy, Default)]
pub struct CancelOutlook {
    /// Whether it can be cancelled now.
    pub cancellable: bool,
    /// When it is ended as failed if it is not done.
    pub deadline: Option<DateTime<Utc>>,
}

impl CancelOutlook {
    /// Reads it. `job` may have ended since it was read.
    pub async fn read(db: &mut PgConnection, app: &App, job: &Job) -> Result<Self, sqlx::Error> {
        let rules = rules(job);
        let cancellable = !job.status.is_final()
            && rules.cancel != Cancel::Never
            && cancel::possible(db, job.id, rules.cancel).await?;
        Ok(Self { cancellable, deadline: queue::deadline(job, app.config.deadline(rules.pool)) })
    }
}

/// What may be done with a database is what its owner needs to be allowed to cancel a job on it.
pub fn deed(job: &Job) -> Action {
    match job.kind() {
        Some(JobKind::Delete) => Action::Delete,
        Some(JobKind::Backup | JobKind::Drill) => Action::Backup,
        _ => Action::Edit,
    }
}

/// Asks for a job's end, with its row in the log. `false`: it is too late.
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
        // No worker has it, so it ends in a moment, and the answer says so.
        until_final(ctx, job.id, QUEUED).await?;
    }
    Ok(asked)
}

/// What became of the dump that a job loaded.
pub async fn load_report(db: &mut PgConnection, job: &Job) -> Result<Option<LoadReport>, sqlx::Error> {
    let Some(container) = job.container_id.filter(|_| is_load(job.kind())) else { return Ok(None) };
    Ok(dumps::of_container(db, container).await?.and_then(|d| d.report).map(|r| r.0))
}

/// The job once nothing more will happen to it, or as it is after `patience`. Holds no connection
/// between looks: many may wait. While mydb_admin is away, it waits on.
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

/// Time between two looks at a job.
pub(crate) const LOOK: Duration = Duration::from_millis(100);
