//! What a job does: a list of steps, each with its undo.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use tracing::{Span, field};
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::{containers, jobs};
use crate::app::App;
use crate::domain::stream_error::StreamError;
use crate::domain::work::JobRules;
use crate::runtime::{Observed, RuntimeError};
use crate::storage::error::StorageError;

/// How a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// It may work if tried again later.
    #[error("{0}")]
    Retry(String),
    /// It won't; the sentence is shown to the owner.
    #[error("{0}")]
    Fail(String),
    /// What a store has could not be read or written. Another store may do.
    #[error(transparent)]
    Store(#[from] StreamError),
}

impl StepError {
    /// Whether it may work if tried again later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Retry(_) => true,
            Self::Fail(_) => false,
            Self::Store(e) => e.may_pass(),
        }
    }

    /// The same with another sentence, made of the one it has.
    #[must_use]
    pub fn with_message(self, tell: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Retry(why) => Self::Retry(tell(why)),
            Self::Fail(why) => Self::Fail(tell(why)),
            Self::Store(e) => Self::Store(StreamError { fault: e.fault, text: tell(e.text) }),
        }
    }
}

impl From<sqlx::Error> for StepError {
    fn from(e: sqlx::Error) -> Self {
        Self::Retry(format!("mydb_admin could not be asked: {e}"))
    }
}

impl From<RuntimeError> for StepError {
    fn from(e: RuntimeError) -> Self {
        match e {
            RuntimeError::Input(e) => Self::Store(e),
            e if e.is_transient() => Self::Retry(e.to_string()),
            e => Self::Fail(e.to_string()),
        }
    }
}

impl From<StorageError> for StepError {
    fn from(e: StorageError) -> Self {
        match e {
            StorageError::Engine(e) => e.into(),
            e => Self::Fail(e.to_string()),
        }
    }
}

/// The span that every log line of a job is in. At the level of errors, so that a log of errors alone has the ids too.
pub fn job_span(job: &jobs::Job) -> Span {
    let (id, kind, container) = (job.id, &job.kind, job.container_id.map(field::display));
    tracing::error_span!(parent: None, "job", job = %id, kind, container, backup = field::Empty)
}

/// What a step works with.
pub struct Work {
    /// The portal.
    pub app: Arc<App>,
    /// The job.
    pub job: jobs::Job,
    /// The reservation under which it runs: whoever has the job now has another.
    pub lease: String,
    /// Which step it is.
    pub seq: AtomicI64,
    /// Whether an earlier run did some of the steps: what they left may have changed since.
    pub resumed: bool,
    /// The job's span.
    span: Span,
    /// What answered in this run.
    answered: Mutex<Option<ServerAnswer>>,
}

/// A server that answered.
#[derive(Debug, Clone)]
struct ServerAnswer {
    container: String,
    started_at: Option<DateTime<Utc>>,
    version: String,
}

impl Work {
    /// A run of a job from its beginning.
    pub fn new(app: &Arc<App>, job: jobs::Job, lease: &str) -> Self {
        let (app, lease) = (app.clone(), lease.to_owned());
        Self {
            app,
            job,
            lease,
            seq: AtomicI64::new(0),
            resumed: false,
            span: Span::current(),
            answered: Mutex::default(),
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

    /// The container this job works on, as it is now.
    ///
    /// # Errors
    /// If the row is gone, which a foreign key prevents.
    pub async fn container(&self) -> Result<Container, StepError> {
        let id = self.container_id()?;
        let mut db = self.app.db.acquire().await?;
        containers::by_id(&mut db, id).await?.ok_or_else(|| StepError::Fail("The container's row is gone.".to_owned()))
    }

    /// Key of the container this job works on.
    ///
    /// # Errors
    /// If the job is about none.
    pub fn container_id(&self) -> Result<Uuid, StepError> {
        self.job.container_id.ok_or_else(|| StepError::Fail("This job names no container.".to_owned()))
    }

    /// Shows a step's progress. Failing to is no reason to fail the step.
    pub async fn progress(&self, detail: &str) {
        let seq = i16::try_from(self.seq.load(Ordering::Relaxed)).unwrap_or(i16::MAX);
        if let Ok(mut db) = self.app.db.acquire().await {
            let _ = jobs::set_detail(&mut db, self.job.id, seq, detail).await;
        }
    }
}

/// A step's code.
pub type StepFn = for<'a> fn(&'a Work) -> BoxFuture<'a, Result<(), StepError>>;

/// One step. It finds its own earlier work, because it may be run again after a crash at any instant.
pub struct Step {
    /// What it does, in words for the page.
    pub name: &'static str,
    /// Does it.
    pub run: StepFn,
    /// Takes it back when a later step failed for good.
    pub undo: Option<StepFn>,
}

/// A job's kind: its steps, and what is so when it failed.
pub struct Flow {
    /// Kind, as in the `job` table and the log.
    pub kind: &'static str,
    /// For people: "Create database".
    pub title: &'static str,
    /// Which workers do it, how it may be ended early, what its failure says.
    pub rules: JobRules,
    /// The steps, in order.
    pub steps: &'static [Step],
}

impl Flow {
    /// The steps' names.
    pub fn names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|s| s.name).collect()
    }
}
