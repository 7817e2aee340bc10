//! `/containers/{name}/logs`.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::field::{Choice, Field};

/// The log of a database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/logs.html")]
pub struct LogsPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// URL of this page, for the form with `lines`.
    pub href: String,
    /// Selectable numbers of lines.
    pub choices: Vec<Choice>,
    /// The text that the lines must contain.
    pub text: Field,
    /// How many lines contain it, if there is one.
    pub found: Option<String>,
    /// Whether long lines are wrapped.
    pub wrap: bool,
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// Stream of new lines: `/containers/{name}/logs/events`, one line per event.
    pub events: Option<String>,
    /// Why no lines are shown.
    pub problem: Option<String>,
}
