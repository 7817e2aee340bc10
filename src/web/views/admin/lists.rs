//! `/admin/log`, `/admin/jobs`, `/admin/users`.

use askama::Template;

use crate::web::views::elements::field::{Choice, Field, with_errors};
use crate::web::views::elements::format::Moment;
use crate::web::views::elements::parts::{ActionButton, Chip, FilterForm, JobRow, Link, Pager};
use crate::web::views::frame::Frame;

/// Who did what.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_log.html")]
pub struct LogPage {
    /// What stands around it.
    pub frame: Frame,
    /// `actor`, `action`, `container`, `outcome`.
    pub filter: FilterForm,
    /// The rows, newest first.
    pub rows: Vec<LogRow>,
    /// Where in the log one is.
    pub pager: Pager,
}

/// A row of the table `log`.
#[derive(Clone, Debug, Default)]
pub struct LogRow {
    /// When.
    pub when: Moment,
    /// Who.
    pub actor: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// On which container.
    pub container: Option<Link>,
    /// How it ended.
    pub outcome: Chip,
    /// More about it.
    pub detail: String,
}

/// The queue.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_jobs.html")]
pub struct JobsPage {
    /// What stands around it.
    pub frame: Frame,
    /// The statuses as links with their counts: "failed · 2".
    pub statuses: Vec<Link>,
    /// The rows, newest first.
    pub rows: Vec<JobRow>,
    /// Where in the list one is.
    pub pager: Pager,
}

/// The people.
#[derive(Clone, Debug, Default, Template)]
#[template(path = "pages/admin_users.html")]
pub struct UsersPage {
    /// What stands around it.
    pub frame: Frame,
    /// The users.
    pub rows: Vec<UserRow>,
    /// Where in the list one is.
    pub pager: Pager,
    /// `username`, `password`, `role`, `email`; posts to `/admin/users`.
    pub form: Vec<Field>,
    /// Whether the form starts open, because it has an error or was asked for.
    pub form_open: bool,
}

impl UsersPage {
    /// Fields of the form with an error.
    #[must_use]
    pub fn errors(&self) -> Vec<&Field> {
        with_errors(&self.form)
    }
}

/// A user.
#[derive(Clone, Debug, Default)]
pub struct UserRow {
    /// The name to sign in with.
    pub name: String,
    /// The mail address.
    pub email: String,
    /// "user" or "admin".
    pub role: String,
    /// Active or disabled.
    pub chip: Chip,
    /// How many databases are theirs.
    pub databases: u64,
    /// What they use together, of what they may.
    pub used: String,
    /// Where the form for their limits posts to (`memory`, `cpus`).
    pub limits_href: String,
    /// Their own limit of memory; empty: as configured.
    pub memory_limit: String,
    /// Their own limit of CPUs; empty: as configured.
    pub cpus_limit: String,
    /// When they last signed in.
    pub seen: Option<Moment>,
    /// When they were added.
    pub created: Moment,
    /// "Disable" or "Enable"; `None` for oneself.
    pub toggle: Option<ActionButton>,
    /// Where the role form posts to (`role`); `None` for oneself.
    pub role_href: Option<String>,
    /// The roles.
    pub roles: Vec<Choice>,
    /// Where the password form posts to (`password`).
    pub password_href: Option<String>,
}
