//! `/admin/system`.

use askama::Template;

use crate::web::views::elements::field::Field;
use crate::web::views::elements::parts::{Chip, Fact};
use crate::web::views::frame::Frame;

/// The state of the portal's components.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_system.html")]
pub struct SystemPage {
    /// The page frame.
    pub frame: Frame,
    /// Groups of facts: portal, engine, mydb_admin, certificate, jobs.
    pub groups: Vec<FactGroup>,
    /// The images of the catalog.
    pub images: Vec<ImageRow>,
    /// Whether the portal is read-only.
    pub is_read_only: bool,
    /// A text field named `message`; the form is sent to `/admin/read-only` with `read_only` = `on` or `off`.
    pub message: Field,
}

/// A group of facts.
#[derive(Clone, Debug, Default)]
pub struct FactGroup {
    /// "Container engine".
    pub title: String,
    /// Its status, if it can be given in one word.
    pub chip: Option<Chip>,
    /// The facts.
    pub facts: Vec<Fact>,
}

/// An image of the catalog.
#[derive(Clone, Debug, Default)]
pub struct ImageRow {
    /// Name in the catalog.
    pub name: String,
    /// The image that replaces it.
    pub replaced_by: Option<String>,
    /// `postgres`, `mariadb`, `mongodb` or `neo4j`: selects its icon.
    pub engine: String,
    /// "17".
    pub version: String,
    /// "2029-11-08".
    pub end_of_life: Option<String>,
    /// Present, pullable or unavailable.
    pub chip: Chip,
    /// Why it is unavailable.
    pub reason: Option<String>,
}
