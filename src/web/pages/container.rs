//! The page of a database, and the page that shows its generated password once.

use std::time::Duration;

use axum::extract::Path;
use axum::response::Response;
use secrecy::ExposeSecret;

use super::actions::stopped_deletion;
use super::job::cancel_action;
use super::metrics::charts;
use super::shared::{failed_advice, failure, job_row, size_of, steps, version};
use super::{metrics, notices};
use crate::admin_db::containers::{Container, credentials, surveys};
use crate::admin_db::jobs::{Job, listing};
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::{jobs, log};
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::engine::{Endpoint, Survey};
use crate::provision::exec::last_lines;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::pages::container_head::{allowed, head};
use crate::web::views::container::{Connect, ContainerPage, PasswordPage, SnippetView, Trash};
use crate::web::views::elements::format::{data_url, duration_text};
use crate::web::views::elements::steps::{FailureView, Steps};
use crate::web::views::{ActionButton, Fact, Flash, Moment};

/// How long the page waits for the log lines of a server before it is shown without them.
const LOG_WAIT: Duration = Duration::from_millis(500);

/// `GET /containers/{name}`
pub async fn show(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let recent = jobs::of_container(&mut db, c.id, 5).await?;
    let waiting =
        credentials::get(&mut db, c.id, credentials::CredentialKind::User).await?.is_some_and(|u| u.generated);
    let under_way = recent.iter().find(|j| !j.status.is_final());
    let active = match under_way {
        Some(job) => {
            let rows = jobs::steps(&mut db, job.id).await?;
            let usual = listing::usual_seconds(&mut db, &job.kind, &c.image).await?;
            Some(steps(job, &rows, &c.name, usual, now))
        }
        None => None,
    };
    let day = charts(&ctx, &mut db, &c, false).await?;
    let told = notices::of(&ctx, &mut db, &c, "").await?;
    let seen = surveys::get(&mut db, c.id).await?.and_then(|look| look.data);
    drop(db);
    let log_lines = match &c.docker_id {
        Some(id) if c.active_job.is_none() => {
            tokio::time::timeout(LOG_WAIT, last_lines(ctx.app(), id, 8)).await.unwrap_or_default()
        }
        _ => String::new(),
    };
    let base = format!("/containers/{}", c.name);
    let alive = !matches!(c.state, ContainerState::Trashed | ContainerState::Deleting);
    page(&ContainerPage {
        frame: ctx.frame("home"),
        head: head(&ctx, &c, "Overview"),
        notices: told,
        connect: connect(&ctx, &c).filter(|_| alive && c.started_at.is_some()),
        password: (waiting && c.started_at.is_some() && active.is_none()).then(|| format!("{base}/password")),
        facts: facts(&ctx, &c, seen.as_ref().map(|s| &s.0)),
        charts: if day.iter().any(|chart| !chart.is_empty()) { day } else { Vec::new() },
        metrics_href: format!("{base}/metrics"),
        log_lines: log_lines.lines().map(str::to_owned).collect(),
        log_href: format!("{base}/logs"),
        jobs: recent.iter().filter(|j| j.status.is_final()).map(|j| job_row(j, None, now)).collect(),
        failure: failed(&c, active.as_ref()).or_else(|| not_deleted(&c, &recent)),
        trash: trash(&ctx, &c),
        delete_href: (alive && active.is_none() && allowed(&ctx, &c, Action::Delete)).then(|| format!("{base}/delete")),
        trash_days: u32::try_from(ctx.app().config.trash_days).unwrap_or(0),
        cancel: match under_way {
            Some(job) => cancel_action(&ctx, job).await?,
            None => None,
        },
        job: active,
    })
}

fn failed(c: &Container, active: Option<&Steps>) -> Option<FailureView> {
    let reason = c.failed_reason.as_deref().filter(|_| active.is_none())?;
    let again = ActionButton::post("Try again", format!("/containers/{}/start", c.name)).primary();
    Some(failure(c.failed_step.as_deref().unwrap_or_default(), reason, failed_advice(c), vec![again]))
}

fn stays(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Stopped)
}

/// The reason shown if the most recent job was a failed deletion.
fn not_deleted(c: &Container, recent: &[Job]) -> Option<FailureView> {
    let reason = recent.first().filter(|j| stays(c.state) && stopped_deletion(Some(j)).is_some())?;
    let again = ActionButton::link("Delete without a backup", format!("/containers/{}/delete", c.name));
    let advice = "Nothing was deleted. Check the backup error, or delete the database without a backup.";
    Some(failure("Make a final backup", reason.error.as_deref().unwrap_or_default(), advice, vec![again]))
}

fn trash(ctx: &Context, c: &Container) -> Option<Trash> {
    let now = ctx.now();
    let (since, until) = (c.trashed_at?, c.purge_after?);
    (c.state == ContainerState::Trashed && c.active_job.is_none()).then(|| Trash {
        since: Moment::new(since, now),
        until: Moment::new(until, now),
        undelete_href: format!("/containers/{}/undelete", c.name),
        purge_href: allowed(ctx, c, Action::Purge).then(|| format!("/containers/{}/purge", c.name)),
    })
}

/// How to connect; `None` until its ports are known.
fn connect(ctx: &Context, c: &Container) -> Option<Connect> {
    let host = &ctx.app().config.databases.host_of(&c.name);
    let endpoint = Endpoint { host, ports: &c.ports, dbname: &c.dbname, dbuser: &c.dbuser };
    if c.ports.is_empty() {
        return None;
    }
    let mut facts = vec![Fact::code("Host", host)];
    facts.extend(c.ports.iter().map(|(purpose, port)| {
        let term = if c.ports.len() == 1 { "Port".to_owned() } else { format!("Port ({purpose})") };
        Fact::code(term, port.to_string())
    }));
    facts.extend([Fact::code("Database", &c.dbname), Fact::code("User", &c.dbuser)]);
    let engine = c.engine.engine();
    let snippets = engine.snippets(&endpoint).into_iter().map(|s| SnippetView {
        variable: s.note.contains(engine.password_variable()),
        id: s.id.to_owned(),
        label: s.label.to_owned(),
        language: s.language.to_owned(),
        text: s.text,
        note: s.note.to_owned(),
    });
    Some(Connect { facts, snippets: snippets.collect(), note: Some(engine.encryption_note().to_owned()) })
}

fn facts(ctx: &Context, c: &Container, seen: Option<&Survey>) -> Vec<Fact> {
    let now = ctx.now();
    let mut facts = vec![Fact::text("Version", format!("{} {}", c.engine.label(), version(ctx.app(), c)))];
    if let Some(size) = size_of(c.size_bytes) {
        facts.push(Fact::size("Size on disk", &size));
    }
    if let (ContainerState::Running, Some(at)) = (c.state, c.started_at) {
        let up = u64::try_from((now - at).num_milliseconds()).unwrap_or(0);
        facts.push(Fact { title: Some(Moment::new(at, now).absolute), ..Fact::text("Uptime", duration_text(up)) });
    }
    if let (ContainerState::Running, Some(seen)) = (c.state, seen) {
        // The uptime is already among the facts.
        facts.extend(metrics::facts(&Survey { uptime_seconds: None, ..seen.clone() }));
    }
    let tier = ctx.app().config.tier(&c.storage).map_or(c.storage.as_str(), |t| t.label.as_str());
    facts.extend([
        Fact::when("Created", &Moment::new(c.created_at, now)),
        Fact::text("Owner", &c.owner),
        Fact::text("Memory", ByteSize(c.memory_bytes).to_string()),
        Fact::text("CPUs", MilliCpus(c.millicpus).to_string()),
        Fact::text("Storage", tier),
        Fact::code("Image", &c.image),
    ]);
    for (term, text) in [("Contact", &c.contact), ("Department", &c.department)] {
        if !text.is_empty() {
            facts.push(Fact::text(term, text));
        }
    }
    facts
}

/// `POST /containers/{name}/password`: shows the generated password and deletes it.
pub async fn reveal_password(ctx: Context, Path(name): Path<String>) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::RevealPassword).await?;
    let base = format!("/containers/{}", c.name);
    if c.started_at.is_none() || c.is_busy() {
        return Ok(to(&base, Some(Flash::warn("The password is being set. Wait until the job is done."))));
    }
    let app = ctx.app();
    let mut tx = app.db.begin().await?;
    let taken = credentials::take(&mut tx, c.id, credentials::CredentialKind::User).await?;
    let Some(credential) = taken.filter(|k| k.generated) else {
        return Ok(to(&base, Some(Flash::warn("The password has already been shown. The portal does not keep it."))));
    };
    let password = app.sealer.open(&credential.sealed, &credentials::CredentialKind::User.context(c.id))?;
    let entry = LogEntry {
        action: "container.password_shown",
        container: Some((c.id, &c.name)),
        outcome: Outcome::Ok,
        detail: "",
    };
    log::append(&mut tx, &ctx.actor(), &entry, ctx.now()).await?;
    let host = &app.config.databases.host_of(&c.name);
    let endpoint = Endpoint { host, ports: &c.ports, dbname: &c.dbname, dbuser: &c.dbuser };
    let url = c.engine.engine().url(&endpoint, Some(password.expose_secret()));
    let url_has_password = url != c.engine.engine().url(&endpoint, None);
    let port = c.ports.first().map_or(0, |(_, port)| *port);
    let file = format!(
        "host: {host}\nport: {port}\ndatabase: {}\nuser: {}\npassword: {}\nurl: {url}\n",
        c.dbname,
        c.dbuser,
        password.expose_secret()
    );
    let response = page(&PasswordPage {
        frame: ctx.frame("home"),
        name: c.name.clone(),
        back_href: base,
        user: c.dbuser.clone(),
        password: password.expose_secret().to_owned(),
        url,
        url_has_password,
        file_name: format!("{}.txt", c.name),
        file_href: data_url(&file),
    })?;
    // Deleted only now: if the page could not be rendered, nobody has seen the password.
    tx.commit().await?;
    Ok(response)
}
