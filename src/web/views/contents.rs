//! `/admin/contents`: what is in all servers.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{FilterForm, Link, Pager};

/// The list.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_contents.html")]
pub struct ContentsPage {
    /// What stands around it.
    pub frame: Frame,
    /// By name or owner.
    pub filter: FilterForm,
    /// One row a container.
    pub rows: Vec<ContentsRow>,
    /// Where in the list one is.
    pub pager: Pager,
    /// All of it as CSV.
    pub csv_href: String,
    /// All of it as lines of JSON.
    pub json_href: String,
}

/// What is in one server.
#[derive(Clone, Debug, Default)]
pub struct ContentsRow {
    /// Its name, with the page that shows all of it.
    pub database: Link,
    /// "PostgreSQL 17".
    pub engine: String,
    /// Whose it is.
    pub owner: String,
    /// Names of the databases in it.
    pub databases: Vec<String>,
    /// How many can sign in to it.
    pub roles: Option<usize>,
    /// Tables, collections, labels.
    pub objects: Option<usize>,
    /// Rows, documents, nodes in them; mostly estimates.
    pub entries: Option<String>,
    /// What the databases take, where the server tells.
    pub size: Option<Size>,
    /// When that was seen.
    pub seen: Option<Moment>,
    /// Why a later look failed.
    pub error: Option<String>,
}
