//! Notices about problems, mostly with backups, shown to the owner of a database and to administrators until they dismiss them
//! or the problem is solved.

use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::notices;
use crate::admin_db::notices::{Notice, NoticeKind};
use crate::domain::user::{Action, User};
use crate::web::access::template_access::visible;
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::notices::NoticeCard;
use crate::web::views::{ActionButton, Flash, Link, Moment};

/// The problem, in a few words.
pub(super) fn title(n: &Notice) -> String {
    match n.kind.as_str() {
        "drill_failed" => format!("Test restore of {} failed", n.subject),
        "backup_failed" => format!("Backup of {} failed", n.subject),
        "restore_differs" => format!("{} differs from its backup", n.subject),
        "out_of_memory" => format!("{} exceeded its memory limit", n.subject),
        "cores_changed" => format!("{} runs on other cores", n.subject),
        "expires_soon" => format!("{} expires soon", n.subject),
        "import_failed" => format!("Import of the template {} failed", n.subject),
        "dump_unusable" => format!("The dump of the template {} cannot be imported", n.subject),
        "dumps_unusable" => "Dumps cannot be imported".to_owned(),
        _ => format!("Backup of {} missed", n.subject),
    }
}

/// The button that dismisses a notice; `back` is the page it is on.
pub(super) fn seen_action(n: &Notice, back: &str) -> ActionButton {
    let href = match (n.is_about_portal(), n.is_about_template) {
        (true, _) => urls::portal_notice_seen(n.id),
        (_, true) => urls::template_notice_seen(&n.subject, n.id),
        (_, false) => urls::notice_seen(&n.subject, n.id),
    };
    ActionButton::post("Dismiss", href).with("back", back)
}

/// The page where something can be done about it.
pub(super) fn link(n: &Notice) -> Link {
    if n.is_about_portal() {
        return Link::new("Templates", urls::TEMPLATES);
    }
    if n.is_about_template {
        return Link::new("Open", urls::template(&n.subject));
    }
    if n.kind == NoticeKind::ExpiresSoon.as_str() {
        return Link::new("Extend", urls::database_page(&n.subject, DatabasePage::Extend));
    }
    match n.is_about_backups() {
        true => Link::new("View backups", urls::database_page(&n.subject, DatabasePage::Backups)),
        false => Link::new("Change settings", urls::database_page(&n.subject, DatabasePage::Settings)),
    }
}

/// A notice as shown to `user`.
pub(super) fn card(user: &User, n: &Notice, back: &str, now: DateTime<Utc>) -> NoticeCard {
    let expires = n.kind == NoticeKind::ExpiresSoon.as_str();
    NoticeCard {
        tone: if expires { "warn" } else { "bad" },
        title: title(n),
        text: n.text.clone(),
        at: Moment::new(n.at, now),
        link: link(n),
        seen: unseen(user, n).then(|| seen_action(n, back)),
    }
}

/// Whether `user` is a recipient of the notice and has not dismissed it.
fn unseen(user: &User, n: &Notice) -> bool {
    (n.account_id == Some(user.id) && n.owner_seen_at.is_none()) || (user.is_admin() && n.admin_seen_at.is_none())
}

/// The notices on the pages of a database: those the user has not dismissed, and missed backups, which stay until one
/// is made.
pub(super) async fn of(
    ctx: &Context,
    db: &mut PgConnection,
    c: &Container,
    back: &str,
) -> Result<Vec<NoticeCard>, AppError> {
    let user = ctx.user()?;
    let open = notices::of_container(db, c.id).await?;
    let stays = |n: &&Notice| n.kind == NoticeKind::BackupMissed.as_str() || unseen(user, n);
    Ok(open.iter().filter(stays).map(|n| card(user, n, back, ctx.now())).collect())
}

/// `POST /containers/{name}/notices/{id}/seen`, with `back` for the page to return to
pub async fn seen(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let user = ctx.user()?;
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let known = notices::see(&mut db, (id, c.id), (c.account_id == user.id, user.is_admin()), ctx.now()).await?;
    let path = match fields.text("back") {
        "home" => "/".to_owned(),
        "admin" => "/admin".to_owned(),
        _ => Tab::left_or_overview(&ctx, &c).href(&c),
    };
    Ok(to(&path, Some(dismissed(known))))
}

fn dismissed(known: bool) -> Flash {
    match known {
        true => Flash::ok("Notice dismissed. You will be notified if it happens again."),
        false => Flash::warn("This notice is no longer current."),
    }
}

/// `POST /templates/{name}/notices/{id}/seen`
pub async fn seen_template(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let t = visible(&ctx, &name).await?;
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let known = notices::see(&mut db, (id, t.id), (false, true), ctx.now()).await?;
    Ok(to("/admin", Some(dismissed(known))))
}

/// `POST /admin/notices/{id}/seen`
pub async fn seen_portal(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let known = notices::see(&mut db, (id, notices::PORTAL), (false, true), ctx.now()).await?;
    Ok(to("/admin", Some(dismissed(known))))
}
