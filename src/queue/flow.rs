//! What a job does: a list of steps, each with its undo.

use futures::future::BoxFuture;

use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::JobRules;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// The code of a step.
pub type StepFn = for<'a> fn(&'a StepContext) -> BoxFuture<'a, Result<(), StepError>>;

/// What must hold before a step when a job resumes there: the machine may have been down in between. The runner restores it
/// once, before the first step of the new run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Resume {
    /// Nothing: the step recognises its own earlier work.
    #[default]
    Nothing,
    /// A copy of a seed is complete on disk.
    Copy,
    /// Data that the image was initialising is complete. Only before the accounts are set: later, an ended server does not
    /// mean that its data is incomplete.
    Initialised,
    /// The same, and the server is running.
    Starting,
    /// The server is running.
    Running,
    /// The server responds.
    Answering,
}

/// A step. It recognises its own earlier work, because it may run again after a crash at any moment.
pub struct Step {
    /// Its name on the page.
    pub name: &'static str,
    /// Its code.
    pub run: StepFn,
    /// Rolls it back after it or a later step has failed for good.
    pub undo: Option<StepFn>,
    /// What must hold before it when a job resumes there.
    pub resume: Resume,
}

impl Step {
    /// A step without an undo.
    pub const fn new(name: &'static str, run: StepFn) -> Self {
        Self { name, run, undo: None, resume: Resume::Nothing }
    }

    /// The same step with an undo.
    #[must_use]
    pub const fn undo(self, undo: StepFn) -> Self {
        Self { undo: Some(undo), ..self }
    }

    /// The same step with what must hold when a job resumes there.
    #[must_use]
    pub const fn resume(self, resume: Resume) -> Self {
        Self { resume, ..self }
    }
}

/// A kind of job.
pub struct Flow {
    /// Its kind.
    pub kind: JobKind,
    /// For people: "Create database".
    pub title: &'static str,
    /// Which workers run it, until when it can be cancelled, and what its failure means for the database.
    pub rules: JobRules,
    /// The steps, in order.
    pub steps: &'static [Step],
}

impl Flow {
    /// Names of the steps.
    pub fn names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|s| s.name).collect()
    }
}
