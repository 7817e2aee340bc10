//! `/docs/{page}`.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::parts::Link;

/// A help page.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/docs.html")]
pub struct DocsPage {
    /// What stands around it.
    pub frame: Frame,
    /// Its title, taken out of the text.
    pub title: String,
    /// All help pages, this one marked.
    pub pages: Vec<Link>,
    /// The text as HTML, made from our own Markdown, without its `h1`.
    /// It goes into the page as it is.
    pub body: String,
}
