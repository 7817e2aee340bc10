//! The header shared by all pages of a database.

use crate::admin_db::containers::Container;
use crate::domain::state::ContainerState;
use crate::domain::user::{Action, Permission, Subject, can};
use crate::web::context::Context;
use crate::web::pages::shared::{chip, version};
use crate::web::views::container::ContainerHead;
use crate::web::views::{ActionButton, Link};

/// The header of the pages of a container. `tab` is the current tab.
pub fn head(ctx: &Context, c: &Container, tab: &str) -> ContainerHead {
    let base = format!("/containers/{}", c.name);
    let busy = c.is_busy().then(|| "Another operation on this database is running.".to_owned());
    // A reason that blocks one of these actions blocks all of them.
    let not_now = busy.or_else(|| match permission(ctx, c, Action::Restart) {
        Some(Permission::Refused(why)) => Some(why),
        _ => None,
    });
    let post =
        |label: &str, verb: &str| ActionButton::post(label, format!("{base}/{verb}")).unavailable(not_now.clone());
    let (primary, menu) = match c.state {
        ContainerState::Running => (
            Some(post("Restart", "restart")),
            vec![
                post("Stop database", "stop"),
                ActionButton::link("Set new password", format!("{base}/rotate-password")).unavailable(not_now.clone()),
            ],
        ),
        ContainerState::Stopped => (Some(post("Start", "start").primary()), Vec::new()),
        _ => (None, Vec::new()),
    };
    let tabs = [
        ("Overview", ""),
        ("Backups", "/backups"),
        ("Metrics", "/metrics"),
        ("Logs", "/logs"),
        ("Settings", "/settings"),
    ];
    ContainerHead {
        name: c.name.clone(),
        engine: c.engine.to_string(),
        engine_label: format!("{} {}", c.engine.label(), version(ctx.app(), c)),
        description: c.description.clone(),
        chip: chip(c),
        primary,
        menu,
        tabs: tabs
            .iter()
            .map(|(label, path)| Link::new(*label, format!("{base}{path}")).current(*label == tab))
            .collect(),
        maintenance: c.maintenance_note.clone(),
    }
}

pub(crate) fn permission(ctx: &Context, c: &Container, deed: Action) -> Option<Permission> {
    let read_only = ctx.app().read_only();
    let subject =
        Subject { owner: c.account_id, maintenance: c.maintenance_note.as_deref(), read_only: read_only.as_deref() };
    ctx.user().ok().map(|u| can(u, deed, &subject))
}

pub(crate) fn allowed(ctx: &Context, c: &Container, deed: Action) -> bool {
    permission(ctx, c, deed) == Some(Permission::Allowed)
}
