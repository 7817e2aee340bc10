//! `/containers/{name}/extend`.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::Moment;

/// The form that sets when a database expires.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/extend.html")]
pub struct ExtendPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// When it expires at present.
    pub ends: Option<Moment>,
    /// URL the form is sent to.
    pub action: String,
    /// `ttl`.
    pub field: Field,
    /// The tab to return to.
    pub tab: &'static str,
    /// Link back to it.
    pub back_href: String,
}
