//! `/containers/{name}/settings`.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::field::{Field, with_errors};

/// The settings of one database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/settings.html")]
pub struct SettingsPage {
    /// What stands around it.
    pub frame: Frame,
    /// Title, state, actions, tabs.
    pub head: ContainerHead,
    /// Its own page.
    pub back_href: String,
    /// Where the form posts to.
    pub action: String,
    /// `contact`, `department`, `description`, `owner`, `memory`, `cpus`; none of them in the trash.
    pub fields: Vec<Field>,
    /// What it is, and whether there is something later: (sentence, link to the upgrade).
    pub version: Option<(String, Option<String>)>,
    /// What is wrong with the form as a whole.
    pub problem: Option<String>,
    /// For administrators: the maintenance form.
    pub maintenance: Option<MaintenanceForm>,
}

impl SettingsPage {
    /// The fields with an error.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(&self.fields)
    }
}

/// Puts one database into maintenance, or takes it out.
#[derive(Clone, Debug, Default)]
pub struct MaintenanceForm {
    /// Where it posts to: `maintenance` = `on` or `off`, `note`.
    pub action: String,
    /// Whether it is in maintenance now.
    pub on: bool,
    /// A textarea named `note`: what its owner is told.
    pub note: Field,
}
