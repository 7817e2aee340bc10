//! The context in which a step of a job runs.

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

/// The span for all log lines of a job. It has the level `ERROR`, so that a log of errors only contains the ids too.
pub fn job_span(job: &jobs::Job) -> Span {
    let (id, kind, container) = (job.id, &job.kind, job.container_id.map(field::display));
    tracing::error_span!(parent: None, "job", job = %id, kind, container, backup = field::Empty)
}

/// The context of a step. The rows of its container are read once per step, when they are first needed.
pub struct StepContext {
    /// The portal.
    pub app: Arc<App>,
    /// The job.
    pub job: jobs::Job,
    /// The lease under which the job runs. If another worker takes over the job, the lease changes.
    pub lease: String,
    /// Number of the current step.
    pub seq: AtomicI64,
    /// The job's span.
    span: Span,
    /// The server that last responded in this run.
    answered: Mutex<Option<ServerAnswer>>,
    /// The engine's id of the container in which the accounts were set up in this run.
    accounts_in: Mutex<Option<String>>,
    /// Rows read in this step.
    read: Mutex<Rows>,
}

/// Rows of the container that a step has read.
#[derive(Default)]
struct Rows {
    container: Option<Arc<Container>>,
    blueprint: Option<Arc<Blueprint>>,
}

/// A server that has responded.
#[derive(Debug, Clone)]
struct ServerAnswer {
    container: String,
    started_at: Option<DateTime<Utc>>,
    version: String,
}

impl StepContext {
    /// Context for a run of a job from its first step.
    pub fn new(app: &Arc<App>, job: jobs::Job, lease: &str) -> Self {
        let (app, lease) = (app.clone(), lease.to_owned());
        Self {
            app,
            job,
            lease,
            seq: AtomicI64::new(0),
            span: Span::current(),
            answered: Mutex::default(),
            accounts_in: Mutex::default(),
            read: Mutex::default(),
        }
    }

    /// Adds the id of the backup that the job makes, tests or restores to its log lines.
    pub fn note_backup(&self, backup: Uuid) {
        self.span.record("backup", field::display(backup));
    }

    /// Records that the server in this container has responded since the container was last started.
    pub fn note_answer(&self, found: &Observed, version: &str) {
        let (container, version) = (found.id.clone(), version.to_owned());
        *self.last() = Some(ServerAnswer { container, started_at: found.started_at, version });
    }

    /// The version reported by the server in this container, if it responded in this run and has been running since.
    pub fn answer(&self, found: &Observed) -> Option<String> {
        let last = self.last();
        let same = |a: &&ServerAnswer| found.running && a.container == found.id && a.started_at == found.started_at;
        last.as_ref().filter(same).map(|a| a.version.clone())
    }

    /// Records that the accounts have been set up in this container.
    pub fn note_accounts(&self, found: &Observed) {
        *self.accounts_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.id.clone());
    }

    /// Whether the accounts were set up in this container in this run.
    pub fn has_accounts(&self, docker_id: &str) -> bool {
        self.accounts_in.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(docker_id)
    }

    fn last(&self) -> MutexGuard<'_, Option<ServerAnswer>> {
        // A panic cannot leave an incomplete value.
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The container of this job, as first read in this step or since the last call of [`Self::changed`].
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

    /// What the container is made from, cached like its row.
    ///
    /// # Errors
    /// [`StepError::Fail`] if the catalog or the configuration no longer contains something it needs.
    pub async fn blueprint(&self) -> Result<Arc<Blueprint>, StepError> {
        if let Some(read) = &self.rows().blueprint {
            return Ok(read.clone());
        }
        let read = Arc::new(Blueprint::read(&self.app, &*self.container().await?).await?);
        self.rows().blueprint = Some(read.clone());
        Ok(read)
    }

    /// Discards the rows that were read, because the step has changed them or another step begins. They are read again
    /// when needed.
    pub fn changed(&self) {
        *self.rows() = Rows::default();
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        // A panic cannot leave an incomplete value: each field is set in one assignment.
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Key of the container of this job.
    pub fn container_id(&self) -> Result<Uuid, StepError> {
        self.job.container_id.ok_or_else(|| StepError::Fail("This job does not specify a container.".to_owned()))
    }

    /// Shows the progress of the step. If that fails, the step continues.
    pub async fn progress(&self, detail: &str) {
        let seq = i16::try_from(self.seq.load(Ordering::Relaxed)).unwrap_or(i16::MAX);
        if let Ok(mut db) = self.app.db.acquire().await {
            let _ = jobs::set_detail(&mut db, self.job.id, seq, detail).await;
        }
    }
}
