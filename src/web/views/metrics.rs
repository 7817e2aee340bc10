//! `/containers/{name}/metrics`: charts and contents of one database.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use crate::web::views::elements::chart::Chart;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{Fact, Link};

/// How it has been doing, and what is in it.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/metrics.html")]
pub struct MetricsPage {
    /// What stands around it.
    pub frame: Frame,
    /// Title, state, actions, tabs.
    pub head: ContainerHead,
    /// Day and week.
    pub ranges: Vec<Link>,
    /// Size, memory, processor, connections.
    pub charts: Vec<Chart>,
    /// What the server said of itself.
    pub facts: Vec<Fact>,
    /// Who can sign in to it.
    pub roles: Vec<String>,
    /// What is in it.
    pub databases: Vec<DatabaseContents>,
    /// When that was seen.
    pub seen: Option<Moment>,
    /// Why a later look failed, and when.
    pub failed: Option<(Moment, String)>,
    /// Minutes between two looks.
    pub every_minutes: u64,
}

/// A database inside the server.
#[derive(Clone, Debug, Default)]
pub struct DatabaseContents {
    /// Its name.
    pub name: String,
    /// What it takes.
    pub size: Option<Size>,
    /// The largest things in it.
    pub objects: Vec<ObjectRow>,
}

/// A table, a collection, a label.
#[derive(Clone, Debug, Default)]
pub struct ObjectRow {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: String,
    /// How many are in it; an estimate says so.
    pub rows: Option<String>,
    /// What it takes.
    pub size: Option<Size>,
}
