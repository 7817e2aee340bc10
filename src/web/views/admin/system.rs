//! `/admin/system`.

use askama::Template;

use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{Chip, Fact};
use crate::web::views::frame::Frame;

/// The state of the portal's components.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/system.html")]
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
    /// Its prepared data, one entry for each tier.
    pub seeds: Vec<SeedText>,
    /// Its servers started in advance, in a sentence; `None` if there are none and none were taken today.
    pub spares: Option<String>,
}

/// Prepared data of an image on a tier.
#[derive(Clone, Debug, Default)]
pub struct SeedText {
    /// Name of the tier.
    pub tier: String,
    /// When it was made; `None` while it is being made, or if it failed.
    pub made: Option<Moment>,
    /// Why it could not be made.
    pub failed: Option<String>,
}
