//! What is shown when something can't be.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::parts::ActionButton;

/// An error page. The handler sets the status of the answer.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/error.html")]
pub struct ErrorPage {
    /// What stands around it.
    pub frame: Frame,
    /// 404.
    pub status: u16,
    /// "There is no such page".
    pub title: String,
    /// What happened.
    pub happened: String,
    /// What to do.
    pub advice: String,
    /// Where to go from here.
    pub actions: Vec<ActionButton>,
}

impl ErrorPage {
    /// The page for a status, in general words.
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
            "This request can't be read",
            "The portal did not understand what was sent. Nothing was changed.",
            "Go back, check what you filled in and send it again.",
        ),
        401 => (
            "Please sign in",
            "This page is for people who are signed in, or your session has ended.",
            "Sign in; afterwards you are brought back here.",
        ),
        403 => (
            "This is not yours to open",
            "You are signed in, but this page or action belongs to someone else.",
            "Ask its owner, or an administrator if you think you should have access.",
        ),
        404 => (
            "There is nothing here",
            "No page or database has this address. It may have been deleted or renamed.",
            "Check the address, or look for it in the list of your databases.",
        ),
        405 => (
            "This address can't be used like that",
            "The page exists, but not for this kind of request. Nothing was changed.",
            "Open it from the page it belongs to.",
        ),
        409 => (
            "Something else came first",
            "What you wanted to change has changed in the meantime. Nothing of yours was applied.",
            "Open the page again, look at its present state and decide anew.",
        ),
        413 => (
            "That is too much at once",
            "A form may be at most 64 KiB. Nothing was changed.",
            "Shorten the text and send it again.",
        ),
        415 => (
            "This format is not accepted",
            "The portal takes forms from its pages, and JSON under /api/v1. Nothing was changed.",
            "Send it from the page, or set the content type to application/json.",
        ),
        422 => (
            "Some values can't be used",
            "At least one value is outside of what is allowed. Nothing was changed.",
            "Go back and correct the values.",
        ),
        429 => (
            "Too many tries",
            "There were too many requests in a short time, so the portal waits a little.",
            "Wait a minute, then try again.",
        ),
        502 => (
            "The container engine does not answer",
            "The portal could not reach the program that runs the databases. Your data is where it was.",
            "Try again in a minute. If it stays like this, tell an administrator the request id.",
        ),
        503 => (
            "The portal is waiting for its own database",
            "Its records can't be read at the moment. Your databases go on running.",
            "Try again in a minute; the portal recovers by itself.",
        ),
        _ => (
            "The portal made a mistake",
            "This could not be finished because of a fault in the portal. It has been recorded.",
            "Try again. If it happens again, tell an administrator the request id.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_words_of_its_own() {
        let all = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 500, 502, 503];
        let mut titles: Vec<_> = all.iter().map(|status| words(*status).0).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), all.len());
    }
}
