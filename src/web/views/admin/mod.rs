//! `/admin`, `/admin/states`, `/admin/storage`.

pub mod backups;
pub mod lists;
pub mod system;

use askama::Template;

use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, JobRow, Link, Pager};
use crate::web::views::frame::Frame;
use crate::web::views::home::DatabaseRow;

/// What needs attention first, numbers second, lists third.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin.html")]
pub struct AdminPage {
    /// What stands around it.
    pub frame: Frame,
    /// What needs attention, the worst first.
    pub attention: Vec<Attention>,
    /// The numbers.
    pub numbers: Vec<Figure>,
    /// The newest databases.
    pub newest: Vec<DatabaseRow>,
    /// The latest jobs.
    pub jobs: Vec<JobRow>,
}

impl AdminPage {
    /// What stands in place of the list when nothing needs attention.
    #[must_use]
    pub fn all_well(&self) -> Chip {
        Chip::new("run", "All good")
    }
}

/// Something that needs attention.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    /// `bad` or `warn`.
    pub kind: String,
    /// What is the matter: "trial-42 failed 5 times in 10 minutes".
    pub text: String,
    /// What to do about it.
    pub advice: String,
    /// Since when.
    pub since: Option<Moment>,
    /// Where to do it.
    pub link: Option<Link>,
    /// Puts it away.
    pub action: Option<ActionButton>,
}

/// A number worth knowing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figure {
    /// "running".
    pub label: String,
    /// "38".
    pub value: String,
    /// "of 40".
    pub note: String,
    /// What it counts.
    pub href: Option<String>,
}

/// What should run against what does.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_states.html")]
pub struct StatesPage {
    /// What stands around it.
    pub frame: Frame,
    /// When the reconciler last looked.
    pub checked: Option<Moment>,
    /// What it found.
    pub findings: Vec<FindingRow>,
    /// What should run.
    pub rows: Vec<StateRow>,
    /// Where in the list one is.
    pub pager: Pager,
}

/// A difference between the engine and `mydb_admin`.
#[derive(Clone, Debug, Default)]
pub struct FindingRow {
    /// `bad` or `warn`.
    pub kind: String,
    /// "missing", "dead", "unknown", "started by hand".
    pub what: String,
    /// The container, linked when it has a page.
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
    /// What should be.
    pub wanted: Chip,
    /// What the engine says, where it was seen.
    pub actual: Option<Chip>,
    /// The state before.
    pub previous: String,
    /// Who changed it.
    pub changed_by: String,
    /// When.
    pub changed: Moment,
}

/// The storage tiers.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_storage.html")]
pub struct StoragePage {
    /// What stands around it.
    pub frame: Frame,
    /// The tiers.
    pub tiers: Vec<TierRow>,
}

/// A storage tier.
#[derive(Clone, Debug, Default)]
pub struct TierRow {
    /// "cow".
    pub name: String,
    /// What people see.
    pub label: String,
    /// The directory.
    pub path: String,
    /// "xfs".
    pub file_system: String,
    /// Whether copies share blocks.
    pub reflink: bool,
    /// Used on the file system.
    pub used: Size,
    /// Free on it.
    pub free: Size,
    /// All of it.
    pub total: Size,
    /// 0 to 100.
    pub used_percent: u8,
    /// How many databases lie on it, and what they take.
    pub databases: u64,
    /// What those take.
    pub databases_size: Option<Size>,
    /// Who and what may use it: "everyone", "postgres only".
    pub allowed: String,
    /// Why it can't be used now.
    pub unavailable: Option<String>,
}
