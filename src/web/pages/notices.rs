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

/// Maximum number of names in the title of equal notices.
const NAMES: usize = 3;

/// Notices that say the same about several databases or templates, the newest first.
pub(super) type Equal<'a> = Vec<&'a Notice>;

/// Groups notices that say the same, wherever they are in the list; the newest of each group comes first.
pub(super) fn grouped<'a>(list: impl IntoIterator<Item = &'a Notice>) -> Vec<Equal<'a>> {
    let mut groups: Vec<Equal<'a>> = Vec::new();
    for n in list {
        let same = |group: &&mut Equal<'a>| group.first().is_some_and(|g| (&g.kind, &g.text) == (&n.kind, &n.text));
        match groups.iter_mut().find(same) {
            Some(group) => group.push(n),
            None => groups.push(vec![n]),
        }
    }
    groups
}

/// The problem, in a few words.
pub(super) fn title(same: &[&Notice]) -> String {
    let kind = same.first().map_or("", |n| n.kind.as_str());
    let names: Vec<&str> = same.iter().map(|n| n.subject.as_str()).collect();
    if let [name] = names.as_slice() {
        return match kind {
            "drill_failed" => format!("Test restore of {name} failed"),
            "backup_failed" => format!("Backup of {name} failed"),
            "restore_differs" => format!("{name} differs from its backup"),
            "out_of_memory" => format!("{name} exceeded its memory limit"),
            "cores_changed" => format!("{name} runs on other cores"),
            "expires_soon" => format!("{name} expires soon"),
            "import_failed" => format!("Import of the template {name} failed"),
            "dump_unusable" => format!("The dump of the template {name} cannot be imported"),
            "dumps_unusable" => "Dumps cannot be imported".to_owned(),
            _ => format!("Backup of {name} missed"),
        };
    }
    let count = names.len();
    let shown = names.iter().take(NAMES).copied().collect::<Vec<_>>().join(", ");
    let more = count.saturating_sub(NAMES);
    let list = if more > 0 { format!("{shown} and {more} more") } else { shown };
    match kind {
        "drill_failed" => format!("Test restores of {count} databases failed: {list}"),
        "backup_failed" => format!("Backups of {count} databases failed: {list}"),
        "restore_differs" => format!("{count} databases differ from their backups: {list}"),
        "out_of_memory" => format!("{count} databases exceeded their memory limits: {list}"),
        "cores_changed" => format!("{count} databases run on other cores: {list}"),
        "expires_soon" => format!("{count} databases expire soon: {list}"),
        "import_failed" => format!("Imports of {count} templates failed: {list}"),
        "dump_unusable" => format!("The dumps of {count} templates cannot be imported: {list}"),
        _ => format!("Backups of {count} databases missed: {list}"),
    }
}

/// The button that dismisses equal notices; `back` is the page it is on.
pub(super) fn seen_action(same: &[&Notice], back: &str) -> Option<ActionButton> {
    let (n, others) = same.split_first()?;
    let href = match (n.is_about_portal(), n.is_about_template) {
        (true, _) => urls::portal_notice_seen(n.id),
        (_, true) => urls::template_notice_seen(&n.subject, n.id),
        (_, false) => urls::notice_seen(&n.subject, n.id),
    };
    let dismiss = ActionButton::post("Dismiss", href).with("back", back);
    Some(others.iter().fold(dismiss, |action, other| action.with("also", format!("{}/{}", other.subject, other.id))))
}

/// The page where something can be done about it; `list` is the list of the databases concerned.
pub(super) fn link(same: &[&Notice], list: &str) -> Link {
    let [n] = same else {
        return match same.first() {
            Some(n) if n.is_about_template => Link::new("View templates", urls::TEMPLATES),
            _ => Link::new("View databases", list),
        };
    };
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

/// Equal notices as shown to `user`.
pub(super) fn card(user: &User, same: &[&Notice], back: &str, now: DateTime<Utc>) -> Option<NoticeCard> {
    let n = same.first()?;
    let expires = n.kind == NoticeKind::ExpiresSoon.as_str();
    Some(NoticeCard {
        tone: if expires { "warn" } else { "bad" },
        title: title(same),
        text: n.text.clone(),
        at: Moment::new(n.at, now),
        link: link(same, "/?sort=loss"),
        seen: if unseen(user, n) { seen_action(same, back) } else { None },
    })
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
    Ok(open.iter().filter(stays).filter_map(|n| card(user, &[n], back, ctx.now())).collect())
}

/// `POST /containers/{name}/notices/{id}/seen`, with `back` for the page to return to, and `also` for equal notices about
/// other databases: "name/id"
pub async fn seen(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let mut known = dismiss_of(&ctx, &c, &id).await?;
    for (name, id) in fields.all("also").filter_map(|also| also.split_once('/')) {
        match ctx.container(name, Action::View).await {
            Ok(other) => known |= dismiss_of(&ctx, &other, id).await?,
            // It was deleted permanently in the meantime.
            Err(AppError::NotFound) => {}
            Err(e) => return Err(e),
        }
    }
    let path = match fields.text("back") {
        "home" => "/".to_owned(),
        "admin" => "/admin".to_owned(),
        _ => Tab::left_or_overview(&ctx, &c).href(&c),
    };
    Ok(to(&path, Some(dismissed(known))))
}

/// Dismisses a notice about something for its owner, for administrators, or for both; whether there is one with this id.
async fn dismiss(ctx: &Context, about: Uuid, for_whom: (bool, bool), id: &str) -> Result<bool, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    Ok(notices::see(&mut db, (id, about), for_whom, ctx.now()).await?)
}

async fn dismiss_of(ctx: &Context, c: &Container, id: &str) -> Result<bool, AppError> {
    let user = ctx.user()?;
    dismiss(ctx, c.id, (c.account_id == user.id, user.is_admin()), id).await
}

fn dismissed(known: bool) -> Flash {
    match known {
        true => Flash::ok("Notice dismissed. You will be notified if it happens again."),
        false => Flash::warn("This notice is no longer current."),
    }
}

/// `POST /templates/{name}/notices/{id}/seen`, with `also` as above
pub async fn seen_template(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, AppError> {
    let (mut known, mut found) = (false, false);
    let others = fields.all("also").filter_map(|also| also.split_once('/'));
    for (name, id) in std::iter::once((name.as_str(), id.as_str())).chain(others) {
        match visible(&ctx, name).await {
            Ok(t) => {
                known |= dismiss(&ctx, t.id, (false, true), id).await?;
                found = true;
            }
            // It was deleted in the meantime.
            Err(AppError::NotFound) => {}
            Err(e) => return Err(e),
        }
    }
    if !found {
        return Err(AppError::NotFound);
    }
    Ok(to("/admin", Some(dismissed(known))))
}

/// `POST /admin/notices/{id}/seen`
pub async fn seen_portal(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let known = dismiss(&ctx, notices::PORTAL, (false, true), &id).await?;
    Ok(to("/admin", Some(dismissed(known))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(subject: &str, kind: &str, text: &str) -> Notice {
        Notice {
            id: Uuid::from_u128(7),
            is_about_template: kind == "import_failed",
            subject: subject.to_owned(),
            account_id: None,
            owner: "ada".to_owned(),
            contact: String::new(),
            kind: kind.to_owned(),
            backup_id: None,
            text: text.to_owned(),
            at: DateTime::UNIX_EPOCH,
            owner_seen_at: None,
            admin_seen_at: None,
        }
    }

    #[test]
    fn equal_notices_are_one_with_their_number_and_names() {
        let list = [
            notice("a", "backup_failed", "The target does not answer."),
            notice("b", "backup_failed", "The disk is full."),
            notice("c", "backup_failed", "The target does not answer."),
            notice("d", "backup_missed", "The target does not answer."),
            notice("e", "backup_failed", "The target does not answer."),
            notice("f", "backup_failed", "The target does not answer."),
        ];
        let groups = grouped(&list);
        let titles: Vec<_> = groups.iter().map(|same| title(same)).collect();
        assert_eq!(
            titles,
            ["Backups of 4 databases failed: a, c, e and 1 more", "Backup of b failed", "Backup of d missed"]
        );
        let action = seen_action(&groups[0], "home").unwrap();
        let also = action.fields.iter().filter(|(name, _)| name == "also").count();
        assert_eq!((action.href.contains("/a/"), also), (true, 3), "all are dismissed at once");
        assert_eq!(link(&groups[0], "/list").href, "/list");
        assert!(link(&groups[1], "/list").href.contains("/b/"));
    }
}
