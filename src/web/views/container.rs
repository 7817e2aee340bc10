//! `/containers/{name}`: the page of a database, and its password page.

use askama::Template;

use super::frame::Frame;
use super::home::Safety;
use super::notices::NoticeCard;
use crate::web::views::elements::chart::Chart;
use crate::web::views::elements::format::{Ending, Moment};
use crate::web::views::elements::parts::{ActionButton, Chip, Fact, JobRow, Link};
use crate::web::views::elements::steps::{FailureView, Steps};

/// The header shown on all pages of a container.
#[derive(Clone, Debug, Default)]
pub struct ContainerHead {
    /// Its name.
    pub name: String,
    /// `postgres`, `mariadb`, `mongodb` or `neo4j`: selects its icon.
    pub engine: String,
    /// "PostgreSQL 17".
    pub engine_label: String,
    /// Description given by its owner.
    pub description: String,
    /// Its state.
    pub chip: Chip,
    /// The most important action.
    pub primary: Option<ActionButton>,
    /// All other actions.
    pub menu: Vec<ActionButton>,
    /// Overview, Logs, Settings and so on.
    pub tabs: Vec<Link>,
    /// Why the owner's actions are blocked: the maintenance note.
    pub maintenance: Option<String>,
    /// The running job, if the page does not show its steps itself: its title, and its page.
    pub live: Option<Link>,
    /// Why it failed, if the page does not show that itself.
    pub failed: Option<String>,
    /// When it expires, and the page that extends it.
    pub expires: Option<(Ending, String)>,
}

impl ContainerHead {
    /// The address of the overview, the first tab.
    #[must_use]
    pub fn overview(&self) -> &str {
        self.tabs.first().map_or("", |tab| &tab.href)
    }

    /// Leaves out the running job if the page shows its steps itself.
    #[must_use]
    pub fn without_live(self, shown: bool) -> Self {
        if shown { Self { live: None, ..self } } else { self }
    }
}

/// The page of a database.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/container.html")]
pub struct ContainerPage {
    /// The page frame.
    pub frame: Frame,
    /// Title, state, actions and tabs.
    pub head: ContainerHead,
    /// Problems with its backups.
    pub notices: Vec<NoticeCard>,
    /// Steps of the running job.
    pub job: Option<Steps>,
    /// Cancels that job, if possible.
    pub cancel: Option<ActionButton>,
    /// How to connect; `None` before its first start.
    pub connect: Option<Connect>,
    /// URL that reveals a generated password nobody has seen yet.
    pub password: Option<String>,
    /// What would be lost if the server failed now.
    pub safety: Option<Safety>,
    /// Details.
    pub facts: Vec<Fact>,
    /// Charts of the last day; empty if nothing was measured.
    pub charts: Vec<Chart>,
    /// The page with more metrics.
    pub metrics_href: String,
    /// The last lines of its log.
    pub log_lines: Vec<String>,
    /// The page with the whole log.
    pub log_href: String,
    /// Recent jobs.
    pub jobs: Vec<JobRow>,
    /// Why the last job failed.
    pub failure: Option<FailureView>,
    /// Set if the database is in the trash.
    pub trash: Option<Trash>,
    /// The page that deletes it; `None` if the user may not.
    pub delete_href: Option<String>,
    /// How many days it stays in the trash once deleted; `None` if it is deleted permanently at once.
    pub trash_days: Option<u32>,
}

/// How to connect.
#[derive(Clone, Debug, Default)]
pub struct Connect {
    /// Host, port, database, user.
    pub facts: Vec<Fact>,
    /// Snippets to copy, one tab each.
    pub snippets: Vec<SnippetView>,
    /// Why other computers may be unable to connect.
    pub only_here: Option<String>,
}

/// A snippet to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnippetView {
    /// `psql`: unique on the page, letters and hyphens only.
    pub id: String,
    /// "psql".
    pub label: String,
    /// `sh`, `python`, `r`, `java`, `url`.
    pub language: String,
    /// The snippet.
    pub text: String,
    /// What users need to know to run it.
    pub note: String,
    /// Whether it reads the password from a variable; the help pages show how to set it.
    pub variable: bool,
    /// The line that fetches the CA certificate, if the snippet does not do it itself.
    pub fetch: Option<String>,
    /// The snippet without verification of the server, if that differs.
    pub unverified: Option<String>,
    /// The note of that snippet, if it differs.
    pub unverified_note: String,
    /// How to install what it needs: the system or package manager, and the command.
    pub install: Vec<(&'static str, &'static str)>,
}

/// Shown if a database is in the trash.
#[derive(Clone, Debug, Default)]
pub struct Trash {
    /// When it was deleted.
    pub since: Moment,
    /// Until when it can be restored from the trash.
    pub until: Moment,
    /// Why it is there and what a restore changes, if its time to live was over.
    pub expired: Option<String>,
    /// Restores it from the trash (POST).
    pub undelete_href: String,
    /// The page that deletes it permanently; `None` if the user may not.
    pub purge_href: Option<String>,
}

/// The page that shows a generated password once.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/password.html")]
pub struct PasswordPage {
    /// The page frame.
    pub frame: Frame,
    /// Name of the database.
    pub name: String,
    /// Its page.
    pub back_href: String,
    /// The role the password belongs to.
    pub user: String,
    /// The password.
    pub password: String,
    /// The first way to connect, which verifies the server and prompts for the password: label and text.
    pub shell: Option<(&'static str, String)>,
    /// The line that fetches the CA certificate, which the URL names.
    pub fetch: String,
    /// A connection URL that verifies the server.
    pub url: String,
    /// The same without verification.
    pub unverified: String,
    /// Whether the URL contains the password; not all engines support that.
    pub url_has_password: bool,
    /// Name of the file: "trial-42.txt".
    pub file_name: String,
    /// The file as a `data:` URL: see [`crate::web::views::elements::format::data_url`].
    pub file_href: String,
}
