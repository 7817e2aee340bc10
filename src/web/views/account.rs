//! `/account`: password, tokens, sessions.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::field::{Field, with_errors};
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::Fact;

/// One's own account.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/account.html")]
pub struct AccountPage {
    /// What stands around it.
    pub frame: Frame,
    /// Name, role, mail, quota.
    pub facts: Vec<Fact>,
    /// `current`, `new`, `again`; posts to `/account/password`. Empty where
    /// passwords are kept elsewhere.
    pub password: Vec<Field>,
    /// The tokens.
    pub tokens: Vec<TokenRow>,
    /// `name`, `days`; posts to `/account/tokens`.
    pub token_form: Vec<Field>,
    /// A token just made, shown once.
    pub new_token: Option<NewToken>,
    /// The sessions.
    pub sessions: Vec<SessionRow>,
    /// Ends all sessions but this one; a post. `None` where there is no other.
    pub end_others_href: Option<String>,
}

impl AccountPage {
    /// Fields of the token form with an error.
    #[must_use]
    pub fn token_errors(&self) -> Vec<&Field> {
        with_errors(&self.token_form)
    }
}

/// An API token.
#[derive(Clone, Debug, Default)]
pub struct TokenRow {
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created: Moment,
    /// When it was last used.
    pub used: Option<Moment>,
    /// When it ends.
    pub expires: Option<Moment>,
    /// Revokes it; a post.
    pub revoke_href: String,
}

/// A token just made.
#[derive(Clone, Debug, Default)]
pub struct NewToken {
    /// What its owner calls it.
    pub name: String,
    /// The token.
    pub token: String,
    /// A line to try it with.
    pub example: String,
}

/// A place one is signed in at.
#[derive(Clone, Debug, Default)]
pub struct SessionRow {
    /// Browser and system.
    pub agent: String,
    /// Its address.
    pub address: String,
    /// Since when.
    pub created: Moment,
    /// When it was last seen.
    pub seen: Moment,
    /// Whether it is this one.
    pub current: bool,
}
