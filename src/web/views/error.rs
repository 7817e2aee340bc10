//! Error pages.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::parts::ActionButton;

/// An error page. The handler sets the status of the response.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    /// The page frame.
    pub frame: Frame,
    /// 404.
    pub status: u16,
    /// "There is no such page".
    pub title: String,
    /// What happened.
    pub happened: String,
    /// What to do.
    pub advice: String,
    /// Where to continue.
    pub actions: Vec<ActionButton>,
}

impl ErrorPage {
    /// The page for a status, with generic text.
    #[must_use]
    pub fn of(frame: Frame, status: u16) -> Self {
        let (title, happened, advice) = words(status);
        let home = ActionButton::link("Go to my databases", "/");
        Self {
            frame,
            status,
            title: title.to_owned(),
            happened: happened.to_owned(),
            advice: advice.to_owned(),
            actions: match status {
                401 => vec![ActionButton::link("Sign in", "/login").primary()],
                _ => vec![home],
            },
        }
    }
}

/// Title, what happened, what to do.
fn words(status: u16) -> (&'static str, &'static str, &'static str) {
    match status {
        400 => (
            "Bad request",
            "The portal could not understand the request. Nothing was changed.",
            "Go back, check your input and try again.",
        ),
        401 => (
            "Sign in required",
            "You are not signed in, or your session has expired.",
            "After signing in, you return to this page.",
        ),
        403 => (
            "You don’t have access",
            "You are signed in, but your account has no permission for this page or action.",
            "If you need access, ask the owner or an administrator.",
        ),
        404 => (
            "Page not found",
            "No page or database exists at this address. It may have been deleted or renamed.",
            "Check the address, or look in your list of databases.",
        ),
        405 => (
            "Method not allowed",
            "The page exists but does not accept this kind of request. Nothing was changed.",
            "Use the links and buttons of the portal to open it.",
        ),
        409 => (
            "Conflicting change",
            "The object was changed in the meantime. Your change was not applied.",
            "Reload the page, check the current state and try again.",
        ),
        413 => (
            "Request too large",
            "Forms are limited to 64 KiB. Nothing was changed.",
            "Shorten the text and try again.",
        ),
        415 => (
            "Unsupported format",
            "The portal accepts forms from its pages and JSON under /api/v1. Nothing was changed.",
            "Use the page, or set the content type to application/json.",
        ),
        422 => (
            "Invalid values",
            "At least one value is not allowed. Nothing was changed.",
            "Go back and correct the values.",
        ),
        429 => ("Too many requests", "Too many requests were made in a short time.", "Wait a minute, then try again."),
        502 => (
            "The container engine is not responding",
            "The portal could not reach the program that runs the databases. Your data is unchanged.",
            "Try again in a minute. If the problem persists, give the request ID to an administrator.",
        ),
        503 => (
            "The portal’s own database is not available",
            "The portal cannot read its records at the moment. Your databases keep running.",
            "Try again in a minute. The portal recovers automatically.",
        ),
        _ => (
            "Internal error",
            "The request failed because of an error in the portal. The error has been logged.",
            "Try again. If the problem persists, give the request ID to an administrator.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_text() {
        let all = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503];
        let mut titles: Vec<_> = all.iter().map(|status| words(*status).0).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), all.len());
    }
}
