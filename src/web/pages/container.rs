//! The page of a database, and the page that shows its generated password once.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::Path;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;

use super::actions::stopped_deletion;
use super::job::cancel_action;
use super::metrics::{Period, charts};
use super::shared::{collapsed, failed_advice, failure, job_row, size_of, steps_of, version};
use super::{metrics, notices};
use crate::admin_db::backups::assurance;
use crate::admin_db::containers::{Container, credentials, surveys};
use crate::admin_db::jobs::Job;
use crate::admin_db::log::{LogEntry, Outcome};
use crate::admin_db::{jobs, log};
use crate::config::Databases;
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::duration::duration_text;
use crate::domain::expiry::is_over;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::user::Action;
use crate::engine::{Authority, Endpoint, Survey, Tls};
use crate::provision::exec::last_lines;
use crate::trash::renew;
use crate::web::context::{Context, page, to};
use crate::web::error::AppError;
use crate::web::pages::container_head::{allowed, head, safety};
use crate::web::tabs::Tab;
use crate::web::urls;
use crate::web::urls::DatabasePage;
use crate::web::views::container::{Connect, ContainerPage, PasswordPage, SnippetView, Trash};
use crate::web::views::elements::format::data_url;
use crate::web::views::elements::steps::{FailureView, Steps};
use crate::web::views::{ActionButton, Fact, Flash, Moment};

/// How long the page waits for the log lines of a server before it is shown without them.
const LOG_WAIT: Duration = Duration::from_millis(500);

/// `GET /containers/{name}`
pub async fn show(ctx: Context, Path(name): Path<String>, uri: Uri, headers: HeaderMap) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::View).await?;
    let now = ctx.now();
    let mut db = ctx.app().db.acquire().await?;
    let recent = jobs::of_container(&mut db, c.id, 5).await?;
    let waiting =
        credentials::get(&mut db, c.id, credentials::CredentialKind::User).await?.is_some_and(|u| u.generated);
    let under_way = recent.iter().find(|j| !j.status.is_final());
    let active = match under_way {
        Some(job) => Some(steps_of(&mut db, &c, job, now).await?),
        None => None,
    };
    let day = charts(&ctx, &mut db, &c, Period::Day).await?;
    let told = notices::of(&ctx, &mut db, &c, "").await?;
    let seen = surveys::get(&mut db, c.id).await?.and_then(|look| look.data);
    let assured = assurance::of(&mut db, &[c.id]).await?;
    let expired = match is_over(c.expires_at, now) {
        true => Some(after_undelete(renew::end_after_undelete(ctx.app(), &mut db, &c).await?, now)),
        false => None,
    };
    drop(db);
    let log_lines = match &c.docker_id {
        Some(id) if c.active_job.is_none() => {
            tokio::time::timeout(LOG_WAIT, last_lines(ctx.app(), id, 8)).await.unwrap_or_default()
        }
        _ => String::new(),
    };
    let failure = failed(&c, active.as_ref()).or_else(|| not_deleted(&c, &recent));
    let mut ended = collapsed(recent.iter().filter(|j| j.status.is_final()).map(|j| job_row(j, None, now)));
    // The reason of the last failure is at the top of the page.
    if let Some(last) = ended.first_mut().filter(|row| failure.is_some() && row.chip.kind == "fail") {
        last.note = None;
    }
    let alive = !matches!(c.state, ContainerState::Trashed | ContainerState::Deleting);
    page(&ContainerPage {
        frame: ctx.frame_of(&c),
        head: head(&ctx, &c, Some(Tab::Overview)),
        notices: told,
        connect: connect(&ctx, &c, &authority(&ctx, &uri, &headers)).filter(|_| alive && c.started_at.is_some()),
        password: (waiting && c.started_at.is_some() && active.is_none())
            .then(|| urls::database_page(&c.name, DatabasePage::Password)),
        safety: safety(&c, assured.get(&c.id), ctx.app().config.backups.window, now),
        facts: facts(&ctx, &c, seen.as_ref().map(|s| &s.0)),
        charts: if day.iter().any(|chart| !chart.is_empty()) { day } else { Vec::new() },
        metrics_href: urls::database_page(&c.name, DatabasePage::Metrics),
        log_lines: log_lines.lines().map(str::to_owned).collect(),
        log_href: urls::database_page(&c.name, DatabasePage::Logs),
        jobs: ended,
        failure,
        trash: trash(&ctx, &c, expired),
        delete_href: (alive && active.is_none() && allowed(&ctx, &c, Action::Delete))
            .then(|| urls::database_page(&c.name, DatabasePage::Delete)),
        trash_days: u32::try_from(ctx.app().config.trash_days).ok().filter(|_| c.goes_to_trash()),
        cancel: match under_way {
            Some(job) => cancel_action(&ctx, job).await?,
            None => None,
        },
        job: active,
    })
}

fn failed(c: &Container, active: Option<&Steps>) -> Option<FailureView> {
    let reason = c.failed_reason.as_deref().filter(|_| active.is_none())?;
    let again = ActionButton::post("Try again", urls::database_page(&c.name, DatabasePage::Start)).primary();
    Some(failure(c.failed_step.as_deref().unwrap_or_default(), reason, failed_advice(c), vec![again]))
}

fn stays(state: ContainerState) -> bool {
    matches!(state, ContainerState::Running | ContainerState::Stopped)
}

/// The reason shown if the most recent job was a failed deletion.
fn not_deleted(c: &Container, recent: &[Job]) -> Option<FailureView> {
    let reason = recent.first().filter(|j| stays(c.state) && stopped_deletion(Some(j)).is_some())?;
    let again = ActionButton::link("Delete without a backup", urls::database_page(&c.name, DatabasePage::Delete));
    let advice = "Nothing was deleted. Check the backup error, or delete the database without a backup.";
    Some(failure("Make a final backup", reason.error.as_deref().unwrap_or_default(), advice, vec![again]))
}

/// What a restore from the trash changes for an expired database.
fn after_undelete(end: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    match end {
        Some(end) => format!(
            "The database has expired. If you restore it now, it expires again {} unless you extend it.",
            Moment::new(end, now).ago
        ),
        None => "The database has expired. If you restore it, it does not expire again.".to_owned(),
    }
}

fn trash(ctx: &Context, c: &Container, expired: Option<String>) -> Option<Trash> {
    let now = ctx.now();
    let (since, until) = (c.trashed_at?, c.purge_after?);
    (c.state == ContainerState::Trashed && c.active_job.is_none()).then(|| Trash {
        since: Moment::new(since, now),
        until: Moment::new(until, now),
        expired,
        undelete_href: urls::database_page(&c.name, DatabasePage::Undelete),
        purge_href: allowed(ctx, c, Action::Purge).then(|| urls::database_page(&c.name, DatabasePage::Purge)),
    })
}

/// Why other computers may be unable to connect, and which setting changes that.
fn only_here(config: &Databases, host: &str) -> Option<String> {
    let setting = if is_loopback(host) {
        format!(
            "“{host}” refers to this machine only. For other computers, an administrator must set databases.host to a name"
        )
    } else if config.bind.is_loopback() {
        "The ports of databases are open on this machine only. For other computers, an administrator must set \
         databases.bind to an address"
            .to_owned()
    } else {
        return None;
    };
    Some(format!("{setting} that they can reach."))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The portal's own address is where the CA certificate comes from.
fn authority(ctx: &Context, uri: &Uri, headers: &HeaderMap) -> Authority {
    let config = &ctx.app().config;
    let portal = urls::portal(config.server.public_url.as_deref(), uri, headers);
    // In dev mode, the portal's own certificate is issued by the same authority.
    Authority { url: format!("{portal}/ca.pem"), trusted: !config.mode.makes_own_secrets() }
}

/// How to connect; `None` until its ports are known.
fn connect(ctx: &Context, c: &Container, authority: &Authority) -> Option<Connect> {
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
    let unverified = engine.snippets(&endpoint, Tls::Unverified);
    let verified = engine.snippets(&endpoint, Tls::Verified(authority));
    let snippets = verified.into_iter().zip(unverified).map(|(s, plain)| SnippetView {
        variable: s.note.contains(engine.password_variable()),
        id: s.id.to_owned(),
        label: s.label.to_owned(),
        language: s.language.to_owned(),
        // Also where the certificate is not named, but must be trusted by the program that reads the text.
        fetch: (plain.text != s.text && !s.text.contains(&authority.url)).then(|| authority.shell()),
        unverified: (plain.text != s.text).then_some(plain.text),
        unverified_note: if plain.note == s.note { "" } else { plain.note }.to_owned(),
        text: s.text,
        note: s.note.to_owned(),
        install: s.install.to_vec(),
    });
    Some(Connect { facts, snippets: snippets.collect(), only_here: only_here(&ctx.app().config.databases, host) })
}

/// The cores that a database is pinned to, if it is.
fn cores(c: &Container) -> Option<String> {
    let request = CpuRequest::stored(c.cpuset.as_deref());
    match (&request, c.cpuset_assigned.as_deref()) {
        (CpuRequest::Unpinned, _) => None,
        (CpuRequest::Auto(_), Some(cores)) => Some(format!("{cores}, chosen automatically")),
        (CpuRequest::Auto(count), None) => Some(format!("{count}, chosen at the next start")),
        (CpuRequest::Set(_), Some(cores)) => Some(cores.to_owned()),
        (CpuRequest::Set(cores), None) => Some(cores.to_string()),
    }
}

fn facts(ctx: &Context, c: &Container, seen: Option<&Survey>) -> Vec<Fact> {
    let now = ctx.now();
    let mut facts = vec![Fact::text("Version", format!("{} {}", c.engine.label(), version(ctx.app(), c)))];
    if let Some(size) = size_of(c.size_bytes) {
        facts.push(Fact::size("Size on disk", &size));
    }
    if let Some(shared) = size_of(c.shared_bytes.filter(|bytes| *bytes > 0)) {
        facts.push(Fact::size("Of that, shared with copies", &shared));
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
    if let (true, Some(source), Some(at)) = (c.shows_source(), &c.source, c.cloned_at) {
        let text = format!("{source} as of {}", at.format("%Y-%m-%d %H:%M:%S UTC"));
        facts.push(match c.origin {
            Some(_) => {
                let href = urls::database_page(&c.name, DatabasePage::Snapshots);
                Fact { href: Some(href), ..Fact::text("Clone of", text) }
            }
            None => Fact::text("Restored from a backup of", text),
        });
    }
    facts.extend([
        Fact::when("Created", &Moment::new(c.created_at, now)),
        Fact::text("Owner", &c.owner),
        Fact::text("Memory", ByteSize(c.memory_bytes).to_string()),
        Fact::text("CPUs", MilliCpus(c.millicpus).to_string()),
        Fact::text("Storage", tier),
        Fact::code("Image", &c.image),
    ]);
    let settings = || Some(urls::database_page(&c.name, DatabasePage::Settings));
    facts.extend(cores(c).map(|text| Fact { href: settings(), ..Fact::text("Cores", text) }));
    if let Some(at) = c.oom_killed_at {
        let times = if c.oom_kills == 1 { "once".to_owned() } else { format!("{} times", c.oom_kills) };
        let text = format!("{times}, last at {}", at.format("%Y-%m-%d %H:%M UTC"));
        facts.push(Fact { href: settings(), ..Fact::text("Memory limit exceeded", text) });
    }
    if let Some(end) = c.expires_at {
        facts.push(Fact::when("Expires", &Moment::new(end, now)));
    }
    for (term, text) in [("Contact", &c.contact), ("Department", &c.department)] {
        if !text.is_empty() {
            facts.push(Fact::text(term, text));
        }
    }
    facts
}

/// `POST /containers/{name}/password`: shows the generated password and deletes it.
pub async fn reveal_password(
    ctx: Context,
    Path(name): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    let c = ctx.container(&name, Action::RevealPassword).await?;
    let base = urls::database(&c.name);
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
    let engine = c.engine.engine();
    let authority = authority(&ctx, &uri, &headers);
    let tls = Tls::Verified(&authority);
    let url = engine.tls_url(&endpoint, tls, Some(password.expose_secret()));
    let url_has_password = url != engine.tls_url(&endpoint, tls, None);
    let port = c.ports.first().map_or(0, |(_, port)| *port);
    let file = format!(
        "host: {host}\nport: {port}\ndatabase: {}\nuser: {}\npassword: {}\nurl: {url}\nca.pem: {}\n",
        c.dbname,
        c.dbuser,
        password.expose_secret(),
        authority.url
    );
    let response = page(&PasswordPage {
        frame: ctx.frame_of(&c),
        name: c.name.clone(),
        back_href: base,
        user: c.dbuser.clone(),
        password: password.expose_secret().to_owned(),
        shell: engine.snippets(&endpoint, tls).into_iter().next().map(|s| (s.label, s.text)),
        unverified: engine.tls_url(&endpoint, Tls::Unverified, Some(password.expose_secret())),
        fetch: authority.shell(),
        url,
        url_has_password,
        file_name: format!("{}.txt", c.name),
        file_href: data_url(&file),
    })?;
    // Deleted only now: if the page could not be rendered, nobody has seen the password.
    tx.commit().await?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_hosts_are_recognised() {
        for here in ["localhost", "lab.localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["db.example.org", "192.0.2.7", "localhost.example.org"] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
