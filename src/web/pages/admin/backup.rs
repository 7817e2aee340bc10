//! `/admin/backups/{id}`: a backup of any database, existing or deleted: details, test restore, lock, restore.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

use crate::admin_db::backups::replicas::Replica;
use crate::admin_db::backups::{Backup, replicas, retention};
use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::backup::drill;
use crate::backup::request::{Purpose, RestoreRequest};
use crate::backup::retention::prune;
use crate::backup::{request, verification};
use crate::domain::duration::duration_text;
use crate::domain::names::ContainerName;
use crate::domain::user::Action;
use crate::encryption::Identities;
use crate::queue::refusal::RequestError;
use crate::web::access::backup_access::visible_backup;
use crate::web::context::{Context, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::create::owner;
use crate::web::forms::{Fields, partial_fields};
use crate::web::pages::backups::{chip, copy_text, size, trouble};
use crate::web::urls;
use crate::web::urls::BackupAction;
use crate::web::urls::DatabasePage;
use crate::web::views::admin::backups::AdminBackupPage;
use crate::web::views::{ActionButton, Fact, Field, Flash, Moment};

/// What was typed into the forms, and its errors.
#[derive(Default)]
struct TypedForms {
    name: String,
    name_error: Option<String>,
    owner: String,
    owner_error: Option<String>,
    only: partial_fields::TypedSelection,
    until: String,
    until_error: Option<String>,
}

impl TypedForms {
    fn is_wrong(&self) -> bool {
        self.name_error.is_some() || self.only.is_wrong() || self.owner_error.is_some() || self.until_error.is_some()
    }
}

/// `GET /admin/backups/{id}`
pub async fn show(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::View).await?;
    let proposed = if b.container_gone { c.name.clone() } else { format!("{}-restored", c.name) };
    let typed = TypedForms { name: proposed.chars().take(40).collect(), owner: c.owner, ..TypedForms::default() };
    render(&ctx, &b, typed).await
}

async fn render(ctx: &Context, b: &Backup, typed: TypedForms) -> Result<Response, AppError> {
    let (app, now) = (ctx.app(), ctx.now());
    let mut db = app.db.acquire().await?;
    let verdicts = prune::judged_of(&mut db, &app.config, b.container_id, now).await?;
    let second = replicas::of(&mut db, &[b.id]).await?;
    drop(db);
    let good = b.is_good();
    let opens = b.opens(&Identities::of(&app.config.backups));
    let sealed = (!opens).then(|| RequestError::NeedsKey.to_string());
    let kept = verdicts.iter().find(|v| v.id == b.id).map(|v| {
        if v.goes() {
            return "The retention policy no longer keeps this backup. It will be removed within the hour.".to_owned();
        }
        let why: Vec<_> = v.stays.iter().map(|w| w.as_str()).collect();
        format!("Kept because it is {}.", why.join(", "))
    });
    let elsewhere = good && kept.is_none();
    let status = if typed.is_wrong() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let mut restore = vec![
        Field::code("name", "New database name").value(&typed.name).error(typed.name_error).required().max_length(40),
        Field::code("owner", "Owner")
            .help("The account that will own the database.")
            .value(&typed.owner)
            .error(typed.owner_error)
            .required(),
    ];
    restore.extend(partial_fields::fields(ctx, b, &typed.only).await?);
    let mut until = Field::text("until", "Keep until")
        .help("A date such as 2030-12-31. The lock expires at the end of that day.")
        .value(&typed.until)
        .error(typed.until_error)
        .required();
    "date".clone_into(&mut until.kind);
    let locked = b.locked_until.filter(|at| *at > now && good);
    let mut actions = Vec::new();
    if good {
        actions.push(
            ActionButton::post("Test restore", urls::admin_backup_action(b.id, BackupAction::Drill))
                .unavailable(sealed.clone()),
        );
        actions.push(ActionButton::link("Download", urls::backup_download(b.id)));
    }
    if locked.is_some() {
        actions.push(ActionButton::post("Unlock", urls::admin_backup_action(b.id, BackupAction::Lock)));
    }
    page_with(
        status,
        &AdminBackupPage {
            frame: ctx.frame("admin-backups"),
            title: format!("Backup of {}", b.container),
            chip: chip(b),
            facts: facts(ctx, b, &second, locked),
            trouble: trouble(b),
            differences: b.differences.as_ref().map(|d| d.0.clone()).unwrap_or_default(),
            kept: kept.or_else(|| {
                elsewhere.then(|| {
                    "It is stored under the prefix of another portal, whose retention policy applies.".to_owned()
                })
            }),
            actions,
            restore: if good && opens { restore } else { Vec::new() },
            restore_action: urls::admin_backup_action(b.id, BackupAction::Restore),
            lock: if good { vec![until] } else { Vec::new() },
            lock_action: urls::admin_backup_action(b.id, BackupAction::Lock),
        },
    )
}

fn facts(ctx: &Context, b: &Backup, second: &[Replica], locked: Option<DateTime<Utc>>) -> Vec<Fact> {
    let now = ctx.now();
    let database = if b.container_gone {
        Fact::text("Database", format!("{} (deleted permanently)", b.container))
    } else {
        Fact::link("Database", &b.container, urls::database_page(&b.container, DatabasePage::Backups))
    };
    let mut facts = vec![
        database,
        Fact::text("Engine", b.engine.label()),
        Fact::when("Created", &Moment::new(b.started_at, now)),
        Fact::text("Trigger", verification::reason(&b.reason)),
    ];
    if b.is_good() {
        facts.push(Fact::text("Verified", verification::level(b.level)));
        facts.push(Fact::text("Compared after a restore", verification::compared(b)));
    }
    if let (Some(at), Some(ms)) = (b.proven_at, b.proven_ms) {
        facts.push(Fact::when("Last test restore", &Moment::new(at, now)));
        facts.push(Fact::text("Test restore took", duration_text(u64::try_from(ms).unwrap_or(0))));
    }
    for (term, bytes) in [("Size", b.bytes), ("Data size", b.raw_bytes)] {
        if let Some(size) = size(bytes) {
            facts.push(Fact::size(term, &size));
        }
    }
    if let Some(at) = locked {
        facts.push(Fact::when("Locked until", &Moment::new(at, now)));
    }
    if let Some(at) = b.removed_at {
        facts.push(Fact::when("Removed", &Moment::new(at, now)));
    }
    if let Some(recipients) = &b.recipients {
        facts.push(Fact::code("Encrypted for", recipients.join(", ")));
    }
    facts.push(Fact::text("Target", b.target.as_deref().unwrap_or_default()));
    if let Some(location) = &b.location {
        let store = b.target.as_deref().and_then(|t| ctx.app().stores.get(t));
        facts.push(Fact::code("Location", store.map_or_else(|| location.clone(), |s| s.url(location))));
    }
    facts.extend(second.iter().map(|copy| Fact::text("Copy", copy_text(copy))));
    facts.push(Fact::code("ID", b.id.to_string()));
    if let Some(job) = b.job_id {
        facts.push(Fact::link("Job", "View steps", urls::job(job)));
    }
    facts
}

/// `POST /admin/backups/{id}/drill`
pub async fn drill(ctx: Context, Path(id): Path<String>) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::Backup).await?;
    let base = urls::admin_backup(b.id);
    match drill::request(ctx.app(), &b, "manual", &ctx.actor()).await {
        Ok((_, job)) => Ok(to(&urls::job(job), None)),
        Err(e) => match ctx.refused("container.drill", Some(&c), e).await {
            AppError::Conflict(why) => Ok(to(&base, Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}

/// The end of the given day, which must be in the future; an empty text removes the lock.
fn until(text: &str, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let day: NaiveDate = text.parse().map_err(|_| format!("“{text}” is not a date. Use the format 2030-12-31."))?;
    let end = day.checked_add_days(Days::new(1)).map(|next| next.and_time(NaiveTime::MIN).and_utc());
    // The database cannot store later times.
    let end = end.filter(|end| end.signed_duration_since(now).num_days() < 365 * 1000);
    let end = end.ok_or_else(|| "This date is too far in the future.".to_owned())?;
    if end > now { Ok(Some(end)) } else { Err("This date is in the past.".to_owned()) }
}

/// `POST /admin/backups/{id}/lock` with `until`, a date; an empty one removes the lock.
pub async fn lock(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::Backup).await?;
    let typed = fields.text("until");
    let until = match until(typed, ctx.now()) {
        Ok(until) => until,
        Err(why) => {
            let typed = TypedForms {
                until: typed.to_owned(),
                until_error: Some(why),
                name: c.name,
                owner: c.owner,
                ..TypedForms::default()
            };
            return render(&ctx, &b, typed).await;
        }
    };
    let base = urls::admin_backup(b.id);
    let mut tx = ctx.app().db.begin().await?;
    if !retention::set_lock(&mut tx, b.id, until).await? {
        return Ok(to(&base, Some(Flash::warn(RequestError::NoSuchBackup.to_string()))));
    }
    let (action, detail) = match until {
        Some(at) => ("backup.lock", format!("{} until {}", b.id, at.format("%Y-%m-%d %H:%M UTC"))),
        None => ("backup.unlock", b.id.to_string()),
    };
    let entry = LogEntry { action, container: Some((c.id, &c.name)), outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    Ok(to(&base, Some(Flash::ok(if until.is_some() { "Backup locked." } else { "Backup unlocked." }))))
}

/// `POST /admin/backups/{id}/restore` with `name` and `owner` of the new database, and the part to restore.
pub async fn restore(ctx: Context, Path(id): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let (b, c) = visible_backup(&ctx, &id, Action::Restore).await?;
    let (name, wanted) = (fields.text("name"), fields.text("owner"));
    let mut typed = TypedForms {
        name: name.to_owned(),
        owner: wanted.to_owned(),
        only: partial_fields::TypedSelection::of(&fields),
        ..TypedForms::default()
    };
    let only = match partial_fields::read(&ctx, &b, &fields).await? {
        Ok(only) => only,
        Err(only) => return render(&ctx, &b, TypedForms { only, ..typed }).await,
    };
    let parsed = ContainerName::parse(name).map_err(|e| e.to_string());
    let whose = match wanted {
        "" => Err("Enter the owner of the new database.".to_owned()),
        wanted => owner(&ctx, ctx.user()?, wanted).await?,
    };
    let (new, whose) = match (parsed, whose) {
        (Ok(new), Ok(whose)) => (new, whose),
        (new, whose) => {
            typed.name_error = new.err();
            typed.owner_error = whose.err();
            return render(&ctx, &b, typed).await;
        }
    };
    let href = urls::database(&new);
    let wanted = RestoreRequest { name: new, owner: whose.id, only, storage: None, purpose: Purpose::Restore };
    match request::restore(ctx.app(), &b, &wanted, &ctx.actor()).await {
        Ok(_) => Ok(to(&href, None)),
        Err(RequestError::NotAlone(why)) => {
            typed.only.wrong(why);
            render(&ctx, &b, typed).await
        }
        Err(e) => match ctx.refused("container.restore", Some(&c), e).await {
            AppError::Conflict(why) => {
                typed.name_error = Some(why);
                render(&ctx, &b, typed).await
            }
            e => Err(e),
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::web::pages::admin::backup::*;

    #[test]
    fn a_lock_expires_at_the_end_of_its_day() {
        let now: DateTime<Utc> = "2026-11-25T12:00:00Z".parse().unwrap();
        assert_eq!(until("", now), Ok(None));
        assert_eq!(until("2026-11-25", now).unwrap(), Some("2026-11-26T00:00:00Z".parse().unwrap()));
        assert_eq!(until("2026-11-24", now), Err("This date is in the past.".to_owned()));
        for rubbish in ["tomorrow", "2026-02-30", "25.11.2026"] {
            assert!(until(rubbish, now).unwrap_err().contains("is not a date"), "{rubbish}");
        }
        assert!(until("+99999-01-01", now).is_err());
    }
}
