//! `db4sci serve`: runs the portal until it is stopped.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use secrecy::SecretString;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::open_files;
use crate::auth::first_admin;
use crate::bootstrap::BootstrapParts;
use crate::catalog::Catalog;
use crate::cli::surroundings::{Surroundings, refuse, say};
use crate::clock::Clock;
use crate::config::{Config, Log, Problem};
use crate::runtime::docker::DockerRuntime;
use crate::serve::{Listeners, Running, start_on};

/// Time between two attempts to reach the container engine.
const ENGINE_RETRY: Duration = Duration::from_secs(2);

pub(super) async fn run(at: &Surroundings) -> ExitCode {
    let begin = Instant::now();
    let (config, catalog) = match load(at) {
        Ok(loaded) => loaded,
        Err(problems) => return refuse(&problems),
    };
    if let Err(problem) = init_log(&config.log) {
        return refuse(&[problem]);
    }
    match serve(at, config, catalog, begin).await {
        Ok(code) => code,
        Err(e) => {
            tracing::error!("The portal cannot start: {e:#}");
            ExitCode::FAILURE
        }
    }
}

/// Loads configuration and catalog, or returns all problems with them and the files they name.
fn load(at: &Surroundings) -> Result<(Config, Catalog), Vec<Problem>> {
    let problems = super::check_config::problems(at);
    if !problems.is_empty() {
        return Err(problems);
    }
    let config = at.config()?;
    let catalog = Catalog::load(&config.catalog)?;
    Ok((config, catalog))
}

/// Logs go to standard error; standard output is for people who start the portal interactively.
fn init_log(log: &Log) -> Result<(), Problem> {
    let wrong = |e: &dyn std::fmt::Display| Problem {
        source: "configuration".to_owned(),
        key: "log.level".to_owned(),
        rule: format!("“{}” is neither a log level nor a filter: {e}", log.level),
    };
    let filter = EnvFilter::try_new(filter(&log.level)).map_err(|e| wrong(&e))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let done = if log.json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    };
    done.map_err(|e| wrong(&e))
}

/// A plain level applies to the portal only: at `debug`, libraries log what they send, including secrets.
fn filter(level: &str) -> String {
    match level {
        "error" => "error".to_owned(),
        "warn" | "info" | "debug" | "trace" => format!("warn,mydb={level}"),
        filter => filter.to_owned(),
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

async fn serve(at: &Surroundings, config: Config, catalog: Catalog, begin: Instant) -> anyhow::Result<ExitCode> {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), mode = %config.mode, instance = %config.instance, "Starting");
    open_files::raise();
    if let Some(few) = open_files::too_few(&config) {
        tracing::warn!("{few}: raise LimitNOFILE of the service, or lower server.connections");
    }
    let password = admin_password(at)?;
    let mut signals = Signals::listen()?;
    let listeners = Listeners::bind(&config)?;
    let starting = async {
        let runtime = Arc::new(engine().await);
        start_on(listeners, BootstrapParts { config, catalog, runtime, clock: Clock::system() }, password).await
    };
    let mut running = tokio::select! {
        started = starting => started?,
        () = signals.next() => {
            tracing::info!("Stop requested during startup");
            return Ok(ExitCode::SUCCESS);
        }
    };
    tracing::info!(address = %running.address, seconds = begin.elapsed().as_secs_f64(), "Ready");
    if running.portal.app.config.mode.makes_own_secrets() {
        welcome(&running, begin.elapsed());
    }
    let failed = tokio::select! {
        () = signals.next() => None,
        e = running.failed() => Some(e),
    };
    match &failed {
        None => tracing::info!("Stop requested; send the signal again to stop without waiting for running work"),
        Some(e) => tracing::error!("The portal is stopping: {e:#}"),
    }
    match running.stop_unless(signals.next()).await {
        Ok(()) => tracing::info!("Stopped"),
        Err(late) => {
            tracing::error!(tasks = late.join(", "), "Stopped without waiting for: {}", late.join(", "));
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(if failed.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Connects to the container engine, waiting until it responds.
async fn engine() -> DockerRuntime {
    let mut said = false;
    loop {
        match DockerRuntime::connect().await {
            Ok(runtime) => return runtime,
            Err(e) if !said => {
                tracing::warn!("{e}; trying again every {} s", ENGINE_RETRY.as_secs());
                said = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(ENGINE_RETRY).await;
    }
}

/// The first administrator's password, if the environment sets it.
fn admin_password(at: &Surroundings) -> anyhow::Result<Option<SecretString>> {
    if let Some(password) = at.var("DB4SCI_ADMIN_PASSWORD") {
        return Ok(Some(SecretString::from(password)));
    }
    let Some(file) = at.var("DB4SCI_ADMIN_PASSWORD_FILE") else { return Ok(None) };
    let text =
        std::fs::read_to_string(file).with_context(|| format!("DB4SCI_ADMIN_PASSWORD_FILE: can't read {file}"))?;
    Ok(Some(SecretString::from(text.trim_end_matches(['\n', '\r']))))
}

/// Prints what somebody who tries out the portal needs first.
fn welcome(running: &Running, took: Duration) {
    let config = &running.portal.app.config;
    let port = running.address.port();
    let scheme = if config.server.tls { "https" } else { "http" };
    let address = config.server.public_url.clone().unwrap_or_else(|| format!("{scheme}://localhost:{port}"));
    let name = &config.branding.name;
    let file = first_admin::password_file(&running.portal.app);
    let password = if file.exists() {
        format!("password in {}", file.display())
    } else {
        "with the password that was set".to_owned()
    };
    let ca = config.server.cert.with_file_name("ca.pem");
    let trust = if config.server.tls && ca.exists() {
        format!("  Browser warning?     Import {} as a trusted CA, or ignore the warning.\n", ca.display())
    } else {
        String::new()
    };
    say(&format!(
        "\n  {name} is ready at  {address}   (started in {:.1} s)\n  First administrator  {}, {password}\n{trust}  \
         Ctrl-C stops the portal, never the databases.\n\n",
        took.as_secs_f64(),
        first_admin::NAME
    ));
}
