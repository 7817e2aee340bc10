//! A page that asks before something is lost.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::field::Field;

/// Asks before it posts to `action`; where much is lost, for a typed name (field `confirm`).
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/confirm.html")]
pub struct ConfirmPage {
    /// What stands around it.
    pub frame: Frame,
    /// "Delete trial-42".
    pub title: String,
    /// What will happen, a sentence each.
    pub will: Vec<String>,
    /// What stays and until when, a sentence each.
    pub kept: Vec<String>,
    /// Where it posts to.
    pub action: String,
    /// Sent with it: (name, value).
    pub hidden: Vec<(String, String)>,
    /// Fields before the name.
    pub extra: Vec<Field>,
    /// What has to be typed; nothing where the button is enough.
    pub name: Option<String>,
    /// What was typed.
    pub value: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// A checkbox above the button.
    pub option: Option<Field>,
    /// What the button says, which is red where a name is typed: "Delete the database".
    pub button: String,
    /// The way back.
    pub back_href: String,
    /// What the way back says: "Keep the database".
    pub back_label: String,
}
