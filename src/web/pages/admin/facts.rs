//! The details shown on `/admin/system` for each component.

use chrono::{DateTime, Duration, Utc};

use crate::admin_db::backups::schedule::ScheduledWork;
use crate::admin_db::jobs::JobStatus;
use crate::admin_db::seeds::Seed;
use crate::admin_db::spares::Spare;
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::domain::quantity::ByteSize;
use crate::jobs::schedule;
use crate::runtime::RuntimeInfo;
use crate::runtime::firewall_state::Wall;
use crate::runtime::image_states::ImageState;
use crate::tls;
use crate::web::views::admin::system::{FactGroup, ImageRow, SeedText};
use crate::web::views::{Chip, Fact, Moment};

fn group(title: &str, chip: Option<Chip>, facts: Vec<Fact>) -> FactGroup {
    FactGroup { title: title.to_owned(), chip, facts }
}

pub(crate) fn portal(app: &App, now: DateTime<Utc>) -> FactGroup {
    let config = &app.config;
    let listen = config.server.listen.to_string();
    let ports = format!("{} to {}", config.databases.ports.start(), config.databases.ports.end());
    let mut facts = vec![
        Fact::text("Version", env!("CARGO_PKG_VERSION")),
        Fact::when("Started", &Moment::new(app.started, now)),
        Fact::code("Instance", config.instance.as_str()),
        Fact::text("Mode", config.mode.as_str()),
        Fact::code("Listens on", listen),
    ];
    facts.extend(config.server.public_url.as_ref().map(|url| Fact::code("Public address", url)));
    facts.extend(config.server.redirect_listen.map(|a| Fact::code("Redirects from", a.to_string())));
    facts.extend([
        Fact::code("Database host", &config.databases.host),
        Fact::code("Database ports", ports),
        Fact::code("Configuration", config.mode_dir.display().to_string()),
        Fact::code("Data", config.data_dir.display().to_string()),
        Fact::code("Worker", &app.worker),
    ]);
    group("Portal", None, facts)
}

pub(crate) fn engine(info: &Result<RuntimeInfo, String>) -> FactGroup {
    let title = "Container engine";
    match info {
        Ok(info) => group(
            title,
            Some(Chip::new("run", "responding")),
            vec![
                Fact::text("Version", &info.version),
                Fact::text("API", &info.api),
                Fact::text("Storage driver", &info.driver),
                Fact::text("Control groups", format!("version {}", info.cgroup)),
                Fact::code("Directory", &info.root),
                Fact::text("Cores", info.cpus.to_string()),
                Fact::text("Memory", ByteSize(info.memory).to_string()),
            ],
        ),
        Err(reason) => group(title, Some(Chip::new("fail", "not responding")), vec![Fact::text("Reason", reason)]),
    }
}

pub(crate) fn admin_db(app: &App, (version, size): &(String, i64)) -> FactGroup {
    let config = &app.config;
    let own = format!("{}-{}", config.instance, crate::bootstrap::NAME);
    let place = match config.admin_db.url {
        Some(_) => Fact::text("Server", "external (admin_db.url)"),
        None => Fact::code("Portal’s own container", own),
    };
    let open = format!("{} of at most {}", app.db.size(), config.admin_db.connections);
    group(
        "The portal’s own database (mydb_admin)",
        Some(Chip::new("run", "responding")),
        vec![
            place,
            Fact::text("Version", format!("PostgreSQL {version}")),
            Fact::text("Size", ByteSize(*size).to_string()),
            Fact::text("Connections from this portal", open),
        ],
    )
}

pub(crate) fn certificates(
    app: &App,
    own: Option<Result<(DateTime<Utc>, String), String>>,
    now: DateTime<Utc>,
) -> FactGroup {
    let file = || Fact::code("File", app.config.server.cert.display().to_string());
    let (chip, mut facts) = match own {
        None => (None, vec![Fact::text("HTTPS", "HTTPS is handled by the proxy in front of the portal")]),
        Some(Err(reason)) => (Some(Chip::new("fail", "unreadable")), vec![file(), Fact::text("Reason", reason)]),
        Some(Ok((end, issuer))) => {
            let chip = match end - now {
                left if left <= Duration::zero() => Chip::new("fail", "expired"),
                left if left <= CERTIFICATE_WARNING => Chip::new("care", "expires soon"),
                _ => Chip::new("run", "valid"),
            };
            let ends = Fact::when(if end > now { "Expires" } else { "Expired" }, &Moment::new(end, now));
            (Some(chip), vec![ends, Fact::text("Issued by", issuer), file()])
        }
    };
    if let Ok((end, _)) = tls::describe(app.authority.certificate()) {
        facts.push(Fact::when("Database CA expires", &Moment::new(end, now)));
    }
    facts.push(Fact::link("Database CA certificate", "ca.pem", "/ca.pem"));
    group("Certificate", chip, facts)
}

pub(crate) fn queue(app: &App, counts: &[(JobStatus, i64)]) -> FactGroup {
    let of = |status| counts.iter().find(|(s, _)| *s == status).map_or(0, |(_, n)| *n);
    let link = |term: &str, status: JobStatus| {
        Fact::link(term, of(status).to_string(), format!("/admin/jobs?status={}", status.as_str()))
    };
    group(
        "Jobs",
        None,
        vec![
            link("Running", JobStatus::Running),
            link("Waiting", JobStatus::Queued),
            link("Failed in the last 24 hours", JobStatus::Failed),
            Fact::text("Parallel jobs in this portal", app.config.jobs.workers.to_string()),
        ],
    )
}

pub(crate) fn work(periodic: &[ScheduledWork], now: DateTime<Utc>) -> FactGroup {
    let mut facts = Vec::new();
    for work in periodic {
        let title = schedule::title(&work.name);
        let next = match work.next_run {
            at if (at - now).num_seconds() <= 0 => "due now".to_owned(),
            at => format!("next {}", Moment::new(at, now).ago),
        };
        facts.push(match work.last_run {
            Some(at) => {
                let last = Moment::new(at, now);
                Fact { text: format!("{}, {next}", last.ago), written: None, ..Fact::when(title, &last) }
            }
            None => Fact { text: next, written: None, ..Fact::when(title, &Moment::new(work.next_run, now)) },
        });
        facts.extend(error_of(work).map(|error| Fact::text(format!("{title} failed"), error)));
    }
    let broken = periodic.iter().any(|w| error_of(w).is_some());
    let chip = if broken { Chip::new("fail", "failing") } else { Chip::new("run", "working") };
    group("Periodic tasks", (!periodic.is_empty()).then_some(chip), facts)
}

pub(crate) fn image(
    app: &App,
    image: &CatalogImage,
    seeds: &[Seed],
    spares: (&[Spare], i64),
    now: DateTime<Utc>,
) -> ImageRow {
    let reference = app.config.image_reference(&image.image);
    let state = app.images.get(&image.image);
    ImageRow {
        name: image.image.clone(),
        replaced_by: (reference != image.image).then_some(reference),
        engine: image.engine.to_string(),
        version: image.version.clone(),
        end_of_life: image.end_of_life.map(|day| match day < now.date_naive() {
            true => format!("{day} (past)"),
            false => day.to_string(),
        }),
        chip: match state {
            ImageState::Present { .. } => Chip::of("present"),
            ImageState::Pullable => Chip::new("wait", "pulled when needed"),
            ImageState::Unavailable(_) => Chip::of("unavailable"),
        },
        reason: state.unavailable().map(str::to_owned),
        seeds: seeds
            .iter()
            .filter(|seed| seed.image == image.image)
            .map(|seed| SeedText {
                tier: seed.tier.clone(),
                made: seed.made_at.map(|at| Moment::new(at, now)),
                failed: seed.failed.clone(),
            })
            .collect(),
        spares: spares_text(image, spares),
    }
}

/// The servers of an image that were started in advance, and how many were taken today.
fn spares_text(image: &CatalogImage, (spares, taken): (&[Spare], i64)) -> Option<String> {
    let own: Vec<_> = spares.iter().filter(|spare| spare.image == image.image).collect();
    if own.is_empty() && taken == 0 {
        return None;
    }
    let ready = own.iter().filter(|spare| spare.made_at.is_some()).count();
    let held = ByteSize(own.iter().filter_map(|spare| spare.memory_used).sum());
    let limit = ByteSize(own.iter().map(|spare| spare.memory_bytes).sum());
    Some(format!(
        "{ready} ready, {} being made, {taken} taken today; they use {held} of at most {limit} of memory",
        own.len() - ready
    ))
}

/// Whether databases can open outgoing connections.
pub(crate) fn egress(wall: Option<&Wall>) -> FactGroup {
    let (kind, word, text) = match wall {
        Some(Wall::Stands) => (
            "run",
            "closed",
            "The firewall prevents databases from reaching this machine, each other and other networks.".to_owned(),
        ),
        Some(Wall::Missing(why)) => {
            ("fail", "open", format!("Databases can reach this machine and other networks: {why}"))
        }
        Some(Wall::Theirs) => (
            "care",
            "not managed",
            "The portal does not manage firewall rules, because databases.firewall is false.".to_owned(),
        ),
        None => (
            "wait",
            "unknown",
            "Not checked yet: no database has been created or started since the portal started.".to_owned(),
        ),
    };
    group("Firewall", Some(Chip::new(kind, word)), vec![Fact::text("Databases", text)])
}

/// Why the last run of a scheduled task failed, if it did.
pub(crate) fn error_of(work: &ScheduledWork) -> Option<String> {
    Some(work.result.as_ref()?.get("error")?.as_str()?.to_owned())
}

/// Remaining validity at which a certificate needs attention.
pub(crate) const CERTIFICATE_WARNING: Duration = Duration::days(30);

/// Expiry and issuer of the portal's certificate, or why it cannot be read. `None` if a proxy terminates HTTPS.
pub(crate) async fn certificate(app: &App) -> Option<Result<(DateTime<Utc>, String), String>> {
    let server = &app.config.server;
    if !server.tls {
        return None;
    }
    let file = server.cert.display();
    let read = match tokio::fs::read_to_string(&server.cert).await {
        Ok(text) => tls::describe(&text).map_err(|e| format!("{file}: {e:#}.")),
        Err(e) => Err(format!("{file}: {e}.")),
    };
    Some(read)
}
