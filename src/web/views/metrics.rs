//! `/containers/{name}/metrics`: charts and contents of a database.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::chart::Chart;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{Fact, Link};

/// Charts and contents of a database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/metrics.html")]
pub struct MetricsPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// Links for day and week.
    pub ranges: Vec<Link>,
    /// Size, memory, processor, connections.
    pub charts: Vec<Chart>,
    /// What the server reported about itself.
    pub facts: Vec<Fact>,
    /// Accounts that can sign in.
    pub roles: Vec<String>,
    /// Its databases and their contents.
    pub databases: Vec<DatabaseContents>,
    /// Time of the scan.
    pub seen: Option<Moment>,
    /// Time and cause of a later scan's failure.
    pub failed: Option<(Moment, String)>,
    /// How often it is measured: "every 5 minutes".
    pub every: String,
}

/// A database inside the server.
#[derive(Clone, Debug, Default)]
pub struct DatabaseContents {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: Option<Size>,
    /// Its largest objects.
    pub objects: Vec<ObjectRow>,
}

/// A table, collection or label.
#[derive(Clone, Debug, Default)]
pub struct ObjectRow {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Number of entries; estimates are marked.
    pub rows: Option<String>,
    /// Its size.
    pub size: Option<Size>,
}
