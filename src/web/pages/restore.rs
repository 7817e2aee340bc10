//! `/containers/{name}/backups/{id}/restore`: restores a backup, or a part of it, to a new database, or a part as a
//! copy into the existing one.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::backups::{size, theirs};
use super::replace;
use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::backup::request::{Purpose, RestoreRequest};
use crate::backup::restore::partial;
use crate::backup::{request, verification};
use crate::domain::duration::duration_text;
use crate::domain::engine::EngineKind;
use crate::domain::names::ContainerName;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::engine::partial::SmallestPart;
use crate::queue::refusal::RequestError;
use crate::storage::unavailable_reason;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::{Fields, partial_fields};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::backups::RestorePage;
use crate::web::views::{Choice, Fact, Field, Flash, Moment};

/// Details of the backup to be restored.
pub(super) fn restore_facts(ctx: &Context, b: &Backup) -> Vec<Fact> {
    let mut facts = vec![
        Fact::text("Database", &b.container),
        Fact::when("Created", &Moment::new(b.started_at, ctx.now())),
        Fact::text("Verified", verification::level(b.level)),
    ];
    facts.push(Fact::text("Compared after a restore", verification::compared(b)));
    if let Some(size) = size(b.raw_bytes) {
        facts.push(Fact::size("Data size", &size));
    }
    if let Some(ms) = b.proven_ms {
        facts.push(Fact::text("Last test restore took", duration_text(u64::try_from(ms).unwrap_or(0))));
    }
    facts
}

/// What was typed into the form, and its errors.
#[derive(Default)]
pub(super) struct TypedRestore {
    pub(super) name: String,
    pub(super) error: Option<String>,
    pub(super) storage: String,
    pub(super) storage_error: Option<String>,
    pub(super) only: partial_fields::TypedSelection,
}

async fn restore_page(ctx: &Context, c: &Container, b: &Backup, typed: TypedRestore) -> Result<RestorePage, AppError> {
    let base = urls::database_page(&c.name, DatabasePage::Backups);
    let (alone, beside) = partial::possible(c.engine);
    let storage = storage_field(ctx, c, &typed)?;
    let error = field_error(&typed, storage.is_some());
    Ok(RestorePage {
        part: partial_fields::fields(ctx, b, &typed.only).await?,
        part_open: !typed.only.database.is_empty() || !typed.only.table.is_empty() || typed.only.is_wrong(),
        whole: whole(c.engine, alone),
        beside: beside && c.state == ContainerState::Running,
        database: c.name.clone(),
        frame: ctx.frame_of(c),
        title: format!("Restore {}", c.name),
        facts: restore_facts(ctx, b),
        action: format!("{base}/{}/restore", b.id),
        storage,
        field: Field::code("name", "New database name")
            .help("Lower-case letters, digits, “-” and “_”. The original database is not changed.")
            .value(typed.name)
            .error(error)
            .required()
            .max_length(40)
            .focus(true),
        in_place_href: Some(format!("{base}/{}/in-place", b.id)),
        back_href: base,
    })
}

/// The error at the first field. That about the storage is shown there if there is no field for it.
pub(super) fn field_error(typed: &TypedRestore, has_storage: bool) -> Option<String> {
    typed.error.clone().or_else(|| typed.storage_error.clone().filter(|_| !has_storage))
}

/// The storage tier of the new database. `None` if there is no choice: only that of the database itself.
pub(super) fn storage_field(ctx: &Context, c: &Container, typed: &TypedRestore) -> Result<Option<Field>, AppError> {
    let user = ctx.user()?;
    let tiers = ctx.app().config.storage.iter();
    let tiers: Vec<_> =
        tiers.filter(|t| t.allows(user.username.as_str(), user.is_admin(), c.engine.as_str())).collect();
    let is_usable = tiers.iter().any(|t| t.name == c.storage);
    if (is_usable && tiers.len() < 2 && typed.storage_error.is_none()) || tiers.is_empty() {
        return Ok(None);
    }
    let chosen = if typed.storage.is_empty() { &c.storage } else { &typed.storage };
    let choices = tiers.iter().map(|t| Choice::new(&t.name, &t.label, chosen).unavailable(unavailable_reason(t)));
    let help = match is_usable {
        true => "Where the data is stored.",
        false => "Where the data is stored. You may not use the storage of the original database.",
    };
    let field = Field::select("storage", "Storage", choices.collect());
    Ok(Some(field.help(help).error(typed.storage_error.clone())))
}

/// Why a backup can only be restored completely.
pub(super) fn whole(engine: EngineKind, alone: SmallestPart) -> Option<String> {
    (alone == SmallestPart::Nothing).then(|| format!("Backups of {} can only be restored completely.", engine.label()))
}

/// `GET /containers/{name}/backups/{id}/restore`
pub async fn restore_form(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    // Long names are shortened before the suffix is appended: cutting at the end would give the name of the database
    // itself, which is taken.
    let name = format!("{}-restored", c.name.chars().take(31).collect::<String>().trim_end_matches(['-', '_']));
    page(&restore_page(&ctx, &c, &backup, TypedRestore { name, ..TypedRestore::default() }).await?)
}

/// `POST /containers/{name}/backups/{id}/restore` with `name` for the new database, and `only_database` and
/// `only_table` for a partial restore; or with `beside` and these fields; or with `in_place` and `confirm`
pub async fn restore(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Restore).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    if fields.text("in_place") == "true" {
        return replace::in_place(&ctx, &c, &backup, &fields).await;
    }
    if fields.text("beside") == "true" {
        return beside_now(&ctx, &c, &backup, &fields).await;
    }
    match restore_into(&ctx, &c, &backup, &fields).await? {
        Ok(made) => Ok(made),
        Err(typed) => wrong(&ctx, &c, &backup, typed).await,
    }
}

/// Restores a backup of `c` to a new database of its owner. Returns the response that leads to the new database's page,
/// or the typed values with their errors.
pub(super) async fn restore_into(
    ctx: &Context,
    c: &Container,
    backup: &Backup,
    fields: &Fields,
) -> Result<Result<Response, TypedRestore>, AppError> {
    let (name, storage) = (fields.text("name").to_owned(), fields.text("storage").to_owned());
    let only = match partial_fields::read(ctx, backup, fields).await? {
        Ok(only) => only,
        Err(only) => return Ok(Err(TypedRestore { name, storage, only, ..TypedRestore::default() })),
    };
    let only_typed = partial_fields::TypedSelection::of(fields);
    let mut typed = TypedRestore { name, storage, only: only_typed, ..TypedRestore::default() };
    let new = match ContainerName::parse(&typed.name) {
        Ok(new) => new,
        Err(e) => {
            typed.error = Some(e.to_string());
            return Ok(Err(typed));
        }
    };
    let href = urls::database(&new);
    let storage = Some(typed.storage.clone()).filter(|name| !name.is_empty());
    let wanted = RestoreRequest { name: new, owner: c.account_id, only, storage, purpose: Purpose::Restore };
    match request::restore(ctx.app(), backup, &wanted, &ctx.actor()).await {
        Ok(_) => return Ok(Ok(to(&href, None))),
        Err(e @ RequestError::NameTaken) => typed.error = Some(format!("{e} Choose another name.")),
        Err(RequestError::NotAlone(why)) => typed.only.wrong(why),
        Err(e) => match (matches!(e, RequestError::TierRefused(_)), ctx.refused("container.restore", Some(c), e).await)
        {
            (true, AppError::Conflict(why)) => typed.storage_error = Some(why),
            (false, AppError::Conflict(why)) => typed.error = Some(why),
            (_, e) => return Err(e),
        },
    }
    Ok(Err(typed))
}

async fn wrong(ctx: &Context, c: &Container, b: &Backup, typed: TypedRestore) -> Result<Response, AppError> {
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &restore_page(ctx, c, b, typed).await?)
}

/// Restores a part of a backup as a copy into the existing database.
async fn beside_now(ctx: &Context, c: &Container, b: &Backup, fields: &Fields) -> Result<Response, AppError> {
    let name = fields.text("name").to_owned();
    let only = match partial_fields::read(ctx, b, fields).await? {
        Ok(only) => only,
        Err(only) => return wrong(ctx, c, b, TypedRestore { name, only, ..TypedRestore::default() }).await,
    };
    let only_typed = partial_fields::TypedSelection::of(fields);
    let mut typed = TypedRestore { name, only: only_typed, ..TypedRestore::default() };
    let Some(only) = only else {
        typed.only.database_error = Some("Choose the database or table to restore as a copy.".to_owned());
        return wrong(ctx, c, b, typed).await;
    };
    match partial::beside(ctx.app(), c, b, &only, &ctx.actor()).await {
        Ok((_, name)) => {
            let flash = Flash::ok(format!("Restoring it as {name}. Existing data is not changed."));
            Ok(to(&urls::database(&c.name), Some(flash)))
        }
        Err(RequestError::NotAlone(why)) => {
            typed.only.wrong(why);
            wrong(ctx, c, b, typed).await
        }
        Err(e) => match ctx.refused("container.restore-beside", Some(c), e).await {
            AppError::Conflict(why) => {
                typed.only.wrong(why);
                wrong(ctx, c, b, typed).await
            }
            e => Err(e),
        },
    }
}
