//! The backups of a database: the list with their verification levels, a new backup, test restores, restores.

use axum::extract::Path;
use axum::response::Response;
use uuid::Uuid;

use super::job::cancel_button;
use super::notices;
use super::shared::steps_of;
use crate::admin_db::backups::assurance::Assurance;
use crate::admin_db::backups::replicas::Replica;
use crate::admin_db::backups::{Backup, BackupStatus, replicas};
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{Container, snapshots};
use crate::admin_db::{backups, jobs};
use crate::backup::drill;
use crate::backup::{possible_loss, request, verification};
use crate::domain::backup_schedule::{OWN, Policy};
use crate::domain::duration::duration_text;
use crate::domain::job_kind::JobKind;
use crate::domain::short_reason;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::encryption::Identities;
use crate::engine::part::DumpMode;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page};
use crate::web::error::AppError;
use crate::web::pages::container_head::head;
use crate::web::tabs::{Tab, landed};
use crate::web::urls;
use crate::web::urls::BackupAction;
use crate::web::urls::DatabasePage;
use crate::web::views::backups::{BackupRow, BackupsPage, PreviousDataRow};
use crate::web::views::elements::parts::merge_equal;
use crate::web::views::{ActionButton, Chip, Choice, Field, Flash, Moment, Size};

/// Maximum number of backups on the page.
const MOST: i64 = 100;
/// Number of jobs among which a running test restore is found.
const LATEST: i64 = 10;
/// Shown if there are backups that the portal cannot decrypt.
const SEALED: &str = "These backups are encrypted and the portal does not have the key, so it cannot restore or test \
                      them. Download one; the file RESTORE.txt in it explains how to restore it with the key.";

/// `GET /containers/{name}/backups`
pub async fn show(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let rows = backups::of_container(&mut db, c.id, MOST).await?;
    let job = match c.active_job_id.filter(|_| c.active_kind() == Some(JobKind::Backup)) {
        Some(id) => jobs::by_id(&mut db, id).await?,
        // A test restore runs alongside other jobs.
        None => {
            let latest = jobs::of_container(&mut db, c.id, LATEST).await?;
            latest.into_iter().find(|j| j.kind() == Some(JobKind::Drill) && !j.status.is_final())
        }
    };
    let active = match &job {
        Some(job) => Some(steps_of(&mut db, &c, job, now).await?),
        None => None,
    };
    let aside = snapshots::of_container(&mut db, c.id).await?;
    let told = notices::of(&ctx, &mut db, &c, "backups").await?;
    let ids: Vec<Uuid> = rows.iter().filter(|b| b.is_good()).map(|b| b.id).collect();
    let second = replicas::of(&mut db, &ids).await?;
    drop(db);
    let keys = Identities::of(&ctx.app().config.backups);
    let base = urls::database(&c.name);
    let possible = possible(&ctx, &c);
    page(&BackupsPage {
        frame: ctx.frame_of(&c),
        head: head(&ctx, &c, Some(Tab::Backups)).without_live(active.is_some()),
        notices: told,
        possible_loss: possible_loss::sentence(&Assurance::of_rows(&rows), now),
        sealed: (rows.iter().any(|b| b.is_good() && !b.opens(&keys))).then(|| SEALED.to_owned()),
        policy: policy(&ctx, &c),
        pause: pause(&c),
        now_action: ActionButton::post("Back up now", format!("{base}/backup")).primary().unavailable(possible.err()),
        cancel: job.as_ref().map(cancel_button),
        job: active,
        aside: aside.iter().map(|s| aside_row(s, &c, now)).collect(),
        rows: merge_equal(
            rows.iter().map(|b| row(b, &c, (&second, &keys), now)),
            |a, b| a.chip.kind == "fail" && (&a.chip, &a.reason, &a.trouble) == (&b.chip, &b.reason, &b.trouble),
            (|row| row.started.clone(), |row| &mut row.repeats),
        ),
    })
}

/// When the next backup is made, if any can be.
fn policy(ctx: &Context, c: &Container) -> String {
    match ctx.app().stores.first() {
        Some(_) => Policy::stored(&c.backup_freq).sentence(c.id, ctx.app().config.backups.window, ctx.now()),
        None => "No backups are made: no backup target is configured.".to_owned(),
    }
}

/// Checks whether a backup can be made now; the error gives the reason.
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

/// The fields of the backup schedule: the selection, and the cron line for custom times. `chosen` is the selected value
/// or the text of a policy, `line` the typed cron line.
pub fn policy_fields(ctx: &Context, chosen: &str, line: &str, fault: impl Fn(&str) -> Option<String>) -> [Field; 2] {
    let own = !chosen.is_empty() && Policy::WORDS.iter().all(|p| p.as_str() != chosen);
    let line = if own && chosen != OWN { chosen } else { line };
    let chosen = match chosen {
        "" => Policy::Daily.as_str(),
        _ if own => OWN,
        word => word,
    };
    let mut choices = Policy::WORDS.map(|p| Choice::new(p.as_str(), p.label(), chosen)).to_vec();
    choices.push(Choice::new(OWN, "Custom (cron)", chosen));
    let zone = ctx.app().config.backups.window.zone;
    [
        Field::select("backup_freq", "Backups", choices)
            .help("When the portal makes automatic backups. You can start a backup manually at any time.")
            .error(fault("backup_freq")),
        Field::code("backup_cron", "Custom schedule")
            .help(format!(
                "For “Custom (cron)” above: minute, hour, day of month, month, day of week and an optional time zone \
                 (default: {zone}). For example, “30 2 * * 1-5 Europe/Berlin” runs at 02:30 on weekdays. At most once \
                 an hour."
            ))
            .value(line)
            .error(fault("backup_cron"))
            .max_length(200),
    ]
}

/// How a backup affects people working with the database; `None` if it does not.
fn pause(c: &Container) -> Option<String> {
    let stops = c.engine.engine().backup().is_some_and(|b| b.dump_mode() == DumpMode::Stopped);
    stops.then(|| {
        format!(
            "{} is backed up from a copy of its data. The database is paused while the data is copied: for \
             milliseconds on copy-on-write storage, otherwise for as long as the copy takes. Connections stay open.",
            c.engine.label()
        )
    })
}

/// A size for lists of backups.
pub(crate) fn size(bytes: Option<i64>) -> Option<Size> {
    bytes.and_then(|b| u64::try_from(b).ok()).map(Size::new)
}

/// What went wrong with a backup or with its last test restore.
pub(super) fn trouble(b: &Backup) -> Option<String> {
    let failed =
        || b.drill_error.as_deref().map(|e| format!("The last test restore failed: {}", short_reason::line(e)));
    b.error.as_deref().map(short_reason::line).or_else(failed)
}

/// The state of a backup.
pub(super) fn chip(b: &Backup) -> Chip {
    match (b.status, b.removing_at, b.removed_at) {
        (BackupStatus::Succeeded, _, Some(_)) => Chip::new("gone", "removed"),
        (BackupStatus::Succeeded, Some(_), None) => Chip::new("busy", "being removed"),
        (BackupStatus::Succeeded, None, None) => Chip::new("run", "stored"),
        (status, ..) => Chip::of_job(status.as_str()),
    }
}

fn why(b: &Backup, now: chrono::DateTime<chrono::Utc>) -> String {
    let why = verification::reason(&b.reason);
    match b.locked_until.filter(|until| *until > now && b.is_good()) {
        // The lock ends at midnight, so the last locked day is the day before.
        Some(until) => {
            format!("{why} · locked until {}", (until - chrono::Duration::seconds(1)).format("%Y-%m-%d"))
        }
        None => why.to_owned(),
    }
}

/// The state of a copy.
pub(super) fn copy_text(copy: &Replica) -> String {
    match (copy.status.as_str(), &copy.error) {
        ("stored", _) => format!("Copy in {}", copy.target),
        (_, Some(why)) => format!("No copy in {} yet: {why} The portal will retry.", copy.target),
        _ => format!("Copy in {} pending", copy.target),
    }
}

/// The restore button, disabled if the portal cannot decrypt the backup.
pub(super) fn restore_action(b: &Backup, keys: &Identities, href: String) -> ActionButton {
    let why = (!b.opens(keys)).then(|| RequestError::NeedsKey.to_string());
    ActionButton::link("Restore", href).unavailable(why)
}

fn row(
    b: &Backup,
    c: &Container,
    (second, keys): (&[Replica], &Identities),
    now: chrono::DateTime<chrono::Utc>,
) -> BackupRow {
    let href = |action| urls::database_backup(&c.name, b.id, action);
    let good = b.is_good();
    let drill = ActionButton::post("Test restore", href(BackupAction::Drill));
    let closed = (!b.opens(keys)).then(|| RequestError::NeedsKey.to_string());
    let clone = format!("{}?backup={}", urls::database_page(&c.name, DatabasePage::Clone), b.id);
    let template = format!("{}?backup={}", urls::TEMPLATES, b.id);
    BackupRow {
        started: Moment::new(b.started_at, now),
        job_href: b.job_id.map(urls::job),
        reason: why(b, now),
        encrypted: good && b.recipients.is_some(),
        chip: chip(b),
        size: size(b.bytes),
        raw: size(b.raw_bytes),
        level: good.then(|| verification::level(b.level).to_owned()),
        proven: b.proven_at.map(|at| {
            let took = u64::try_from(b.proven_ms.unwrap_or(0)).unwrap_or(0);
            (Moment::new(at, now), duration_text(took))
        }),
        copies: second.iter().filter(|k| k.backup_id == b.id).map(copy_text).collect(),
        trouble: trouble(b),
        repeats: None,
        differences: b.differences.as_ref().map(|d| d.0.clone()).unwrap_or_default(),
        lacks: (good && b.definitions.is_none()).then_some("schema not recorded"),
        actions: if good {
            vec![
                restore_action(b, keys, href(BackupAction::Restore)),
                ActionButton::link("Clone", clone).unavailable(closed.clone()),
                ActionButton::link("Make template", template).unavailable(closed.clone()),
                drill.unavailable(closed),
                ActionButton::link("Download", href(BackupAction::Download)),
            ]
        } else {
            Vec::new()
        },
    }
}

fn aside_row(s: &Snapshot, c: &Container, now: chrono::DateTime<chrono::Utc>) -> PreviousDataRow {
    let href = urls::snapshot_restore(&c.name, s.id);
    PreviousDataRow {
        made: Moment::new(s.made_at.unwrap_or(now), now),
        reason: match s.reason.as_str() {
            "restore" => "before a restore in place",
            "upgrade" => "before an upgrade",
            _ => "before switching to previous data",
        }
        .to_owned(),
        until: Moment::new(s.expires_at.unwrap_or(now), now),
        action: ActionButton::link("Switch to this data", href),
    }
}

/// `POST /containers/{name}/backup`
pub async fn now(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    let done = request::backup(ctx.app(), &c, "manual", &ctx.actor()).await;
    landed(&ctx, &c, ("container.backup", Tab::Backups), done, None).await
}

/// `POST /containers/{name}/backups/{id}/drill`
pub async fn drill(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    let backup = theirs(&ctx, &c, &id).await?;
    let done = drill::request(ctx.app(), &backup, "manual", &ctx.actor()).await;
    let flash = Flash::ok("Test restore started. The backup is restored into an isolated container and compared.");
    landed(&ctx, &c, ("container.drill", Tab::Backups), done, Some(flash)).await
}

/// A backup of this container.
pub(in crate::web) async fn theirs(ctx: &Context, c: &Container, id: &str) -> Result<Backup, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = backups::by_id(&mut db, id).await?;
    found.filter(|b| b.container_id == c.id && b.kind == "backup").ok_or(AppError::NotFound)
}
