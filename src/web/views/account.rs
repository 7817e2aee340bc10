//! `/account`: password, tokens and sessions.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::field::{Field, with_errors};
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{ActionButton, Fact};

/// The page of the signed-in user's account.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage {
    /// The page frame.
    pub frame: Frame,
    /// Name, role, e-mail address, quota.
    pub facts: Vec<Fact>,
    /// `current`, `new`, `again`; sent to `/account/password`. Empty if passwords are managed elsewhere.
    pub password: Vec<Field>,
    /// The tokens.
    pub tokens: Vec<TokenRow>,
    /// `name`, `days`; sent to `/account/tokens`.
    pub token_form: Vec<Field>,
    /// A newly created token, shown once.
    pub new_token: Option<NewToken>,
    /// The sessions.
    pub sessions: Vec<SessionRow>,
    /// Ends all sessions except this one; `None` if there are no others.
    pub end_others: Option<ActionButton>,
}

impl AccountPage {
    /// Token form fields with an error.
    #[must_use]
    pub fn token_errors(&self) -> Vec<&Field> {
        with_errors(&self.token_form)
    }
}

/// An API token.
#[derive(Clone, Debug, Default)]
pub struct TokenRow {
    /// Name given by its owner.
    pub name: String,
    /// When it was created.
    pub created: Moment,
    /// When it was last used.
    pub used: Option<Moment>,
    /// When it expires.
    pub expires: Option<Moment>,
    /// Revokes it.
    pub revoke: ActionButton,
}

/// A newly created token.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// Name given by its owner.
    pub name: String,
    /// The token.
    pub token: String,
    /// Commands to try it with; the first one waits for the token.
    pub example: [String; 2],
}

/// A session of the user.
#[derive(Clone, Debug, Default)]
pub struct SessionRow {
    /// Browser and operating system.
    pub agent: String,
    /// Client address.
    pub address: String,
    /// When it started.
    pub created: Moment,
    /// When it was last seen.
    pub seen: Moment,
    /// Whether it is the current session.
    pub current: bool,
}
