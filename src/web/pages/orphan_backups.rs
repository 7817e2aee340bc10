//! `/backups`: backups of a user's permanently deleted databases, their deletion, and the restore of any backup by its id.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

use crate::admin_db::backups::{Backup, listing, replicas};
use crate::admin_db::containers::Container;
use crate::backup::restore::partial;
use crate::backup::retention::{owner_removal, prune};
use crate::backup::verification;
use crate::domain::user::Action;
use crate::encryption::Identities;
use crate::web::access::backup_access::visible_backup;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::{Fields, partial_fields};
use crate::web::pages::backups::{restore_action, size};
use crate::web::pages::restore::{TypedRestore, field_error, restore_facts, restore_into, storage_field, whole};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::admin::backups::{LeftPage, LeftRow};
use crate::web::views::backups::RestorePage;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::elements::format::count_text;
use crate::web::views::{ActionButton, Field, Flash, Moment};

/// Path of the list.
const HERE: &str = "/backups";
/// Maximum number of backups on the page.
const MOST: usize = 200;

/// `GET /backups`
pub async fn list(ctx: Context) -> Result<Response, AppError> {
    let now = ctx.now();
    let account = ctx.user()?.id;
    let mut db = ctx.app().db.acquire().await?;
    let mut found = listing::left_behind(&mut db, account, i64::try_from(MOST + 1).unwrap_or(i64::MAX)).await?;
    drop(db);
    let keys = Identities::of(&ctx.app().config.backups);
    let more = found.len() > MOST;
    found.truncate(MOST);
    let row = |b: &Backup| LeftRow {
        database: b.container.clone(),
        engine: b.engine.to_string(),
        engine_label: b.engine.label().to_owned(),
        made: Moment::new(b.started_at, now),
        reason: verification::reason(&b.reason).to_owned(),
        size: size(b.raw_bytes),
        level: verification::level(b.level).to_owned(),
        actions: vec![
            restore_action(b, &keys, urls::backup_restore(b.id)),
            ActionButton::link("Download", urls::backup_download(b.id)),
            ActionButton::link("Delete", urls::backup_delete(b.id)).danger().unavailable(locked(b, now)),
        ],
    };
    page(&LeftPage { frame: ctx.frame("home"), rows: found.iter().map(row).collect(), more })
}

/// Why a locked backup cannot be deleted.
fn locked(b: &Backup, now: DateTime<Utc>) -> Option<String> {
    let until = b.locked_until.filter(|until| *until > now)?;
    // The lock ends at midnight, so the last locked day is the day before.
    let day = (until - Duration::seconds(1)).format("%Y-%m-%d");
    Some(format!("This backup is locked until {day}. An administrator can unlock it."))
}

/// What a deletion removes: this backup, and on request all others of its database that can be deleted.
struct Deletion {
    backup: Backup,
    container: Container,
    others: Vec<Uuid>,
}

impl Deletion {
    async fn of(ctx: &Context, id: &str) -> Result<Self, AppError> {
        let (backup, container) = visible_backup(ctx, id, Action::Purge).await?;
        if container.purged_at.is_none() {
            let why = "The database of this backup still exists. Its backups are removed by the retention policy.";
            return Err(AppError::Conflict(why.to_owned()));
        }
        if let Some(why) = locked(&backup, ctx.now()) {
            return Err(AppError::Conflict(why));
        }
        let mut db = ctx.app().db.acquire().await?;
        let mut others = prune::deletable(&mut db, &ctx.app().config, container.id, ctx.now()).await?;
        if !others.contains(&backup.id) {
            let why = "This backup is being read or removed at the moment, or another portal made it.";
            return Err(AppError::Conflict(why.to_owned()));
        }
        others.retain(|other| *other != backup.id);
        Ok(Self { backup, container, others })
    }

    async fn page(&self, ctx: &Context, typed: &Fields, error: Option<String>) -> Result<ConfirmPage, AppError> {
        let b = &self.backup;
        let mut db = ctx.app().db.acquire().await?;
        let copies = replicas::of(&mut db, &[b.id]).await?;
        let all = listing::left_behind(&mut db, self.container.account_id, i64::MAX).await?;
        drop(db);
        let of_this: Vec<&Backup> = all.iter().filter(|other| other.container_id == b.container_id).collect();
        let stored = size(b.bytes).map(|s| format!(", {}", s.human)).unwrap_or_default();
        let mut will = vec![format!(
            "The backup of {} from {}{stored} is deleted from {}. This cannot be undone.",
            b.container,
            b.started_at.format("%Y-%m-%d %H:%M UTC"),
            b.target.as_deref().unwrap_or("its target")
        )];
        let elsewhere: Vec<&str> = copies.iter().map(|copy| copy.target.as_str()).collect();
        if !elsewhere.is_empty() {
            will.push(format!("Its copies in {} are deleted too.", elsewhere.join(", ")));
        }
        if of_this.len() == 1 {
            will.push(format!("It is the last backup of {}: afterwards the data cannot be restored.", b.container));
        }
        let others: i64 = of_this.iter().filter(|o| self.others.contains(&o.id)).filter_map(|o| o.bytes).sum();
        let held = of_this.len().saturating_sub(self.others.len() + 1) as u64;
        let mut kept = Vec::new();
        if of_this.len() > 1 {
            kept.push(format!("The other backups of {}, unless you select them below.", b.container));
        }
        if held > 0 {
            let text = count_text(held, "backup that is", "backups that are");
            kept.push(format!("{text} locked or being read, in any case."));
        }
        let others = format!("Also delete {}", self.others_text(others));
        Ok(ConfirmPage {
            frame: ctx.frame_of(&self.container),
            title: format!("Delete backup of {}", b.container),
            will,
            kept,
            action: urls::backup_delete(b.id),
            name: Some(b.container.clone()),
            value: typed.text("confirm").to_owned(),
            error,
            option: (!self.others.is_empty()).then(|| Field::checkbox("all", &others, typed.has("all"))),
            button: "Delete permanently".to_owned(),
            back_href: HERE.to_owned(),
            back_label: "Keep backup".to_owned(),
            ..ConfirmPage::default()
        })
    }

    fn others_text(&self, bytes: i64) -> String {
        let others = count_text(self.others.len() as u64, "other backup", "other backups");
        let stored = size(Some(bytes)).map(|s| s.human).unwrap_or_default();
        format!("the {others} of {} ({stored})", self.container.name)
    }
}

/// `GET /backups/{id}/delete`
pub async fn confirm_delete(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    page(&Deletion::of(&ctx, &id).await?.page(&ctx, &Fields::default(), None).await?)
}

/// `POST /backups/{id}/delete` with `confirm` = the name of the database, and `all` to delete its other backups too
pub async fn delete(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let deletion = Deletion::of(&ctx, &id).await?;
    let name = &deletion.container.name;
    if fields.text("confirm") != name {
        let view = deletion.page(&ctx, &fields, Some(format!("Type the name exactly: {name}"))).await?;
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view);
    }
    let others = if fields.has("all") { deletion.others.as_slice() } else { &[] };
    let ids = [&[deletion.backup.id][..], others].concat();
    match owner_removal::request(ctx.app(), &deletion.container, ids, &ctx.actor()).await {
        Ok(job) => Ok(to(&urls::job(job), None)),
        Err(e) => match ctx.refused("container.remove-backups", Some(&deletion.container), e).await {
            AppError::Conflict(why) => Ok(to(HERE, Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}

async fn form(ctx: &Context, c: &Container, b: &Backup, typed: TypedRestore) -> Result<RestorePage, AppError> {
    let storage = storage_field(ctx, c, &typed)?;
    let error = field_error(&typed, storage.is_some());
    Ok(RestorePage {
        in_place_href: None,
        part: partial_fields::fields(ctx, b, &typed.only).await?,
        part_open: !typed.only.database.is_empty() || !typed.only.table.is_empty() || typed.only.is_wrong(),
        whole: whole(b.engine, partial::possible(b.engine).0),
        beside: false,
        database: b.container.clone(),
        frame: ctx.frame("home"),
        title: format!("Restore {}", b.container),
        facts: restore_facts(ctx, b),
        action: urls::backup_restore(b.id),
        storage,
        field: Field::code("name", "New database name")
            .help("Lower-case letters, digits, “-” and “_”.")
            .value(typed.name)
            .error(error)
            .required()
            .max_length(40)
            .focus(true),
        back_href: if b.container_gone {
            HERE.to_owned()
        } else {
            urls::database_page(&b.container, DatabasePage::Backups)
        },
    })
}

/// `GET /backups/{id}/restore`
pub async fn restore_form(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::View).await?;
    page(&form(&ctx, &c, &b, TypedRestore { name: b.container.clone(), ..TypedRestore::default() }).await?)
}

/// `POST /backups/{id}/restore` with `name` for the new database
pub async fn restore(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::Restore).await?;
    match restore_into(&ctx, &c, &b, &fields).await? {
        Ok(made) => Ok(made),
        Err(typed) => page_with(StatusCode::UNPROCESSABLE_ENTITY, &form(&ctx, &c, &b, typed).await?),
    }
}
