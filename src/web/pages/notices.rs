//! Notices about problems with backups, shown to the owner of a database and to administrators until they dismiss them
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
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::forms::Fields;
use crate::web::views::notices::NoticeCard;
use crate::web::views::{ActionButton, Flash, Link, Moment};

/// The problem, in a few words.
pub(super) fn title(n: &Notice) -> String {
    match n.kind.as_str() {
        "drill_failed" => format!("Test restore of {} failed", n.container),
        "backup_failed" => format!("Backup of {} failed", n.container),
        "restore_differs" => format!("{} differs from its backup", n.container),
        _ => format!("Backup of {} missed", n.container),
    }
}

/// The button that dismisses a notice; `back` is the page it is on.
pub(super) fn seen_action(n: &Notice, back: &str) -> ActionButton {
    ActionButton::post("Dismiss", format!("/containers/{}/notices/{}/seen", n.container, n.id)).with("back", back)
}

/// A notice as shown to `user`.
pub(super) fn card(user: &User, n: &Notice, back: &str, now: DateTime<Utc>) -> NoticeCard {
    NoticeCard {
        title: title(n),
        text: n.text.clone(),
        at: Moment::new(n.at, now),
        link: Link::new("View backups", format!("/containers/{}/backups", n.container)),
        seen: unseen(user, n).then(|| seen_action(n, back)),
    }
}

/// Whether `user` is a recipient of the notice and has not dismissed it.
fn unseen(user: &User, n: &Notice) -> bool {
    (n.account_id == user.id && n.owner_seen_at.is_none()) || (user.is_admin() && n.admin_seen_at.is_none())
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
        "backups" => format!("/containers/{}/backups", c.name),
        _ => format!("/containers/{}", c.name),
    };
    let flash = if known {
        Flash::ok("Notice dismissed. You will be notified if it happens again.")
    } else {
        Flash::warn("This notice is no longer current.")
    };
    Ok(to(&path, Some(flash)))
}
