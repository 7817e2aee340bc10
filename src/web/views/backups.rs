//! `/containers/{name}/backups` and the page that restores a backup.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use super::notices::NoticeCard;
use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, Repeats};
use crate::web::views::elements::steps::Steps;

/// The backups of a database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/backups.html")]
pub struct BackupsPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// Problems with the backups.
    pub notices: Vec<NoticeCard>,
    /// What would be lost now, and the state of the newest backup.
    pub possible_loss: String,
    /// The note that the portal cannot decrypt some backups, and what to do about it.
    pub sealed: Option<String>,
    /// The schedule.
    pub policy: String,
    /// How a backup affects people working with the database.
    pub pause: Option<String>,
    /// Starts a backup now.
    pub now_action: ActionButton,
    /// Cancels the running backup.
    pub cancel: Option<ActionButton>,
    /// Steps of the running backup.
    pub job: Option<Steps>,
    /// Previous data kept for undo.
    pub aside: Vec<PreviousDataRow>,
    /// All backups, newest first.
    pub rows: Vec<BackupRow>,
}

/// Previous data, kept for some days.
#[derive(Clone, Debug, Default)]
pub struct PreviousDataRow {
    /// When it was replaced.
    pub made: Moment,
    /// Why it was replaced.
    pub reason: String,
    /// Until when it is kept.
    pub until: Moment,
    /// Restores it.
    pub action: ActionButton,
}

/// A backup.
#[derive(Clone, Debug, Default)]
pub struct BackupRow {
    /// When it started.
    pub started: Moment,
    /// Page of its job.
    pub job_href: Option<String>,
    /// Why it was made.
    pub reason: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its state.
    pub chip: Chip,
    /// Stored size.
    pub size: Option<Size>,
    /// Size before compression.
    pub raw: Option<Size>,
    /// Its verification level.
    pub level: Option<String>,
    /// When it was last restored in a test, and how long that took.
    pub proven: Option<(Moment, String)>,
    /// Descriptions of its copies in other targets.
    pub copies: Vec<String>,
    /// What went wrong with it.
    pub trouble: Option<String>,
    /// Set if this row stands for several equal failures.
    pub repeats: Option<Repeats>,
    /// Differences found by its last test restore.
    pub differences: Vec<String>,
    /// The note that its definitions cannot be compared.
    pub lacks: Option<&'static str>,
    /// Available actions.
    pub actions: Vec<ActionButton>,
}

/// The page that restores a backup.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/restore.html")]
pub struct RestorePage {
    /// The page frame.
    pub frame: Frame,
    /// "Restore trial-42".
    pub title: String,
    /// Details of the backup.
    pub facts: Vec<Fact>,
    /// URL the form is sent to.
    pub action: String,
    /// Name of the new database.
    pub field: Field,
    /// Its storage tier, if there is a choice.
    pub storage: Option<Field>,
    /// Fields that select a part; empty if the backup can only be restored completely.
    pub part: Vec<Field>,
    /// Why it can only be restored completely.
    pub whole: Option<String>,
    /// Whether the fields for a part start expanded.
    pub part_open: bool,
    /// Whether the part can be restored as a copy into the existing database.
    pub beside: bool,
    /// Name of the database the backup belongs to.
    pub database: String,
    /// The page for a restore in place.
    pub in_place_href: Option<String>,
    /// Link back to the list.
    pub back_href: String,
}
