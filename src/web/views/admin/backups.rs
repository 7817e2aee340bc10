//! `/admin/backups` and the pages below it, and the backups that purged databases left.

use askama::Template;

use crate::web::views::admin::FindingRow;
use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, FilterForm, Link, Pager};
use crate::web::views::frame::Frame;

/// What the audit found, where backups go, and all of them.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_backups.html")]
pub struct AdminBackupsPage {
    /// What stands around it.
    pub frame: Frame,
    /// When they were audited last.
    pub audited: Option<Moment>,
    /// What was looked at: "12 databases and 340 backups".
    pub extent: String,
    /// What was found, the worst first.
    pub findings: Vec<FindingRow>,
    /// How many findings are not shown.
    pub more: u64,
    /// The targets.
    pub targets: Vec<TargetRow>,
    /// The backups of mydb_admin itself.
    pub own: OwnBackups,
    /// What is kept, as a sentence.
    pub policy: String,
    /// The filter of the list.
    pub filter: FilterForm,
    /// The list.
    pub rows: Vec<AdminBackupRow>,
    /// Where in the list one is.
    pub pager: Pager,
}

/// The backups of mydb_admin itself.
#[derive(Clone, Debug, Default)]
pub struct OwnBackups {
    /// How often one is made; `None`: never by itself.
    pub every: Option<String>,
    /// When the next one is made.
    pub next: Option<Moment>,
    /// Whether there is a place for them.
    pub possible: bool,
    /// What is wrong, as sentences.
    pub trouble: Vec<String>,
    /// The newest ones.
    pub rows: Vec<OwnRow>,
}

/// One of them.
#[derive(Clone, Debug, Default)]
pub struct OwnRow {
    /// The moment it shows.
    pub made: Moment,
    /// Beginning of its keys.
    pub location: String,
    /// Target it is in.
    pub target: String,
    /// What it takes.
    pub size: Size,
    /// Whether the keys lie beside it.
    pub keys: bool,
}

/// A bucket for backups.
#[derive(Clone, Debug, Default)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// Whether new backups go there.
    pub first: bool,
    /// Where it is.
    pub place: String,
    /// Whether the audit could list it.
    pub chip: Chip,
    /// Why not.
    pub trouble: Option<String>,
    /// Objects of this portal in it.
    pub objects: Option<String>,
    /// Their size.
    pub size: Option<Size>,
    /// Looks for backups in it.
    pub find_href: String,
}

/// A backup in a list of all.
#[derive(Clone, Debug, Default)]
pub struct AdminBackupRow {
    /// Its page.
    pub href: String,
    /// When it began.
    pub made: Moment,
    /// Why it was made.
    pub reason: String,
    /// The database it is of.
    pub database: String,
    /// That database's page of backups, if it lives.
    pub database_href: Option<String>,
    /// Its state.
    pub chip: Chip,
    /// What it takes.
    pub size: Option<Size>,
    /// What was proven of it.
    pub level: Option<String>,
    /// Until when it is locked.
    pub locked: Option<Moment>,
    /// Target it is in.
    pub target: String,
    /// What went wrong with it.
    pub trouble: Option<String>,
}

/// What the policy would remove.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_prune.html")]
pub struct PrunePage {
    /// What stands around it.
    pub frame: Frame,
    /// What is kept, as a sentence.
    pub policy: String,
    /// "3 of 40 backups would go, 12 MiB."
    pub summary: String,
    /// What would go, the newest first; not all where there are very many.
    pub rows: Vec<AdminBackupRow>,
    /// How many are not shown.
    pub more: u64,
}

/// One backup, for administrators.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_backup.html")]
pub struct AdminBackupPage {
    /// What stands around it.
    pub frame: Frame,
    /// "Backup of trial-42".
    pub title: String,
    /// Its state.
    pub chip: Chip,
    /// What is known of it.
    pub facts: Vec<Fact>,
    /// What is wrong with it.
    pub trouble: Option<String>,
    /// How what its last test restore gave differs from it.
    pub differences: Vec<String>,
    /// Why the policy keeps it, or that it goes.
    pub kept: Option<String>,
    /// Drills it, ends its lock.
    pub actions: Vec<ActionButton>,
    /// The form that restores it; empty where that can't be.
    pub restore: Vec<Field>,
    /// Where that form goes.
    pub restore_action: String,
    /// The form that locks it, with one field.
    pub lock: Vec<Field>,
    /// Where that form goes.
    pub lock_action: String,
}

/// Backups in a bucket that are in nobody's list.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_find.html")]
pub struct FindPage {
    /// What stands around it.
    pub frame: Frame,
    /// Name of the target.
    pub target: String,
    /// Portals that put something there, as links.
    pub instances: Vec<Link>,
    /// The one that is looked at.
    pub instance: String,
    /// Why it can't be listed.
    pub trouble: Option<String>,
    /// What was found.
    pub rows: Vec<FoundRow>,
    /// Whether there is more.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug, Default)]
pub struct FoundRow {
    /// The database it is of, with its owner.
    pub database: String,
    /// Name of the owner's account then.
    pub owner: String,
    /// Engine and version.
    pub engine: String,
    /// When it was made.
    pub made: Option<Moment>,
    /// What it takes.
    pub size: Option<Size>,
    /// Beginning of its keys.
    pub location: String,
    /// Why it can't be used.
    pub trouble: Option<String>,
    /// Takes it into the list.
    pub import: Option<ActionButton>,
}

/// The backups that a person's purged databases left.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/left_backups.html")]
pub struct LeftPage {
    /// What stands around it.
    pub frame: Frame,
    /// The backups, the newest first.
    pub rows: Vec<LeftRow>,
    /// Whether there are more.
    pub more: bool,
}

/// One of them.
#[derive(Clone, Debug, Default)]
pub struct LeftRow {
    /// Name of the database.
    pub database: String,
    /// Its engine.
    pub engine: String,
    /// Its engine, for people.
    pub engine_label: String,
    /// When it was made.
    pub made: Moment,
    /// Why it was made.
    pub reason: String,
    /// What it is unpacked.
    pub size: Option<Size>,
    /// What was proven of it.
    pub level: String,
    /// Restores it, or hands it out.
    pub actions: Vec<ActionButton>,
}
