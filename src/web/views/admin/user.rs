//! `/admin/users/{id}`: an account, for administrators.

use askama::Template;

use crate::web::views::elements::field::{Field, with_errors};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact};
use crate::web::views::frame::Frame;

/// The page of an account.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/user.html")]
pub struct UserPage {
    /// The page frame.
    pub frame: Frame,
    /// User name.
    pub name: String,
    /// Active or disabled.
    pub chip: Chip,
    /// Databases, resources in use, tokens, jobs, times.
    pub facts: Vec<Fact>,
    /// The forms, each with its title, its URL and the label of its button.
    pub forms: Vec<UserForm>,
    /// Disables or enables it; `None` for one's own account.
    pub toggle: Option<ActionButton>,
    /// The page that deletes it; `None` for one's own account.
    pub delete_href: Option<String>,
}

impl UserPage {
    /// Fields with an error.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(self.forms.iter().flat_map(|form| &form.fields))
    }
}

/// One of the forms.
#[derive(Clone, Debug, Default)]
pub struct UserForm {
    /// "Limits".
    pub title: &'static str,
    /// URL it is sent to.
    pub action: String,
    /// The fields.
    pub fields: Vec<Field>,
    /// "Set limits".
    pub button: &'static str,
}
