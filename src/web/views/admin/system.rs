//! `/admin/system`.

use askama::Template;

use crate::web::views::elements::field::Field;
use crate::web::views::elements::parts::{Chip, Fact};
use crate::web::views::frame::Frame;

/// The machinery.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_system.html")]
pub struct SystemPage {
    /// What stands around it.
    pub frame: Frame,
    /// Groups of facts: portal, engine, mydb_admin, certificate, jobs.
    pub groups: Vec<FactGroup>,
    /// The images of the catalog.
    pub images: Vec<ImageRow>,
    /// Whether the portal is read-only.
    pub is_read_only: bool,
    /// A text field named `message`; the form posts to `/admin/read-only`
    /// with `read_only` = `on` or `off`.
    pub message: Field,
}

/// A group of facts.
#[derive(Clone, Debug, Default)]
pub struct FactGroup {
    /// "Container engine".
    pub title: String,
    /// How it is, when that can be said in a word.
    pub chip: Option<Chip>,
    /// The facts.
    pub facts: Vec<Fact>,
}

/// An image of the catalog.
#[derive(Clone, Debug, Default)]
pub struct ImageRow {
    /// The name in the catalog.
    pub name: String,
    /// What it is replaced by.
    pub replaced_by: Option<String>,
    /// `postgres`, `mariadb`, `mongodb`, `neo4j`: names its mark.
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
