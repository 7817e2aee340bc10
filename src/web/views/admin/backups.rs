//! `/admin/backups` and its subpages, and the page with backups of permanently deleted databases.

use askama::Template;

use crate::web::views::admin::FindingRow;
use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, FilterForm, Link, Pager};
use crate::web::views::frame::Frame;

/// Audit findings, targets, and the list of all backups.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/backups.html")]
pub struct AdminBackupsPage {
    /// The page frame.
    pub frame: Frame,
    /// Time of the last audit.
    pub audited: Option<Moment>,
    /// Shown if there are no findings.
    pub verdict: &'static str,
    /// The extent of the audit: "12 databases and 340 backups".
    pub extent: String,
    /// Findings, most severe first.
    pub findings: Vec<FindingRow>,
    /// Number of findings not shown.
    pub more: u64,
    /// The targets.
    pub targets: Vec<TargetRow>,
    /// The backups of mydb_admin.
    pub own: OwnBackups,
    /// The retention policy, as a sentence.
    pub policy: String,
    /// The filter of the list.
    pub filter: FilterForm,
    /// The list.
    pub rows: Vec<AdminBackupRow>,
    /// Current position in the list.
    pub pager: Pager,
}

/// The backups of mydb_admin, the portal's own database.
#[derive(Clone, Debug, Default)]
pub struct OwnBackups {
    /// The interval; `None` if they are made only on request.
    pub every: Option<String>,
    /// When the next one is due.
    pub next: Option<Moment>,
    /// Whether there is a target for them.
    pub possible: bool,
    /// Problems, one sentence each.
    pub trouble: Vec<String>,
    /// The newest backups.
    pub rows: Vec<OwnRow>,
}

/// A backup of mydb_admin.
#[derive(Clone, Debug, Default)]
pub struct OwnRow {
    /// The time of the data it contains.
    pub made: Moment,
    /// Prefix of its object keys.
    pub location: String,
    /// Its target.
    pub target: String,
    /// Stored size.
    pub size: Size,
    /// Whether it includes the keys.
    pub keys: bool,
}

/// A backup target.
#[derive(Clone, Debug, Default)]
pub struct TargetRow {
    /// Its name.
    pub name: String,
    /// Whether new backups are stored there.
    pub first: bool,
    /// Its location.
    pub place: String,
    /// Whether the audit could list it.
    pub chip: Chip,
    /// Why it could not.
    pub trouble: Option<String>,
    /// Number of objects of this portal in it.
    pub objects: Option<String>,
    /// Their size.
    pub size: Option<Size>,
    /// The page that lists unregistered backups in it.
    pub find_href: String,
}

/// A backup in the list of all backups.
#[derive(Clone, Debug, Default)]
pub struct AdminBackupRow {
    /// Its page.
    pub href: String,
    /// When it started.
    pub made: Moment,
    /// Why it was made.
    pub reason: String,
    /// Name of the database.
    pub database: String,
    /// Backups page of the database, if it exists.
    pub database_href: Option<String>,
    /// Its state.
    pub chip: Chip,
    /// Stored size.
    pub size: Option<Size>,
    /// Its verification level.
    pub level: Option<String>,
    /// Until when it is locked.
    pub locked: Option<Moment>,
    /// Its target.
    pub target: String,
    /// What went wrong with it.
    pub trouble: Option<String>,
}

/// The backups that the retention policy would remove.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/prune.html")]
pub struct PrunePage {
    /// The page frame.
    pub frame: Frame,
    /// The retention policy, as a sentence.
    pub policy: String,
    /// "3 of 40 backups would be removed (12 MiB)."
    pub summary: String,
    /// Removes them; `None` if there are none.
    pub remove: Option<ActionButton>,
    /// The backups to be removed, newest first; possibly not all.
    pub rows: Vec<AdminBackupRow>,
    /// Number of backups not shown.
    pub more: u64,
}

/// The page of a backup for administrators.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/backup.html")]
pub struct AdminBackupPage {
    /// The page frame.
    pub frame: Frame,
    /// "Backup of trial-42".
    pub title: String,
    /// Its state.
    pub chip: Chip,
    /// Details.
    pub facts: Vec<Fact>,
    /// Problem with it.
    pub trouble: Option<String>,
    /// Differences found by its last test restore.
    pub differences: Vec<String>,
    /// Why the retention policy keeps it, or that it will be removed.
    pub kept: Option<String>,
    /// Starts a test restore, unlocks the backup.
    pub actions: Vec<ActionButton>,
    /// The restore form; empty if the backup cannot be restored.
    pub restore: Vec<Field>,
    /// URL the restore form is sent to.
    pub restore_action: String,
    /// The lock form, with one field.
    pub lock: Vec<Field>,
    /// URL the lock form is sent to.
    pub lock_action: String,
}

/// Unregistered backups in a bucket.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/unregistered.html")]
pub struct FindPage {
    /// The page frame.
    pub frame: Frame,
    /// Name of the target.
    pub target: String,
    /// Portals with backups in the bucket, as links.
    pub instances: Vec<Link>,
    /// The selected portal.
    pub instance: String,
    /// Why the bucket cannot be listed.
    pub trouble: Option<String>,
    /// The unregistered backups.
    pub rows: Vec<FoundRow>,
    /// Whether there are more.
    pub more: bool,
}

/// An unregistered backup.
#[derive(Clone, Debug, Default)]
pub struct FoundRow {
    /// Name of the database.
    pub database: String,
    /// Name of the owner's account at that time.
    pub owner: String,
    /// Engine and version.
    pub engine: String,
    /// When it was made.
    pub made: Option<Moment>,
    /// Stored size.
    pub size: Option<Size>,
    /// Prefix of its object keys.
    pub location: String,
    /// Why it cannot be used.
    pub trouble: Option<String>,
    /// Registers it.
    pub import: Option<ActionButton>,
}

/// The backups of a user's permanently deleted databases.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/orphan_backups.html")]
pub struct LeftPage {
    /// The page frame.
    pub frame: Frame,
    /// The backups, the newest first.
    pub rows: Vec<LeftRow>,
    /// Whether there are more.
    pub more: bool,
}

/// A backup of a permanently deleted database.
#[derive(Clone, Debug, Default)]
pub struct LeftRow {
    /// Name of the database.
    pub database: String,
    /// Its engine.
    pub engine: String,
    /// Display name of its engine.
    pub engine_label: String,
    /// When it was made.
    pub made: Moment,
    /// Why it was made.
    pub reason: String,
    /// Size before compression.
    pub size: Option<Size>,
    /// Its verification level.
    pub level: String,
    /// Restores, downloads or deletes it.
    pub actions: Vec<ActionButton>,
}
