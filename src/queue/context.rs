//! What a step of a job works with.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tracing::{Span, field};
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::{containers, jobs};
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::queue::step_error::StepError;
use crate::runtime::Observed;

/// The span that every log line of a job is in. At the level of errors, so that a log of errors alone has the ids too.
pub fn job_span(job: &jobs::Job) -> Span {
    let (id, kind, container) = (job.id, &job.kind, job.container_id.map(field::display));
    tracing::error_span!(parent: None, "job", job = %id, kind, container, backup = field::Empty)
}

/// What a step works with. The rows of its container are read once in a step, when they are first asked for.
pub struct StepContext {
    /// The portal.
    pub app: Arc<App>,
    /// The job.
    pub job: jobs::Job,
    /// The reservation under which it runs: whoever has the job now has another.
    pub lease: String,
    /// Which step it is.
    pub seq: AtomicI64,
    /// The job's span.
    span: Span,
    /// What answered in this run.
    answered: Mutex<Option<ServerAnswer>>,
    /// What was read in this step.
    read: Mutex<Rows>,
}

/// What a step has read of its container.
#[derive(Default)]
struct Rows {
    container: Option<Arc<Container>>,
    blueprint: Option<Arc<Blueprint>>,
}

/// A server that answered.
#[derive(Debug, Clone)]
struct ServerAnswer {
    container: String,
    started_at: Option<DateTime<Utc>>,
    version: String,
}

impl StepContext {
    /// A run of a job from its beginning.
    pub fn new(app: &Arc<App>, job: jobs::Job, lease: &str) -> Self {
        let (app, lease) = (app.clone(), lease.to_owned());
        Self {
            app,
            job,
            lease,
            seq: AtomicI64::new(0),
            span: Span::current(),
            answered: Mutex::default(),
            read: Mutex::default(),
        }
    }

    /// Notes the backup that the job makes, tests or restores, for its log lines.
    pub fn note_backup(&self, backup: Uuid) {
        self.span.record("backup", field::display(backup));
    }

    /// Notes that the server in this container answered, since the container was started last.
    pub fn note_answer(&self, found: &Observed, version: &str) {
        let (container, version) = (found.id.clone(), version.to_owned());
        *self.last() = Some(ServerAnswer { container, started_at: found.started_at, version });
    }

    /// The version that the server in this container told, if it answered in this run and has run since.
    pub fn answer(&self, found: &Observed) -> Option<String> {
        let last = self.last();
        let same = |a: &&ServerAnswer| found.running && a.container == found.id && a.started_at == found.started_at;
        last.as_ref().filter(same).map(|a| a.version.clone())
    }

    fn last(&self) -> MutexGuard<'_, Option<ServerAnswer>> {
        // What a panic left is as good as what was before it.
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container this job works on, as it was when this step first asked, or since [`Self::changed`].
    pub async fn container(&self) -> Result<Arc<Container>, StepError> {
        if let Some(read) = &self.rows().container {
            return Ok(read.clone());
        }
        let id = self.container_id()?;
        let mut db = self.app.db.acquire().await?;
        let read = containers::by_id(&mut db, id).await?;
        let read =
            Arc::new(read.ok_or_else(|| StepError::Fail("The record of this container no longer exists.".to_owned()))?);
        self.rows().container = Some(read.clone());
        Ok(read)
    }

    /// What that container is made from, read as often.
    ///
    /// # Errors
    /// [`StepError::Fail`] where the catalog or the configuration no longer has what it needs.
    pub async fn blueprint(&self) -> Result<Arc<Blueprint>, StepError> {
        if let Some(read) = &self.rows().blueprint {
            return Ok(read.clone());
        }
        let read = Arc::new(Blueprint::read(&self.app, &*self.container().await?).await?);
        self.rows().blueprint = Some(read.clone());
        Ok(read)
    }

    /// The step has changed the container's rows, or another step begins: they are read anew when next asked for.
    pub fn changed(&self) {
        *self.rows() = Rows::default();
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic leaves nothing half written: each field is set in one assignment.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Key of the container this job works on.
    pub fn container_id(&self) -> Result<Uuid, StepError> {
        self.job.container_id.ok_or_else(|| StepError::Fail("This job does not specify a container.".to_owned()))
    }

    /// Shows a step's progress. Failing to is no reason to fail the step.
    pub async fn progress(&self, detail: &str) {
        let seq = i16::try_from(self.seq.load(Ordering::Relaxed)).unwrap_or(i16::MAX);
        if let Ok(mut db) = self.app.db.acquire().await {
            let _ = jobs::set_detail(&mut db, self.job.id, seq, detail).await;
        }
    }
}
