//! `/`: my databases.

use askama::Template;

use super::frame::Frame;
use super::notices::NoticeCard;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{Chip, Column, EngineCard, FilterForm, Pager};

/// My databases; also `/admin/containers` with `everyone` set.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/home.html")]
pub struct HomePage {
    /// What stands around it.
    pub frame: Frame,
    /// What went wrong with backups of theirs.
    pub notices: Vec<NoticeCard>,
    /// How many more there are.
    pub more_notices: usize,
    /// Whether this lists everybody's databases.
    pub everyone: bool,
    /// The heads: name, engine, state, size, created, address and, when
    /// `show_owner`, owner; in this order: Database, Engine, State, Address,
    /// Size, Created, Owner.
    pub columns: Vec<Column>,
    /// Whether the owner's column is shown.
    pub show_owner: bool,
    /// The rows of this page.
    pub rows: Vec<DatabaseRow>,
    /// The filter form.
    pub filter: FilterForm,
    /// Where in the list one is.
    pub pager: Pager,
    /// For the welcome when there is nothing yet: the engines on offer.
    pub engines: Vec<EngineCard>,
    /// Of how many of one's purged databases there are backups.
    pub left_behind: u64,
}

/// A database in a list.
#[derive(Clone, Debug, Default)]
pub struct DatabaseRow {
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// What its owner says about it.
    pub description: String,
    /// `postgres`, `mariadb`, `mongodb`, `neo4j`: names its mark.
    pub engine: String,
    /// "PostgreSQL".
    pub engine_label: String,
    /// "17".
    pub version: String,
    /// Its state.
    pub chip: Chip,
    /// What it takes on disk, once measured.
    pub size: Option<Size>,
    /// When it was asked for.
    pub created: Moment,
    /// Whose it is.
    pub owner: String,
    /// "db.example.org:41001".
    pub address: Option<String>,
    /// When it ends.
    pub expires: Option<Moment>,
}
