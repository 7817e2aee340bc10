//! `/jobs/{id}`.

use askama::Template;

use super::frame::Frame;
use crate::manifest::dump::LoadReport;
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, Link};
use crate::web::views::elements::steps::Steps;

/// One job.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/job.html")]
pub struct JobPage {
    /// What stands around it.
    pub frame: Frame,
    /// "Create trial-42".
    pub title: String,
    /// Its state.
    pub chip: Chip,
    /// The database it works on.
    pub container: Option<Link>,
    /// Ends it, where that can be done.
    pub cancel: Option<ActionButton>,
    /// Its steps.
    pub job: Steps,
    /// What failed while a dump was loaded.
    pub report: Option<LoadReport>,
    /// Asked for by whom and when, attempts, worker.
    pub facts: Vec<Fact>,
}
