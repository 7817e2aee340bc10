//! A page that asks for confirmation before data is lost.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::field::Field;

/// Asks before sending the form to `action`; if much would be lost, the user must type a name (field `confirm`).
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/confirm.html")]
pub struct ConfirmPage {
    /// The page frame.
    pub frame: Frame,
    /// "Delete trial-42".
    pub title: String,
    /// What will happen, one sentence each.
    pub will: Vec<String>,
    /// What is kept and until when, one sentence each.
    pub kept: Vec<String>,
    /// URL the form is sent to.
    pub action: String,
    /// Hidden fields: (name, value).
    pub hidden: Vec<(String, String)>,
    /// Fields above the confirmation.
    pub extra: Vec<Field>,
    /// Text that must be typed; `None` if the button is sufficient.
    pub name: Option<String>,
    /// What was typed.
    pub value: String,
    /// Error in it.
    pub error: Option<String>,
    /// A checkbox above the button.
    pub option: Option<Field>,
    /// Label of the button, which is red if a name must be typed: "Delete the database".
    pub button: String,
    /// URL of the cancel link.
    pub back_href: String,
    /// Label of the cancel link: "Keep the database".
    pub back_label: String,
}
