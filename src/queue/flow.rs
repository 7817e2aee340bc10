//! What a job does: a list of steps, each with its undo.

use futures::future::BoxFuture;

use crate::domain::job_kind::JobKind;
use crate::domain::work::JobRules;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// A step's code.
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
    /// Data that the image was initialising is complete. Only before the accounts are set: later, an ended server is no sign
    /// of incomplete data.
    Initialised,
    /// The same, and the server is running.
    Starting,
    /// The server is running.
    Running,
    /// The server responds.
    Answering,
}

/// One step. It finds its own earlier work, because it may be run again after a crash at any instant.
pub struct Step {
    /// What it does, in words for the page.
    pub name: &'static str,
    /// Does it.
    pub run: StepFn,
    /// Takes it back when a later step failed for good.
    pub undo: Option<StepFn>,
    /// What must be so before it in a run that goes on where another was cut short.
    pub resume: Resume,
}

impl Step {
    /// A step that needs no undo.
    pub const fn new(name: &'static str, run: StepFn) -> Self {
        Self { name, run, undo: None, resume: Resume::Nothing }
    }

    /// The same step with an undo.
    #[must_use]
    pub const fn undo(self, undo: StepFn) -> Self {
        Self { undo: Some(undo), ..self }
    }

    /// The same step with what it needs in a run that goes on.
    #[must_use]
    pub const fn resume(self, resume: Resume) -> Self {
        Self { resume, ..self }
    }
}

/// A job's kind: its steps, and what is so when it failed.
pub struct Flow {
    /// Its kind.
    pub kind: JobKind,
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
