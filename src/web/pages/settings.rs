//! The settings of a database, and its maintenance.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::backups;
use super::replace::later;
use super::shared;
use crate::admin_db::containers::{Container, states};
use crate::admin_db::log;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::user::{Action, User};
use crate::domain::version::parts;
use crate::provision::edit::edit;
use crate::web::context::{Context, page, page_with, to};
use crate::web::error::AppError;
use crate::web::forms::create::{Faults, line};
use crate::web::forms::edit::{least_memory, read};
use crate::web::forms::{Fields, cores, ttl};
use crate::web::pages::container_head::head;
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::settings::{MaintenanceForm, SettingsPage};
use crate::web::views::{Field, Flash};

/// Whether the database is in the trash or being deleted, so that none of its settings can be changed.
fn in_trash(c: &Container) -> bool {
    matches!(c.state, ContainerState::Trashed | ContainerState::Deleting)
}

fn fault(faults: &Faults, name: &str) -> Option<String> {
    faults.iter().find(|(f, _)| f == name).map(|(_, text)| text.clone())
}

/// The cores that a database is pinned to.
pub(super) fn cores_field(value: String, fault: Option<String>) -> Field {
    Field::text(cores::FIELD, "Cores")
        .help(
            "Leave empty to use all cores of the machine. Enter a number such as 2 to let the portal choose that many of \
             the least used cores, or a list such as 0,2-3 to choose them yourself.",
        )
        .value(value)
        .error(fault)
}

fn fields(ctx: &Context, c: &Container, typed: Option<&Fields>, faults: &Faults) -> Vec<Field> {
    let is_admin = ctx.user().is_ok_and(User::is_admin);
    let limits = &ctx.app().config.limits;
    let least = least_memory(ctx, c);
    let value = |name: &str, present: String| typed.map_or(present, |f| f.text(name).to_owned());
    let mut fields = vec![
        Field::textarea("description", "Description")
            .value(value("description", c.description.clone()))
            .error(fault(faults, "description"))
            .max_length(500),
        Field::text("contact", "Contact")
            .help("Who to ask about the database, for example an e-mail address.")
            .value(value("contact", c.contact.clone()))
            .error(fault(faults, "contact"))
            .max_length(200),
        Field::text("department", "Department")
            .value(value("department", c.department.clone()))
            .error(fault(faults, "department"))
            .max_length(200),
        Field::code("owner", "Owner")
            .help(if is_admin { "The account that owns the database." } else { "Only administrators can change it." })
            .value(value("owner", c.owner.clone()))
            .error(fault(faults, "owner"))
            .read_only(!is_admin),
        Field::text("memory", "Memory")
            .help(format!(
                "Minimum {least}, maximum {}. A running server is restarted to apply the change.",
                limits.memory_max
            ))
            .value(value("memory", ByteSize(c.memory_bytes).exact()))
            .error(fault(faults, "memory")),
        Field::text("cpus", "CPUs")
            .help(format!("Maximum {}. A running server is restarted to apply the change.", limits.cpus_max))
            .value(value("cpus", MilliCpus(c.millicpus).to_string()))
            .error(fault(faults, "cpus")),
        cores_field(value(cores::FIELD, c.cpuset.clone().unwrap_or_default()), fault(faults, cores::FIELD)),
        ttl::field_of(ctx, c, value(ttl::TTL, ttl::present(c.expires_at)), fault(faults, ttl::TTL)),
    ];
    if c.engine.engine().backup().is_some() {
        let (chosen, line) = (value("backup_freq", c.backup_freq.clone()), value("backup_cron", String::new()));
        fields.extend(backups::policy_fields(ctx, &chosen, &line, |name| fault(faults, name)));
    }
    fields
}

/// The current version, and where it can be upgraded.
fn version(ctx: &Context, c: &Container) -> (String, Option<String>) {
    let label = c.engine.label();
    let version = shared::version(ctx.app(), c);
    let mut later: Vec<_> = later(ctx, c).iter().map(|i| i.version.as_str()).collect();
    later.sort_by_key(|version| parts(version));
    let what = match later.as_slice() {
        [] => return (format!("{label} {version}. No later version is available."), None),
        [one] => format!("A later version is available: {one}."),
        several => format!("Later versions are available: {}.", several.join(", ")),
    };
    (format!("{label} {version}. {what}"), Some(urls::database_page(&c.name, DatabasePage::Upgrade)))
}

fn view(
    ctx: &Context,
    c: &Container,
    typed: Option<&Fields>,
    faults: &Faults,
    problem: Option<String>,
) -> SettingsPage {
    let is_admin = ctx.user().is_ok_and(User::is_admin);
    let base = urls::database(&c.name);
    SettingsPage {
        frame: ctx.frame_of(c),
        head: head(ctx, c, Some(Tab::Settings)),
        back_href: base.clone(),
        action: format!("{base}/settings"),
        fields: if in_trash(c) { Vec::new() } else { fields(ctx, c, typed, faults) },
        version: (!in_trash(c)).then(|| version(ctx, c)),
        // If the database is in the trash, the page always says so.
        problem: problem.filter(|_| !in_trash(c)),
        maintenance: is_admin.then(|| MaintenanceForm {
            action: format!("{base}/maintenance"),
            on: c.maintenance_note.is_some(),
            note: Field::textarea("note", "Note to the owner")
                .help("What is being done, and until when. The owner can view but not change the database meanwhile.")
                .value(c.maintenance_note.clone().unwrap_or_default())
                .error(fault(faults, "note"))
                .max_length(500),
        }),
    }
}

/// `GET /containers/{name}/settings`
pub async fn form(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    page(&view(&ctx, &c, None, &Faults::new(), None))
}

/// `POST /containers/{name}/settings`
pub async fn submit(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Edit).await?;
    let changes = match read(&ctx, &c, &fields, Faults::new()).await {
        Ok(changes) => changes,
        Err(AppError::Invalid(faults)) => {
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view(&ctx, &c, Some(&fields), &faults, None));
        }
        Err(e) => return Err(e),
    };
    let saved = |said: &str| Ok(to(&Tab::Settings.href(&c), Some(Flash::ok(said))));
    match edit(ctx.app(), &c, &changes, &ctx.actor()).await {
        Ok(Some(_)) => saved("Saved. The server restarts with the new limits."),
        Ok(None) => saved("Saved."),
        Err(e) => match ctx.refused("container.edit", Some(&c), e).await {
            AppError::Conflict(why) => {
                page_with(StatusCode::CONFLICT, &view(&ctx, &c, Some(&fields), &Faults::new(), Some(why)))
            }
            e => Err(e),
        },
    }
}

/// `POST /containers/{name}/maintenance`: `maintenance` = `on` or `off`, `note`
pub async fn maintenance(ctx: Context, Path(name): Path<String>, fields: Fields) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::Maintain).await?;
    let on = fields.text("maintenance") == "on";
    let note = match line(fields.text("note"), 500) {
        Ok(text) if text.is_empty() => "an administrator is working on it".to_owned(),
        Ok(text) => text,
        Err(rule) => {
            let faults = vec![("note".to_owned(), rule)];
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &view(&ctx, &c, None, &faults, None));
        }
    };
    let mut tx = ctx.app().db.begin().await?;
    states::set_maintenance(&mut tx, c.id, on.then_some(note.as_str())).await?;
    let detail = if on { format!("on: {note}") } else { "off".to_owned() };
    let entry = LogEntry {
        action: "container.maintenance",
        container: Some((c.id, &c.name)),
        outcome: Outcome::Ok,
        detail: &detail,
    };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    tx.commit().await?;
    let said = if on { "Maintenance started. The owner sees your note." } else { "Maintenance ended." };
    Ok(to(&Tab::Settings.href(&c), Some(Flash::ok(said))))
}
