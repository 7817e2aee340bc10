//! `/admin/log`, `/admin/jobs`, `/admin/users`.

use askama::Template;

use crate::web::views::elements::field::{Field, with_errors};
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{Chip, FilterForm, JobRow, Link, Pager};
use crate::web::views::frame::Frame;

/// The log.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/log.html")]
pub struct LogPage {
    /// The page frame.
    pub frame: Frame,
    /// `actor`, `action`, `container`, `outcome`.
    pub filter: FilterForm,
    /// The rows, newest first.
    pub rows: Vec<LogRow>,
    /// Current position in the log.
    pub pager: Pager,
}

/// A row of the table `log`.
#[derive(Clone, Debug, Default)]
pub struct LogRow {
    /// When it happened.
    pub when: Moment,
    /// Who acted.
    pub actor: String,
    /// Client address.
    pub address: String,
    /// The action.
    pub action: String,
    /// The container concerned.
    pub container: Option<Link>,
    /// The outcome.
    pub outcome: Chip,
    /// Details.
    pub detail: String,
}

/// The job queue.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/jobs.html")]
pub struct JobsPage {
    /// The page frame.
    pub frame: Frame,
    /// The statuses as links with counts: "failed · 2".
    pub statuses: Vec<Link>,
    /// The rows, newest first.
    pub rows: Vec<JobRow>,
    /// Current position in the list.
    pub pager: Pager,
}

/// The user accounts.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin/users.html")]
pub struct UsersPage {
    /// The page frame.
    pub frame: Frame,
    /// The users.
    pub rows: Vec<UserRow>,
    /// Current position in the list.
    pub pager: Pager,
    /// `username`, `password`, `role`, `email`; sent to `/admin/users`.
    pub form: Vec<Field>,
    /// Whether the form starts expanded, because it has an error or was requested.
    pub form_open: bool,
}

impl UsersPage {
    /// Form fields with an error.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(&self.form)
    }
}

/// A user.
#[derive(Clone, Debug, Default)]
pub struct UserRow {
    /// User name.
    pub name: String,
    /// Its page.
    pub href: String,
    /// E-mail address.
    pub email: String,
    /// "user" or "admin".
    pub role: String,
    /// Active or disabled.
    pub chip: Chip,
    /// Number of databases.
    pub databases: u64,
    /// Total resources in use, and the limits.
    pub used: String,
    /// Time of the last sign-in.
    pub seen: Option<Moment>,
    /// When the account was created.
    pub created: Moment,
}
