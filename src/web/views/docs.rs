//! `/docs/{page}`.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::parts::Link;

/// A help page.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/docs.html")]
pub struct DocsPage {
    /// The page frame.
    pub frame: Frame,
    /// Its title, taken from the text.
    pub title: String,
    /// All help pages, with this one marked.
    pub pages: Vec<Link>,
    /// The text as HTML without its `h1`. It is inserted unescaped, because it is rendered from the portal's own
    /// Markdown.
    pub body: String,
}
