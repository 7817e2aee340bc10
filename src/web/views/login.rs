//! `/login`.

use askama::Template;

use super::frame::Frame;

/// The sign-in page.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/login.html")]
pub struct LoginPage {
    /// What stands around it.
    pub frame: Frame,
    /// What was typed as user name.
    pub username: String,
    /// Where to go afterwards: a path of ours, or empty.
    pub next: String,
    /// Why the last try failed.
    pub error: Option<String>,
    /// In dev: where the first administrator's password lies.
    pub hint: Option<String>,
}
