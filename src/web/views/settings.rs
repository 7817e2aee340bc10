//! `/containers/{name}/settings`.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::field::{Field, with_errors};

/// The settings of a database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/settings.html")]
pub struct SettingsPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// Page of the database.
    pub back_href: String,
    /// URL the form is sent to.
    pub action: String,
    /// `contact`, `department`, `description`, `owner`, `memory`, `cpus`, `cpuset`, `ttl`; empty if it is in the trash.
    pub fields: Vec<Field>,
    /// The version, with a link to the upgrade if a later version is available.
    pub version: Option<(String, Option<String>)>,
    /// Error in the form as a whole.
    pub problem: Option<String>,
    /// For administrators: the maintenance form.
    pub maintenance: Option<MaintenanceForm>,
}

impl SettingsPage {
    /// Fields with an error.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(&self.fields)
    }
}

/// Starts or ends maintenance of a database.
#[derive(Clone, Debug, Default)]
pub struct MaintenanceForm {
    /// URL it is sent to: `maintenance` = `on` or `off`, `note`.
    pub action: String,
    /// Whether it is in maintenance.
    pub on: bool,
    /// A textarea named `note`: the message for its owner.
    pub note: Field,
}
