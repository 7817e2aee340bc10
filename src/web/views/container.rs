//! `/containers/{name}`: one database, and its password page.

use askama::Template;

use super::frame::Frame;
use super::notices::NoticeCard;
use crate::web::views::elements::chart::Chart;
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, JobRow, Link};
use crate::web::views::elements::steps::{FailureView, Steps};

/// What every page of one container shows above its content.
#[derive(Clone, Debug, Default)]
pub struct ContainerHead {
    /// Its name.
    pub name: String,
    /// `postgres`, `mariadb`, `mongodb`, `neo4j`: names its mark.
    pub engine: String,
    /// "PostgreSQL 17".
    pub engine_label: String,
    /// What its owner says about it.
    pub description: String,
    /// Its state.
    pub chip: Chip,
    /// The one action that matters most.
    pub primary: Option<ActionButton>,
    /// The others.
    pub menu: Vec<ActionButton>,
    /// Overview, Logs, Settings and so on.
    pub tabs: Vec<Link>,
    /// Why the owner's actions pause.
    pub maintenance: Option<String>,
}

/// One database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/container.html")]
pub struct ContainerPage {
    /// What stands around it.
    pub frame: Frame,
    /// Title, state, actions, tabs.
    pub head: ContainerHead,
    /// What went wrong with its backups.
    pub notices: Vec<NoticeCard>,
    /// The job at work on it.
    pub job: Option<Steps>,
    /// Ends that job, where it can be ended.
    pub cancel: Option<ActionButton>,
    /// How to connect; `None` before it first ran.
    pub connect: Option<Connect>,
    /// A generated password that nobody has seen yet: where to post to.
    pub password: Option<String>,
    /// What is known about it.
    pub facts: Vec<Fact>,
    /// The last day, if anything was measured.
    pub charts: Vec<Chart>,
    /// More of it.
    pub metrics_href: String,
    /// Last lines of its log.
    pub log_lines: Vec<String>,
    /// All of its log.
    pub log_href: String,
    /// Recent jobs.
    pub jobs: Vec<JobRow>,
    /// Why it failed.
    pub failure: Option<FailureView>,
    /// That it is in the trash.
    pub trash: Option<Trash>,
    /// The way to the page that deletes it; `None` for those who may not.
    pub delete_href: Option<String>,
    /// Days that a deleted database stays in the trash.
    pub trash_days: u32,
}

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    /// Host, port, database, user.
    pub facts: Vec<Fact>,
    /// Lines to paste, one tab each.
    pub snippets: Vec<SnippetView>,
    /// A word on the password or on the certificate, below the lines.
    pub note: Option<String>,
}

/// Lines to paste.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnippetView {
    /// `psql`: unique on the page, letters and dashes.
    pub id: String,
    /// "psql".
    pub label: String,
    /// `sh`, `python`, `r`, `java`, `url`.
    pub language: String,
    /// The lines.
    pub text: String,
    /// What one has to know to use them.
    pub note: String,
    /// Whether they read the password from a variable, which the help pages show how to set.
    pub variable: bool,
}

/// That a database is in the trash.
#[derive(Clone, Debug, Default)]
pub struct Trash {
    /// Since when.
    pub since: Moment,
    /// Until when it can be brought back.
    pub until: Moment,
    /// Brings it back; a post.
    pub undelete_href: String,
    /// The page that purges it at once; `None` for those who may not.
    pub purge_href: Option<String>,
}

/// The page that shows a generated password, once.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/password.html")]
pub struct PasswordPage {
    /// What stands around it.
    pub frame: Frame,
    /// The database.
    pub name: String,
    /// Its page.
    pub back_href: String,
    /// The role the password belongs to.
    pub user: String,
    /// The password.
    pub password: String,
    /// A connection URL.
    pub url: String,
    /// Whether the password is in it: not every engine's can have it.
    pub url_has_password: bool,
    /// Name of the file: "trial-42.txt".
    pub file_name: String,
    /// The file as an address: see [`crate::web::views::elements::format::data_url`].
    pub file_href: String,
}
