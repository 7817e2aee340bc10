//! `/containers/{name}/snapshots`: the snapshots of a database, and the form that takes one.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::confirm::{cost, kept};
use super::origin;
use crate::admin_db::containers::copies::CloneOf;
use crate::admin_db::containers::snapshots::Snapshot;
use crate::admin_db::containers::{Container, copies, snapshots};
use crate::admin_db::jobs;
use crate::clones::request;
use crate::domain::job_kind::JobKind;
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::queue::refusal::RequestError;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::create::Faults;
use crate::web::forms::{Fields, copies as form};
use crate::web::pages::backups::size;
use crate::web::pages::container_head::head;
use crate::web::pages::shared::steps_of;
use crate::web::tabs::{Tab, landed};
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::confirm::ConfirmPage;
use crate::web::views::copies::snapshots::{CloneRow, SnapshotRow, SnapshotsPage};
use crate::web::views::{ActionButton, Chip, Field, Flash, Moment};

/// `GET /containers/{name}/snapshots`
pub async fn show(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    page(&list(&ctx, &c, &Fields::default(), &Faults::new()).await?)
}

async fn list(ctx: &Context, c: &Container, typed: &Fields, faults: &Faults) -> Result<SnapshotsPage, AppError> {
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let rows = snapshots::copies_of(&mut db, c.id, now).await?;
    let clones = copies::clones_of(&mut db, c.id).await?;
    let job =
        match c.active_job_id.filter(|_| matches!(c.active_kind(), Some(JobKind::Snapshot | JobKind::RestoreSnapshot)))
        {
            Some(id) => jobs::by_id(&mut db, id).await?,
            None => None,
        };
    let active = match &job {
        Some(job) => Some(steps_of(&mut db, c, job, now).await?),
        None => None,
    };
    let origin = origin::view(&mut db, ctx, c).await?;
    drop(db);
    let refusal = refusal(c);
    let fault = |name: &str| faults.iter().find(|(field, _)| field == name).map(|(_, why)| why.clone());
    Ok(SnapshotsPage {
        frame: ctx.frame_of(c),
        head: head(ctx, c, Some(Tab::Snapshots)).without_live(active.is_some()),
        origin,
        cost: cost(ctx, c).await.text,
        fields: vec![
            Field::text("note", "Note")
                .help("For example, what you are about to change.")
                .value(typed.text("note"))
                .error(fault("note"))
                .max_length(u32::try_from(form::NOTE).unwrap_or(0)),
            Field::number("days", "Keep for (days)")
                .help("Leave this empty to keep it until you delete it.")
                .value(typed.text("days"))
                .error(fault("days")),
        ],
        action: urls::database_page(&c.name, DatabasePage::TakeSnapshot),
        clone_action: ActionButton::link("Clone this database", urls::database_page(&c.name, DatabasePage::Clone))
            .unavailable(refusal.clone()),
        refusal,
        rows: rows.iter().map(|s| row(s, c, now)).collect(),
        clones: clones.iter().map(|k| clone_row(ctx, k, now)).collect(),
        job: active,
    })
}

/// Why the data cannot be copied now.
fn refusal(c: &Container) -> Option<String> {
    if !matches!(c.state, ContainerState::Running | ContainerState::Stopped) {
        return Some(RequestError::State(c.state).to_string());
    }
    c.is_busy().then(|| RequestError::Busy.to_string())
}

fn row(s: &Snapshot, c: &Container, now: DateTime<Utc>) -> SnapshotRow {
    let clone = format!("{}?snapshot={}", urls::database_page(&c.name, DatabasePage::Clone), s.id);
    SnapshotRow {
        at: Moment::new(s.as_of(), now),
        note: s.note.clone(),
        chip: if s.made_at.is_some() { Chip::new("run", "stored") } else { Chip::new("busy", "being taken") },
        size: size(s.bytes),
        own: size(s.bytes.zip(s.shared_bytes).map(|(bytes, shared)| (bytes - shared).max(0))),
        until: s.expires_at.map(|at| Moment::new(at, now)),
        paused: s.frozen_ms.map(|ms| if ms == 0 { "not paused".to_owned() } else { format!("paused for {ms} ms") }),
        actions: if s.made_at.is_some() {
            vec![
                ActionButton::link("Clone", clone),
                ActionButton::link("Restore", urls::snapshot_restore(&c.name, s.id)),
                ActionButton::link("Delete", urls::snapshot_delete(&c.name, s.id)),
            ]
        } else {
            Vec::new()
        },
    }
}

fn clone_row(ctx: &Context, k: &CloneOf, now: DateTime<Utc>) -> CloneRow {
    let visible = ctx.user().is_ok_and(|user| user.is_admin() || user.id == k.account_id);
    CloneRow {
        name: k.name.clone(),
        href: visible.then(|| urls::database(&k.name)),
        at: k.cloned_at.map(|at| Moment::new(at, now)),
    }
}

/// `POST /containers/{name}/snapshot` with `note` and `days`
pub async fn take(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    let (note, until) = match form::snapshot(&ctx, &fields) {
        Ok(order) => order,
        Err(faults) => {
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &list(&ctx, &c, &fields, &faults).await?);
        }
    };
    let done = request::take(ctx.app(), &c, &note, until, &ctx.actor()).await;
    landed(&ctx, &c, ("container.snapshot", Tab::Snapshots), done, None).await
}

/// A snapshot that was taken of this container.
pub(crate) async fn taken(ctx: &Context, c: &Container, id: &str) -> Result<Snapshot, AppError> {
    let id: Uuid = id.parse().map_err(|_| AppError::NotFound)?;
    let mut db = ctx.app().db.acquire().await?;
    let found = snapshots::copies_of(&mut db, c.id, ctx.now()).await?;
    found.into_iter().find(|s| s.id == id && s.made_at.is_some()).ok_or(AppError::NotFound)
}

/// The page that asks before a snapshot replaces the data.
pub(crate) fn restore_page(ctx: &Context, c: &Container, s: &Snapshot) -> ConfirmPage {
    let at = s.as_of().format("%Y-%m-%d %H:%M:%S UTC");
    ConfirmPage {
        frame: ctx.frame_of(c),
        title: format!("Restore {} to {at}", c.name),
        will: vec![
            "The server restarts with the data of the snapshot. Later changes are undone.".to_owned(),
            "Users and passwords are reset to those in the snapshot.".to_owned(),
        ],
        kept: vec![kept()],
        action: urls::snapshot_restore(&c.name, s.id),
        button: "Restore snapshot".to_owned(),
        back_href: urls::database_page(&c.name, DatabasePage::Snapshots),
        back_label: "Cancel".to_owned(),
        ..ConfirmPage::default()
    }
}

/// Replaces the data with a snapshot.
pub(crate) async fn restore(ctx: &Context, c: &Container, s: &Snapshot) -> Result<Response, AppError> {
    let done = request::restore(ctx.app(), c, s.id, &ctx.actor()).await;
    landed(ctx, c, ("container.restore-snapshot", Tab::Snapshots), done, None).await
}

/// `GET /containers/{name}/snapshots/{id}/delete`
pub async fn confirm_delete(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    let s = taken(&ctx, &c, &id).await?;
    page(&ConfirmPage {
        frame: ctx.frame_of(&c),
        title: format!("Delete a snapshot of {}", c.name),
        will: vec![format!(
            "The snapshot of {} is deleted. You can no longer restore it.",
            s.as_of().format("%Y-%m-%d %H:%M:%S UTC")
        )],
        kept: vec!["The database, and clones made from the snapshot.".to_owned()],
        action: urls::snapshot_delete(&c.name, s.id),
        button: "Delete snapshot".to_owned(),
        back_href: urls::database_page(&c.name, DatabasePage::Snapshots),
        back_label: "Keep snapshot".to_owned(),
        ..ConfirmPage::default()
    })
}

/// `POST /containers/{name}/snapshots/{id}/delete`
pub async fn delete(ctx: Context, Path((name, id)): Path<(String, String)>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Backup).await?;
    let s = taken(&ctx, &c, &id).await?;
    request::delete(ctx.app(), &c, &s, &ctx.actor()).await?;
    Ok(to(
        &urls::database_page(&c.name, DatabasePage::Snapshots),
        Some(Flash::ok("The snapshot was deleted. Its space is freed within a minute.")),
    ))
}
