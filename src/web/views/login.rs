//! `/login`.

use askama::Template;

use super::frame::Frame;

/// The sign-in page.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/login.html")]
pub struct LoginPage {
    /// The page frame.
    pub frame: Frame,
    /// The user name that was typed.
    pub username: String,
    /// Where to continue after signing in: a path of the portal, or empty.
    pub next: String,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// In dev mode: where the first administrator's password is stored.
    pub hint: Option<String>,
}
