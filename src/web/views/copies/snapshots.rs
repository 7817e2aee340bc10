//! `/containers/{name}/snapshots`: snapshots and clones of a database, and the form that makes a clone.

use askama::Template;

use crate::web::views::container::ContainerHead;
use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact};
use crate::web::views::elements::steps::Steps;
use crate::web::views::frame::Frame;

/// The snapshots and clones of a database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/copies/snapshots.html")]
pub struct SnapshotsPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// What a clone was made from, and what can be done with it.
    pub origin: Option<OriginView>,
    /// Steps of a running job.
    pub job: Option<Steps>,
    /// What a snapshot or a clone costs on this storage.
    pub cost: String,
    /// Fields of the form that takes a snapshot; empty if that is not possible now.
    pub fields: Vec<Field>,
    /// Why no snapshot can be taken now.
    pub refusal: Option<String>,
    /// URL of that form.
    pub action: String,
    /// Leads to the form that makes a clone.
    pub clone_action: ActionButton,
    /// All snapshots, newest first.
    pub rows: Vec<SnapshotRow>,
    /// The clones of this database.
    pub clones: Vec<CloneRow>,
}

/// What a clone was made from.
#[derive(Clone, Debug, Default)]
pub struct OriginView {
    /// Name of its source.
    pub source: String,
    /// Page of its source, if it still exists.
    pub href: Option<String>,
    /// The time of its data.
    pub at: Option<Moment>,
    /// What was found and switched off in it; `None` if that was not recorded.
    pub cut_off: Option<Vec<String>>,
    /// Reset, refresh, promote.
    pub actions: Vec<ActionButton>,
}

/// A snapshot.
#[derive(Clone, Debug, Default)]
pub struct SnapshotRow {
    /// The time of its data, or when it was requested.
    pub at: Moment,
    /// The user's note.
    pub note: String,
    /// Its state.
    pub chip: Chip,
    /// Size of the data.
    pub size: Option<Size>,
    /// What only this snapshot takes, if it was measured.
    pub own: Option<Size>,
    /// Until when it is kept; `None`: until it is deleted.
    pub until: Option<Moment>,
    /// Whether and for how long the database was paused for it.
    pub paused: Option<String>,
    /// Available actions.
    pub actions: Vec<ActionButton>,
}

/// A clone.
#[derive(Clone, Debug, Default)]
pub struct CloneRow {
    /// Its name.
    pub name: String,
    /// Its page, if the user may see it.
    pub href: Option<String>,
    /// The time of its data.
    pub at: Option<Moment>,
}

/// The form that makes a clone.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/copies/clone.html")]
pub struct ClonePage {
    /// The page frame.
    pub frame: Frame,
    /// "Clone trial-42".
    pub title: String,
    /// What is cloned.
    pub facts: Vec<Fact>,
    /// What that costs and means, one sentence each.
    pub will: Vec<String>,
    /// URL the form is sent to.
    pub action: String,
    /// Hidden fields: (name, value).
    pub hidden: Vec<(String, String)>,
    /// Name, memory and time to live of the clone.
    pub fields: Vec<Field>,
    /// Link back.
    pub back_href: String,
}
