//! The header shared by all pages of a database, and what would be lost if its server failed now.

use chrono::{DateTime, Utc};

use crate::admin_db::backups::assurance::Assurance;
use crate::admin_db::containers::Container;
use crate::backup::possible_loss::{Schedule, Severity, brief};
use crate::domain::backup_schedule::{Policy, Window};
use crate::domain::short_reason;
use crate::domain::state::ContainerState;
use crate::domain::user::{Action, Permission, can};
use crate::web::context::Context;
use crate::web::pages::shared::{chip, job_title, version};
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::container::ContainerHead;
use crate::web::views::elements::format::Ending;
use crate::web::views::home::Safety;
use crate::web::views::{ActionButton, Link};

/// The header of the pages of a container. `tab` is the current tab, if the page is one.
pub fn head(ctx: &Context, c: &Container, tab: Option<Tab>) -> ContainerHead {
    let href = |page| urls::database_page(&c.name, page);
    let busy = c.is_busy().then(|| "Another operation on this database is running.".to_owned());
    // A reason that blocks one of these actions blocks all of them.
    let not_now = busy.or_else(|| match permission(ctx, c, Action::Restart) {
        Some(Permission::Refused(why)) => Some(why),
        _ => None,
    });
    let post = |label: &str, page| ActionButton::post(label, href(page)).unavailable(not_now.clone());
    let (primary, menu) = match c.state {
        ContainerState::Running => (
            Some(post("Restart", DatabasePage::Restart).asks(
                "Closes all connections. The database is back after a few seconds; transactions that are not \
                 committed are lost.",
            )),
            vec![
                post("Stop database", DatabasePage::Stop).asks(
                    "Closes all connections. Nobody can connect until you start the database again. Its data is kept.",
                ),
                ActionButton::link("Set new password", href(DatabasePage::RotatePassword)).unavailable(not_now.clone()),
            ],
        ),
        ContainerState::Stopped => (Some(post("Start", DatabasePage::Start).primary()), Vec::new()),
        _ => (None, Vec::new()),
    };
    ContainerHead {
        name: c.name.clone(),
        engine: c.engine.to_string(),
        engine_label: format!("{} {}", c.engine.label(), version(ctx.app(), c)),
        description: c.description.clone(),
        chip: chip(c),
        primary,
        menu,
        tabs: Tab::ALL.map(|t| Link::new(t.label(), t.href(c)).current(Some(t) == tab)).to_vec(),
        maintenance: c.maintenance_note.clone(),
        live: c
            .active_job_id
            // The overview shows the steps itself.
            .filter(|_| tab.is_some_and(|t| t != Tab::Overview))
            .zip(c.active_job.as_deref())
            .map(|(id, kind)| Link::new(job_title(kind), urls::job(id))),
        failed: c
            .failed_reason
            .as_deref()
            .filter(|_| c.active_job_id.is_none() && tab.is_some_and(|t| t != Tab::Overview))
            .map(short_reason::line),
        expires: c
            .expires_at
            .filter(|_| !matches!(c.state, ContainerState::Trashed | ContainerState::Purged))
            .map(|at| (Ending::new(at, ctx.now()), href(DatabasePage::Extend))),
    }
}

pub(crate) fn permission(ctx: &Context, c: &Container, deed: Action) -> Option<Permission> {
    let read_only = ctx.app().read_only();
    ctx.user().ok().map(|u| can(u, deed, &c.subject(read_only.as_deref())))
}

pub(crate) fn allowed(ctx: &Context, c: &Container, deed: Action) -> bool {
    permission(ctx, c, deed) == Some(Permission::Allowed)
}

/// The possible loss of a database; `None` if it is in the trash or deleted.
pub fn safety(c: &Container, assurance: Option<&Assurance>, window: Window, now: DateTime<Utc>) -> Option<Safety> {
    let gone = matches!(c.state, ContainerState::Trashed | ContainerState::Deleting | ContainerState::Purged);
    if gone || c.started_at.is_none() {
        return None;
    }
    let policy = Policy::stored(&c.backup_freq);
    let schedule = Schedule { id: c.id, policy: &policy, since: c.policy_at, window };
    let brief = brief(assurance.unwrap_or(&Assurance::default()), schedule, now);
    let kind = match brief.severity {
        Severity::Low => "ok",
        Severity::Medium => "warn",
        Severity::High => "bad",
    };
    let href = urls::database_page(&c.name, DatabasePage::Backups);
    Some(Safety { kind, loss: brief.loss, proof: brief.proof, href })
}
