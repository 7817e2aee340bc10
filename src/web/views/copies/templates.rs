//! `/templates` and `/templates/{name}`.

use askama::Template;

use crate::web::views::elements::field::Field;
use crate::web::views::elements::format::{Moment, Size};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact};
use crate::web::views::elements::steps::Steps;
use crate::web::views::frame::Frame;

/// The list of templates.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/templates/list.html")]
pub struct TemplatesPage {
    /// The page frame.
    pub frame: Frame,
    /// The templates by name.
    pub rows: Vec<TemplateRow>,
    /// Fields of the form for a new template; empty if the user has no database.
    pub fields: Vec<Field>,
    /// Whether that form is unfolded.
    pub is_open: bool,
    /// Fields of the form for a template from an object in a backup target, for administrators.
    pub object_fields: Vec<Field>,
    /// Whether that form is unfolded.
    pub object_is_open: bool,
    /// The directory of dumps, for administrators.
    pub directory: Option<String>,
    /// Files in it that cannot become templates, with the reason.
    pub problems: Vec<(String, String)>,
}

impl TemplatesPage {
    /// Whether an import is running.
    fn is_changing(&self) -> bool {
        self.rows.iter().any(|row| row.chip.kind == "busy")
    }
}

/// A template in the list.
#[derive(Clone, Debug, Default)]
pub struct TemplateRow {
    /// Its name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// Its purpose.
    pub description: String,
    /// The engine, which selects the mark.
    pub engine: String,
    /// The engine for people.
    pub engine_label: String,
    /// State of the latest import.
    pub chip: Chip,
    /// Number of the version in use, if it is not the latest.
    pub serves: Option<i32>,
    /// What the current version contains.
    pub content: String,
    /// Size of the current version.
    pub size: Option<Size>,
    /// When the current version was imported.
    pub made: Option<Moment>,
    /// Number of databases made from it.
    pub databases: i64,
}

/// A template.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/templates/show.html")]
pub struct TemplatePage {
    /// The page frame.
    pub frame: Frame,
    /// Its name.
    pub name: String,
    /// Its purpose.
    pub description: String,
    /// State of the latest import.
    pub chip: Chip,
    /// Whether an import is running.
    pub is_live: bool,
    /// Its steps, for administrators.
    pub job: Option<Steps>,
    /// Why the latest import failed: its first line and the rest.
    pub failure: Option<(String, String)>,
    /// Whether another version is in use despite that.
    pub still_serves: bool,
    /// Engine, names, source.
    pub facts: Vec<Fact>,
    /// Fields of the form that creates a database; empty if there is no complete version.
    pub fields: Vec<Field>,
    /// URL of that form.
    pub action: String,
    /// The versions, newest first.
    pub versions: Vec<VersionRow>,
    /// Import again, delete: for administrators.
    pub actions: Vec<ActionButton>,
    /// Fields of the settings, for administrators.
    pub settings: Vec<Field>,
    /// URL of the settings.
    pub settings_action: String,
}

impl TemplatePage {
    /// Whether the page refreshes itself without scripting: not while something may be typed in one of its forms.
    fn refreshes(&self) -> bool {
        self.is_live && self.fields.is_empty() && self.settings.is_empty()
    }
}

/// A version of a template.
#[derive(Clone, Debug, Default)]
pub struct VersionRow {
    /// Its number.
    pub number: i32,
    /// Its state.
    pub chip: Chip,
    /// When it was requested.
    pub at: Moment,
    /// The file and its size.
    pub source: String,
    /// Beginning of the file's checksum.
    pub sha256: String,
    /// How long the import took.
    pub took: Option<String>,
    /// What was imported, or why not.
    pub content: String,
    /// Size of the data.
    pub size: Option<Size>,
    /// The job that imports it.
    pub job: Option<String>,
}

/// The form that uploads a dump for a new template.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/templates/upload.html")]
pub struct UploadPage {
    /// The page frame.
    pub frame: Frame,
    /// Name and file.
    pub fields: Vec<Field>,
    /// URL the form is sent to.
    pub action: &'static str,
    /// Link back.
    pub back_href: &'static str,
}
