//! The backups of one database: what there is, what each is worth, a new one now, a drill, a restore.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use uuid::Uuid;

use super::container::head;
use super::replace;
use super::shared::steps;
use crate::admin_db::backups::{self, Backup, BackupStatus};
use crate::admin_db::containers::Container;
use crate::admin_db::jobs;
use crate::admin_db::snapshots::{self, Snapshot};
use crate::backup::request::{self, RestoreRequest};
use crate::backup::seal::Keys;
use crate::backup::worth;
use crate::domain::names::ContainerName;
use crate::domain::policy::Policy;
use crate::domain::state::ContainerState;
use crate::domain::user::Action as Deed;
use crate::engine::backup::When as Moment;
use crate::provision::request::RequestError;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::form::Fields;
use crate::web::views::backups::{AsideRow, BackupRow, BackupsPage, RestorePage};
use crate::web::views::format::duration_text;
use crate::web::views::{Action, Chip, Choice, Fact, Field, Flash, Size, When};

/// Most backups on the page.
const MOST: i64 = 100;
/// What is said where there are backups that the portal can't read.
const SEALED: &str = "They are encrypted, and the portal does not have the key: it can neither restore nor drill them. \
                      Download one; the file RESTORE.txt in it says how it is restored with the key.";

/// `GET /containers/{name}/backups`
///
/// # Errors
/// If it is not theirs.
pub async fn show(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Deed::View).await?;
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let rows = backups::of_container(&mut db, c.id, MOST).await?;
    let job = match c.active_job_id.filter(|_| c.active_job.as_deref() == Some("backup")) {
        Some(id) => jobs::by_id(&mut db, id).await?,
        None => None,
    };
    let active = match &job {
        Some(job) => {
            let rows = jobs::steps(&mut db, job.id).await?;
            let usual = jobs::usual_seconds(&mut db, &job.kind, &c.image).await?;
            Some(steps(job, &rows, &c.name, usual, now))
        }
        None => None,
    };
    let aside = snapshots::of_container(&mut db, c.id).await?;
    drop(db);
    let keys = Keys::of(&ctx.app().config.backups);
    let base = format!("/containers/{}", c.name);
    let possible = possible(&ctx, &c);
    page(&BackupsPage {
        frame: ctx.frame("home"),
        head: head(&ctx, &c, "Backups"),
        worth: worth::sentence(&rows, now),
        sealed: (rows.iter().any(|b| b.is_good() && !b.opens(&keys))).then(|| SEALED.to_owned()),
        policy: policy(&c.backup_freq),
        pause: pause(&c),
        now_action: Action::post("Back up now", format!("{base}/backup")).primary().unavailable(possible.err()),
        cancel: job.as_ref().map(|j| Action::post("Cancel the backup", format!("/jobs/{}/cancel", j.id))),
        job: active,
        aside: aside.iter().map(|s| aside_row(s, &c, now)).collect(),
        rows: rows.iter().map(|b| row(b, &c, &keys, now)).collect(),
    })
}

/// Why no backup can be made now.
fn possible(ctx: &Context, c: &Container) -> Result<(), String> {
    if ctx.app().stores.first().is_none() {
        return Err(RequestError::NoTarget.to_string());
    }
    if c.engine.engine().backup().is_none() {
        return Err(RequestError::NoBackup(c.engine.label()).to_string());
    }
    if c.active_job.is_some() {
        return Err(RequestError::Busy.to_string());
    }
    if !matches!(c.state, ContainerState::Running | ContainerState::Stopped) {
        return Err(RequestError::State(c.state).to_string());
    }
    Ok(())
}

/// The field for when a database is backed up by itself.
pub fn policy_field(chosen: &str) -> Field {
    let chosen = if chosen.is_empty() { Policy::Daily.as_str() } else { chosen };
    let choices = Policy::ALL.map(|p| Choice::new(p.as_str(), p.label(), chosen)).to_vec();
    Field::select("backup_freq", "Backups", choices)
        .help("When the portal backs it up by itself. You can always make one by hand.")
}

fn policy(freq: &str) -> String {
    match freq {
        "Daily" => "A backup is made every night.".to_owned(),
        "Weekly" => "A backup is made every week.".to_owned(),
        "Never" => "No backups are made by themselves. You can change that in the settings.".to_owned(),
        line => format!("Backups are made by the schedule “{line}”."),
    }
}

/// What a backup costs those who work with it meanwhile, where it does.
fn pause(c: &Container) -> Option<String> {
    let stops = c.engine.engine().backup().is_some_and(|b| b.moves() == Moment::Stopped);
    stops.then(|| {
        format!(
            "{} is dumped from a copy. The database stands still while its directory is copied: for milliseconds where \
             the storage shares blocks, else for as long as copying it takes. Connections stay open.",
            c.engine.label()
        )
    })
}

/// A size, for lists of backups.
pub(super) fn size(bytes: Option<i64>) -> Option<Size> {
    bytes.and_then(|b| u64::try_from(b).ok()).map(Size::new)
}

/// A backup's state.
pub(super) fn chip(b: &Backup) -> Chip {
    match (b.status, b.removing_at, b.removed_at) {
        (BackupStatus::Succeeded, _, Some(_)) => Chip::new("gone", "removed"),
        (BackupStatus::Succeeded, Some(_), None) => Chip::new("busy", "being removed"),
        (BackupStatus::Succeeded, None, None) => Chip::new("run", "stored"),
        (status, ..) => Chip::of_job(status.as_str()),
    }
}

fn reason(b: &Backup, now: chrono::DateTime<chrono::Utc>) -> String {
    let why = worth::reason(&b.reason);
    match b.locked_until.filter(|until| *until > now && b.is_good()) {
        // The lock ends with the day before.
        Some(until) => {
            format!("{why} · kept at least until {}", (until - chrono::Duration::seconds(1)).format("%Y-%m-%d"))
        }
        None => why.to_owned(),
    }
}

/// The way to a restore, where the portal can read the backup.
pub(super) fn restore_action(b: &Backup, keys: &Keys, href: String) -> Action {
    let why = (!b.opens(keys)).then(|| RequestError::NeedsKey.to_string());
    Action::link("Restore", href).unavailable(why)
}

fn row(b: &Backup, c: &Container, keys: &Keys, now: chrono::DateTime<chrono::Utc>) -> BackupRow {
    let base = format!("/containers/{}/backups/{}", c.name, b.id);
    let good = b.is_good();
    let drill = Action::post("Drill", format!("{base}/drill"));
    BackupRow {
        started: When::new(b.started_at, now),
        job_href: b.job_id.map(|id| format!("/jobs/{id}")),
        reason: reason(b, now),
        encrypted: good && b.recipients.is_some(),
        chip: chip(b),
        size: size(b.bytes),
        raw: size(b.raw_bytes),
        level: good.then(|| worth::level(b.level).to_owned()),
        proven: b.proven_at.map(|at| {
            let took = u64::try_from(b.proven_ms.unwrap_or(0)).unwrap_or(0);
            (When::new(at, now), duration_text(took))
        }),
        trouble: b.error.clone().or_else(|| b.drill_error.as_ref().map(|e| format!("The last drill failed: {e}"))),
        actions: if good {
            vec![
                restore_action(b, keys, format!("{base}/restore")),
                drill.unavailable((!b.opens(keys)).then(|| RequestError::NeedsKey.to_string())),
                Action::link("Download", format!("{base}/download")),
            ]
        } else {
            Vec::new()
        },
    }
}

fn aside_row(s: &Snapshot, c: &Container, now: chrono::DateTime<chrono::Utc>) -> AsideRow {
    let href = format!("/containers/{}/snapshots/{}/restore", c.name, s.id);
    AsideRow {
        made: When::new(s.made_at.unwrap_or(now), now),
        reason: match s.reason.as_str() {
            "restore" => "before a restore in place",
            "upgrade" => "before an upgrade",
            _ => "before going back",
        }
        .to_owned(),
        until: When::new(s.expires_at.unwrap_or(now), now),
        action: Action::link("Go back to it", href),
    }
}

/// The answer to a request that enqueued something, or could not.
async fn answered<T>(
    ctx: &Context,
    c: &Container,
    action: &str,
    done: Result<T, RequestError>,
    flash: Option<Flash>,
) -> Result<Response, AppError> {
    let base = format!("/containers/{}/backups", c.name);
    match done {
        Ok(_) => Ok(to(&base, flash)),
        Err(e) => match ctx.refused(action, Some(c), e).await {
            AppError::Conflict(why) => Ok(to(&base, Some(Flash::warn(why)))),
            e => Err(e),
        },
    }
}

/// `POST /containers/{name}/backup`
///
/// # Errors
/// If it is not theirs.
pub async fn now(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Deed::Backup).await?;
    let done = request::backup(ctx.app(), &c, "manual", &ctx.actor()).await;
    answered(&ctx, &c, "container.backup", done, None).await
}

/// `POST /containers/{name}/backups/{id}/drill`
///
/// # Errors
/// If it is not theirs.
pub async fn drill(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Deed::Backup).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    let done = request::drill(ctx.app(), &backup, "manual", &ctx.actor()).await;
    let flash = Flash::ok("The drill has begun: the backup is restored into a sealed container and compared.");
    answered(&ctx, &c, "container.drill", done, Some(flash)).await
}

/// A backup of this container.
pub(in crate::web) async fn theirs(ctx: &Context, c: &Container, id: &str) -> Result<Backup, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = backups::by_id(&mut db, id).await?;
    found.filter(|b| b.container_id == c.id && b.kind == "backup").ok_or(AppError::NotFound)
}

/// What is known of a backup that is to be restored.
pub(super) fn restore_facts(ctx: &Context, b: &Backup) -> Vec<Fact> {
    let mut facts = vec![
        Fact::text("Database", &b.container),
        Fact::when("Made", &When::new(b.started_at, ctx.now())),
        Fact::text("Proven", worth::level(b.level)),
    ];
    if let Some(size) = size(b.raw_bytes) {
        facts.push(Fact::size("Size of the data", &size));
    }
    if let Some(ms) = b.proven_ms {
        facts.push(Fact::text("Last restore took", duration_text(u64::try_from(ms).unwrap_or(0))));
    }
    facts
}

fn restore_page(ctx: &Context, c: &Container, b: &Backup, typed: &str, error: Option<String>) -> RestorePage {
    let base = format!("/containers/{}/backups", c.name);
    RestorePage {
        frame: ctx.frame("home"),
        title: format!("Restore {}", c.name),
        facts: restore_facts(ctx, b),
        action: format!("{base}/{}/restore", b.id),
        field: Field::code("name", "Name of the new database")
            .help("Lower-case letters, digits, - and _. The database it was made from stays as it is.")
            .value(typed)
            .error(error)
            .required()
            .max_length(40)
            .focus(true),
        in_place_href: Some(format!("{base}/{}/in-place", b.id)),
        back_href: base,
    }
}

/// `GET /containers/{name}/backups/{id}/restore`
///
/// # Errors
/// If it is not theirs.
pub async fn restore_form(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Deed::View).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    let proposed: String = format!("{}-restored", c.name).chars().take(40).collect();
    page(&restore_page(&ctx, &c, &backup, &proposed, None))
}

/// `POST /containers/{name}/backups/{id}/restore` with `name` = that of the new database, or `in_place` and `confirm`
///
/// # Errors
/// If it is not theirs.
pub async fn restore(
    ctx: Context,
    Path((name, id)): Path<(String, String)>,
    fields: Fields,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Deed::Restore).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    if fields.text("in_place") == "true" {
        return replace::in_place(&ctx, &c, &backup, &fields).await;
    }
    let typed = fields.text("name");
    let wrong =
        |why: String| page_with(StatusCode::UNPROCESSABLE_ENTITY, &restore_page(&ctx, &c, &backup, typed, Some(why)));
    let new = match ContainerName::parse(typed) {
        Ok(new) => new,
        Err(e) => return wrong(e.to_string()),
    };
    let href = format!("/containers/{new}");
    match request::restore(ctx.app(), &backup, &RestoreRequest { name: new, owner: c.account_id }, &ctx.actor()).await {
        Ok(_) => Ok(to(&href, None)),
        Err(e @ RequestError::NameTaken) => wrong(format!("{e} Choose another name.")),
        Err(e) => match ctx.refused("container.restore", Some(&c), e).await {
            AppError::Conflict(why) => wrong(why),
            e => Err(e),
        },
    }
}
