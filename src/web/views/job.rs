//! `/jobs/{id}`.

use askama::Template;

use super::frame::Frame;
use crate::manifest::dump::LoadReport;
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, Link};
use crate::web::views::elements::steps::Steps;

/// The page of a job.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/job.html")]
pub struct JobPage {
    /// The page frame.
    pub frame: Frame,
    /// "Create trial-42".
    pub title: String,
    /// Its state.
    pub chip: Chip,
    /// The database or template it works on.
    pub container: Option<Link>,
    /// Cancels it, if possible.
    pub cancel: Option<ActionButton>,
    /// Its steps.
    pub job: Steps,
    /// What failed while the dump was loaded.
    pub report: Option<LoadReport>,
    /// Who requested it and when, attempts, worker.
    pub facts: Vec<Fact>,
}
