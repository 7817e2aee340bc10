//! `/`: the list of databases.

use askama::Template;

use super::frame::Frame;
use super::notices::NoticeCard;
use crate::web::views::elements::format::{Ending, Moment, Size};
use crate::web::views::elements::parts::{Chip, Column, EngineCard, FilterForm, Pager};

/// The user's databases; also `/admin/containers` with `everyone` set.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    /// The page frame.
    pub frame: Frame,
    /// Problems with the user's backups.
    pub notices: Vec<NoticeCard>,
    /// Number of notices not shown.
    pub more_notices: usize,
    /// Whether the list includes everyone's databases.
    pub everyone: bool,
    /// The column headers, in this order: Database, Engine, State, Backup, Address, Size, Created, and Owner if `show_owner` is
    /// set.
    pub columns: Vec<Column>,
    /// Whether the owner column is shown.
    pub show_owner: bool,
    /// The rows of this page.
    pub rows: Vec<DatabaseRow>,
    /// The filter form.
    pub filter: FilterForm,
    /// Current position in the list.
    pub pager: Pager,
    /// The available engines, for the welcome text if there are no databases yet.
    pub engines: Vec<EngineCard>,
    /// How many of the user's permanently deleted databases still have backups.
    pub left_behind: u64,
}

impl HomePage {
    /// Whether a state changes soon, so that the page refreshes itself without scripting. Not while somebody searches.
    fn is_changing(&self) -> bool {
        !self.filter.active && self.rows.iter().any(|row| row.chip.kind == "busy")
    }
}

/// What would be lost if a server failed now, in a few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Safety {
    /// `ok`, `warn` or `bad`: colour and shape.
    pub kind: &'static str,
    /// "lose at most 3 h 12 min".
    pub loss: String,
    /// "proven Tuesday in 48 s".
    pub proof: String,
    /// The page with its backups.
    pub href: String,
}

/// A database in a list.
#[derive(Clone, Debug, Default)]
pub struct DatabaseRow {
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Description given by its owner.
    pub description: String,
    /// `postgres`, `mariadb`, `mongodb` or `neo4j`: selects its icon.
    pub engine: String,
    /// "PostgreSQL".
    pub engine_label: String,
    /// "17".
    pub version: String,
    /// Its state.
    pub chip: Chip,
    /// Disk usage, once measured.
    pub size: Option<Size>,
    /// When it was requested.
    pub created: Moment,
    /// Name of the owner.
    pub owner: String,
    /// "db.example.org:41001".
    pub address: Option<String>,
    /// When it expires.
    pub expires: Option<Ending>,
    /// What would be lost if its server failed now; `None` if it is in the trash or deleted.
    pub safety: Option<Safety>,
    /// Its size over the last week, as points of a line in a box of 60 by 16; empty with fewer than two values.
    pub sparkline: String,
}
