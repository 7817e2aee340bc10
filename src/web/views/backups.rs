//! `/containers/{name}/backups` and the page that restores one.

use askama::Template;

use super::container::ContainerHead;
use super::frame::Frame;
use super::notices::NoticeCard;
use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact};
use crate::web::views::elements::steps::Steps;

/// The backups of one database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/backups.html")]
pub struct BackupsPage {
    /// What stands around it.
    pub frame: Frame,
    /// Title, state, actions, tabs.
    pub head: ContainerHead,
    /// What went wrong with them.
    pub notices: Vec<NoticeCard>,
    /// What would be lost now, and what is known of the newest.
    pub worth: String,
    /// That the portal can't read some, and what to do then.
    pub sealed: Option<String>,
    /// When they are made.
    pub policy: String,
    /// What a backup costs those who work meanwhile.
    pub pause: Option<String>,
    /// Makes one now.
    pub now_action: ActionButton,
    /// Ends the one under way.
    pub cancel: Option<ActionButton>,
    /// The one under way.
    pub job: Option<Steps>,
    /// What is set aside of earlier data.
    pub aside: Vec<PreviousDataRow>,
    /// All of them, the newest first.
    pub rows: Vec<BackupRow>,
}

/// Data of before, kept for some days.
#[derive(Clone, Debug, Default)]
pub struct PreviousDataRow {
    /// When it was set aside.
    pub made: Moment,
    /// Why.
    pub reason: String,
    /// Until when it is kept.
    pub until: Moment,
    /// Goes back to it.
    pub action: ActionButton,
}

/// One backup.
#[derive(Clone, Debug, Default)]
pub struct BackupRow {
    /// When it began.
    pub started: Moment,
    /// Its job.
    pub job_href: Option<String>,
    /// Why it was made.
    pub reason: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Its state.
    pub chip: Chip,
    /// What it takes in the store.
    pub size: Option<Size>,
    /// What it is unpacked.
    pub raw: Option<Size>,
    /// What was proven of it.
    pub level: Option<String>,
    /// When it was restored last, and how long that took.
    pub proven: Option<(Moment, String)>,
    /// Its copies in other targets, in words.
    pub copies: Vec<String>,
    /// What went wrong with it.
    pub trouble: Option<String>,
    /// How what its last test restore gave differs from it.
    pub differences: Vec<String>,
    /// That its definitions can't be compared.
    pub lacks: Option<&'static str>,
    /// What can be done with it.
    pub actions: Vec<ActionButton>,
}

/// The page that restores one backup.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/restore.html")]
pub struct RestorePage {
    /// What stands around it.
    pub frame: Frame,
    /// "Restore trial-42".
    pub title: String,
    /// What is known of the backup.
    pub facts: Vec<Fact>,
    /// Where the form goes.
    pub action: String,
    /// The new name.
    pub field: Field,
    /// What of it; none where that can't be chosen.
    pub part: Vec<Field>,
    /// Why it can't.
    pub whole: Option<String>,
    /// Whether these are in sight.
    pub part_open: bool,
    /// Whether the part can go beside the data of now.
    pub beside: bool,
    /// Name of the database that it is of.
    pub database: String,
    /// Where one restores in place instead.
    pub in_place_href: Option<String>,
    /// Back to the list.
    pub back_href: String,
}
