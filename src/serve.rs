//! Runs the portal in this process: listeners, parts and tasks. Used by `db4sci serve` and by tests.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use secrecy::SecretString;

use crate::admin_db::containers;
use crate::app::App;
use crate::auth::first_admin;
use crate::bootstrap::BootstrapParts;
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::data_dir_lock::Presence;
use crate::jobs::{memory_kills, portal_health, schedule, workers};
use crate::lifecycle::Lifecycle;
use crate::objects::Stores;
use crate::provision::freeze;
use crate::runtime::Runtime;
use crate::tasks;
use crate::web::portal::{Portal, Shared};
use crate::web::server;
use crate::{storage, tls};

/// Interval for cleaning up the counters of sign-in attempts.
const TIDY: Duration = Duration::from_secs(300);
/// Timeout for closing the connections to mydb_admin properly.
const CLOSE: Duration = Duration::from_secs(2);

/// The bound listeners.
#[derive(Debug)]
pub struct Listeners {
    portal: TcpListener,
    redirect: Option<TcpListener>,
    myaas: Option<TcpListener>,
}

impl Listeners {
    /// Binds the listeners before anything else starts, so that a port in use is reported early.
    pub fn bind(config: &Config) -> anyhow::Result<Self> {
        // Without TLS, there is nothing to redirect to.
        let redirect = config.server.redirect_listen.filter(|_| config.server.tls);
        Ok(Self {
            portal: server::bind(config.server.listen).context("server.listen")?,
            redirect: redirect.map(server::bind).transpose().context("server.redirect_listen")?,
            myaas: config.myaas.listen.map(server::bind).transpose().context("myaas.listen")?,
        })
    }
}

/// A running portal.
pub struct Running {
    /// State shared by its handlers.
    pub portal: Shared,
    /// The address it listens on.
    pub address: SocketAddr,
    /// The address of the interface for databases from templates.
    pub myaas: Option<SocketAddr>,
    lifecycle: Lifecycle,
    /// Shows other programs that the portal is running.
    _presence: Presence,
}

impl Running {
    /// Waits for a task that ends on its own, which none should.
    pub async fn failed(&mut self) -> anyhow::Error {
        self.lifecycle.failed().await
    }

    /// Stops the portal: open requests and running steps of jobs are completed.
    pub async fn stop(self) -> Result<(), Vec<&'static str>> {
        self.stop_unless(std::future::pending()).await
    }

    /// Like [`Running::stop`], but stops waiting once `hurry` completes.
    pub async fn stop_unless(self, hurry: impl Future<Output = ()>) -> Result<(), Vec<&'static str>> {
        let ended = self.lifecycle.stop(hurry).await;
        // Closing waits for connections in use, and a straggler or an unresponsive mydb_admin may keep one forever.
        if ended.is_ok() {
            let _ = tokio::time::timeout(CLOSE, self.portal.app.db.close()).await;
        }
        ended
    }
}

/// Starts a portal in this process.
///
/// # Errors
/// If a listener, a key, mydb_admin or the first administrator is unavailable.
pub async fn start(
    config: Config,
    catalog: Catalog,
    runtime: Arc<dyn Runtime>,
    clock: Clock,
    admin_password: Option<SecretString>,
) -> anyhow::Result<Running> {
    let listeners = Listeners::bind(&config)?;
    start_on(listeners, BootstrapParts { config, catalog, runtime, clock }, admin_password).await
}

/// Starts a portal on listeners that are already bound.
///
/// # Errors
/// If a key, mydb_admin or the first administrator is unavailable.
pub async fn start_on(
    listeners: Listeners,
    parts: BootstrapParts,
    admin_password: Option<SecretString>,
) -> anyhow::Result<Running> {
    // Fails only if an earlier portal in this process has already installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let presence = Presence::serving(&parts.config)?;
    let (stores, store_servers) = Stores::open(&parts.config).await.context("a backup target is unusable")?;
    let app = Box::pin(App::assemble(parts, stores)).await?;
    prepare_dev(&app)?;
    begin_tiers(&app).await?;
    begin_dumps(&app);
    if let Err(e) = freeze::thaw_all(&app).await {
        tracing::warn!("Could not look for paused databases: {e}");
    }
    first_admin::ensure(&app, admin_password).await.context("the first administrator cannot be created")?;

    let address = listeners.portal.local_addr()?;
    let portal: Shared = Arc::new(Portal::new(app.clone()));
    let mut lifecycle = Lifecycle::default();
    let stop = lifecycle.token();
    lifecycle.spawn("pages", server::serve(portal.clone(), listeners.portal, stop.clone()));
    for server in store_servers {
        lifecycle.spawn("embedded store", server.serve(stop.clone()));
    }
    if let Some(listener) = listeners.redirect {
        lifecycle.spawn("redirect to HTTPS", server::redirect(portal.clone(), listener, address.port(), stop.clone()));
    }
    let myaas = listeners.myaas.as_ref().map(TcpListener::local_addr).transpose()?;
    if let Some(listener) = listeners.myaas {
        lifecycle.spawn("databases from templates", server::serve_myaas(portal.clone(), listener, stop.clone()));
    }
    lifecycle.spawn("jobs", endless(workers::run(app.clone(), stop.clone())));
    lifecycle.spawn("schedule", endless(schedule::run(app.clone(), stop.clone())));
    lifecycle.spawn("memory_kills", endless(memory_kills::run(app.clone(), stop.clone())));
    lifecycle.spawn("portal_health", endless(portal_health::run(app, stop.clone())));
    let limits = portal.clone();
    lifecycle.spawn("sign-in limits", async move {
        while stop.run_until_cancelled(tokio::time::sleep(TIDY)).await.is_some() {
            limits.limits.tidy();
        }
        Ok(())
    });
    Ok(Running { portal, address, myaas, lifecycle, _presence: presence })
}

async fn endless(work: impl Future<Output = ()> + Send) -> anyhow::Result<()> {
    work.await;
    Ok(())
}

/// In dev mode, creates the directory of the default tier and a certificate.
fn prepare_dev(app: &App) -> anyhow::Result<()> {
    let config = &app.config;
    if !config.mode.makes_own_secrets() {
        return Ok(());
    }
    // Only the default tier: a directory created where another tier should be mounted would be mistaken for it.
    if let Some(tier) = config.storage.first() {
        std::fs::create_dir_all(&tier.path).with_context(|| format!("can't create {}", tier.path.display()))?;
    }
    if config.server.tls {
        let names = dev_names(&config.databases.host);
        let server = &config.server;
        tls::ensure_dev_certificate(&app.authority, &server.cert, &server.key, &names, app.clock.now())
            .context("the development certificate can't be made")?;
    }
    Ok(())
}

/// Creates the directory of dumps in the portal's own directory. One elsewhere may be on a disk that is not mounted.
fn begin_dumps(app: &App) {
    let dir = &app.config.templates.dumps;
    if dir.starts_with(&app.config.data_dir)
        && let Err(e) = std::fs::create_dir_all(dir)
    {
        tracing::warn!("Could not create the directory of dumps {}: {e}", dir.display());
    }
}

/// Creates the directories of new tiers and logs which tiers are unavailable: a portal that lacks one of several tiers
/// is still useful.
async fn begin_tiers(app: &App) -> anyhow::Result<()> {
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    drop(db);
    for tier in &app.config.storage {
        let in_use = rows.iter().any(|c| c.storage == tier.name && c.started_at.is_some());
        let (at, instance) = (tier.clone(), app.config.instance.clone());
        let begun = tasks::blocking(move || storage::begin(&at, &instance, in_use)).await?;
        if let Err(why) = begun {
            tracing::error!(tier = tier.name, "The storage tier “{}” is unavailable: {why}", tier.name);
        }
    }
    Ok(())
}

/// Host names under which users open a portal in dev mode.
fn dev_names(host: &str) -> Vec<String> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut names: Vec<String> = Vec::new();
    for name in [host, "localhost", "127.0.0.1", "::1", &machine] {
        if !name.is_empty() && !names.iter().any(|n| n == name) {
            names.push(name.to_owned());
        }
    }
    names
}
