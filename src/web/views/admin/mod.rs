//! `/admin`, `/admin/states`, `/admin/storage`.

pub mod backups;
pub mod lists;
pub mod system;
pub mod user;

use askama::Template;

use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, JobRow, Link, Pager};
use crate::web::views::frame::Frame;
use crate::web::views::home::DatabaseRow;

/// The overview: items that need attention, then numbers, then lists.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/overview.html")]
pub struct AdminPage {
    /// The page frame.
    pub frame: Frame,
    /// Items that need attention, most severe first.
    pub attention: Vec<Attention>,
    /// Whether there are no databases, so that “all well” would mean nothing.
    pub empty: bool,
    /// Key figures.
    pub numbers: Vec<Figure>,
    /// The newest databases.
    pub newest: Vec<DatabaseRow>,
    /// The most recent jobs.
    pub jobs: Vec<JobRow>,
}

impl AdminPage {
    /// Shown instead of the list if nothing needs attention.
    #[must_use]
    pub fn all_well(&self) -> Chip {
        Chip::new("run", "All good")
    }
}

/// An item that needs attention.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// `bad` or `warn`.
    pub kind: String,
    /// The problem, in one line: "trial-42 failed 5 times in 10 minutes".
    pub text: String,
    /// The reason, or what to do about it; folded.
    pub advice: String,
    /// Since when.
    pub since: Option<Moment>,
    /// Link to the page where it can be solved.
    pub link: Option<Link>,
    /// Dismisses it.
    pub action: Option<ActionButton>,
}

/// A key figure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// "running".
    pub label: String,
    /// "38".
    pub value: String,
    /// "of 40".
    pub note: String,
    /// Link to the counted objects.
    pub href: Option<String>,
}

/// Desired states compared with actual states.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/states.html")]
pub struct StatesPage {
    /// The page frame.
    pub frame: Frame,
    /// Time of the last comparison.
    pub checked: Option<Moment>,
    /// Differences found.
    pub findings: Vec<FindingRow>,
    /// The desired states.
    pub rows: Vec<StateRow>,
    /// Current position in the list.
    pub pager: Pager,
}

/// A difference between the engine and `mydb_admin`.
#[derive(Clone, Debug, Default)]
pub struct FindingRow {
    /// `bad` or `warn`.
    pub kind: String,
    /// "missing", "dead", "unknown", "started by hand".
    pub what: String,
    /// The container, linked if it has a page.
    pub name: String,
    /// Its page.
    pub href: Option<String>,
    /// What was done, or what to do.
    pub text: String,
    /// Since when.
    pub since: Moment,
}

/// A row of the table `state`.
#[derive(Clone, Debug, Default)]
pub struct StateRow {
    /// The container.
    pub container: Link,
    /// The desired state.
    pub wanted: Chip,
    /// The state reported by the container engine, if it was seen.
    pub actual: Option<Chip>,
    /// The previous state.
    pub previous: String,
    /// Who changed it.
    pub changed_by: String,
    /// When it was changed.
    pub changed: Moment,
}

/// The storage tiers.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/storage.html")]
pub struct StoragePage {
    /// The page frame.
    pub frame: Frame,
    /// The tiers.
    pub tiers: Vec<TierRow>,
}

/// A storage tier.
#[derive(Clone, Debug, Default)]
pub struct TierRow {
    /// "cow".
    pub name: String,
    /// Display name.
    pub label: String,
    /// The directory.
    pub path: String,
    /// "xfs".
    pub file_system: String,
    /// How data is copied on it.
    pub copies: &'static str,
    /// Used space of the file system.
    pub used: Size,
    /// Free space of the file system.
    pub free: Size,
    /// Total space of the file system.
    pub total: Size,
    /// 0 to 100.
    pub used_percent: u8,
    /// Number of databases on it.
    pub databases: u64,
    /// Total size of its databases.
    pub databases_size: Option<Size>,
    /// Allowed users and engines: "everyone", "postgres only".
    pub allowed: String,
    /// Why it is unavailable.
    pub unavailable: Option<String>,
}
