//! A page that asks before something is lost.

use askama::Template;

use super::frame::Frame;

/// Asks for a typed name (field `confirm`) before it posts to `action`.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/confirm.html")]
pub struct ConfirmPage {
    /// What stands around it.
    pub frame: Frame,
    /// "Delete trial-42".
    pub title: String,
    /// What will happen, a sentence each.
    pub will: Vec<String>,
    /// What is kept and until when, a sentence each.
    pub kept: Vec<String>,
    /// Where it posts to.
    pub action: String,
    /// What has to be typed.
    pub name: String,
    /// What was typed.
    pub value: String,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What the red button says: "Delete the database".
    pub button: String,
    /// The way back.
    pub back_href: String,
    /// What the way back says: "Keep the database".
    pub back_label: String,
}
