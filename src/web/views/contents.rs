//! `/admin/contents`: the contents of all servers.

use askama::Template;

use super::frame::Frame;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{FilterForm, Link, Pager};

/// The list.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/contents.html")]
pub struct ContentsPage {
    /// The page frame.
    pub frame: Frame,
    /// Filter by name or owner.
    pub filter: FilterForm,
    /// One row per container.
    pub rows: Vec<ContentsRow>,
    /// Current position in the list.
    pub pager: Pager,
    /// The list as CSV.
    pub csv_href: String,
    /// The list as JSON lines.
    pub json_href: String,
}

/// The contents of a server.
#[derive(Clone, Debug, Default)]
pub struct ContentsRow {
    /// Name of the container, linked to the page with all details.
    pub database: Link,
    /// "PostgreSQL 17".
    pub engine: String,
    /// Whose it is.
    pub owner: String,
    /// Names of its databases.
    pub databases: Vec<String>,
    /// Number of accounts that can sign in.
    pub roles: Option<usize>,
    /// Number of tables, collections or labels.
    pub objects: Option<usize>,
    /// Number of rows, documents or nodes in them; mostly estimates.
    pub entries: Option<String>,
    /// Size of the databases, if the server reports it.
    pub size: Option<Size>,
    /// Time of the scan.
    pub seen: Option<Moment>,
    /// Why a later scan failed.
    pub error: Option<String>,
}
