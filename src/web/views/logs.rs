//! `/containers/{name}/logs`.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::field::Choice;

/// The log of one database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/logs.html")]
pub struct LogsPage {
    /// What stands around it.
    pub frame: Frame,
    /// Title, state, actions, tabs.
    pub head: ContainerHead,
    /// This page, for the form with `lines`.
    pub href: String,
    /// How many lines can be asked for.
    pub choices: Vec<Choice>,
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// New lines as they come: `/containers/{name}/logs/events`, each event one line.
    pub events: Option<String>,
    /// Why there are none.
    pub problem: Option<String>,
}
