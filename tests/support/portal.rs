//! The portal of a test, with its own instance id, tables, directories and ports, all removed when it is dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mydb::catalog::Catalog;
use mydb::clock::Clock;
use mydb::config::Config;
use mydb::runtime::Runtime;
use mydb::runtime::docker::DockerRuntime;
use mydb::runtime::fault::Faulty;
use mydb::secrets::Random;
use mydb::serve::{Running, start};
use mydb::web::portal::Shared;
use secrecy::{ExposeSecret, SecretString};

pub use super::configuration::{PORTS, configuration, environment, ports, prefix, store, test_dir};
use super::{Client, PATIENCE, admin_db, docker};

/// Password of the first administrator.
pub const ADMIN_PASSWORD: &str = "administrator";
/// How a test's portal differs from the default.
pub struct Options {
    /// Changes the configuration before the start.
    pub configure: Box<dyn FnOnce(&mut Config) + Send>,
    /// Where its tables are.
    pub tables: Tables,
    /// Replaces the connection to the container engine.
    pub runtime: Option<Arc<dyn Runtime>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { configure: Box::new(|_| {}), tables: Tables::Shared, runtime: None }
    }
}

/// Where the tables of a test portal are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// On the shared server, copied from a template, with seeds for its databases.
    Shared,
    /// On the shared server, in an empty database, without seeds.
    Empty,
    /// In its own container, as in a fresh installation, without seeds.
    Own,
}

/// The statement that reads the engine's name for the container of a database.
pub fn container_of(name: &str) -> String {
    format!(
        "select docker_name from container where name = '{name}' order by purged_at is not null, created_at desc limit 1"
    )
}

/// A portal.
pub struct TestPortal {
    /// Its instance id.
    pub instance: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The URL of its tables; empty if they are in its own container.
    pub tables: String,
    /// Its URL.
    pub base: String,
    /// Its configuration, for restarts.
    pub config: Config,
    /// Injects faults into its container engine.
    pub faults: Faulty,
    /// Its clock.
    pub clock: Clock,
    running: Option<Running>,
    /// Names of the portals that were killed since the last start.
    killed: Vec<String>,
}

impl TestPortal {
    /// Starts a portal.
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    /// Starts a portal with a store for backups.
    pub async fn with_store() -> Self {
        Self::with(Options { configure: Box::new(store), ..Options::default() }).await
    }

    /// Starts a portal with these options.
    pub async fn with(options: Options) -> Self {
        let (mut config, tables) = configuration(options.tables);
        (options.configure)(&mut config);
        let docker = match options.runtime {
            Some(runtime) => runtime,
            None => Arc::new(DockerRuntime::connect().await.expect("the container engine answers")),
        };
        let mut portal = Self {
            instance: config.instance.to_string(),
            dir: config.data_dir.clone(),
            tables,
            base: String::new(),
            config,
            faults: Faulty::new(docker),
            clock: Clock::system(),
            running: None,
            killed: Vec::new(),
        };
        Box::pin(portal.run()).await;
        portal
    }

    /// Starts the portal, also after it was stopped.
    pub async fn run(&mut self) {
        for worker in std::mem::take(&mut self.killed) {
            // Its jobs are taken over at once instead of when their leases expire: after a second, because its threads end
            // later than its tasks. If mydb_admin is away, they are taken over later.
            let expired = format!(
                "update job set lease_until = least(lease_until, now() + interval '1 second')
                  where status = 'running' and worker like '{worker}/%'"
            );
            let _ = admin_db::psql(&self.tables_url(), &expired);
        }
        let catalog = Catalog::load(&self.config.catalog).expect("the catalog is sound");
        let password = Some(SecretString::from(ADMIN_PASSWORD));
        let runtime: Arc<dyn Runtime> = Arc::new(self.faults.clone());
        let starting = Box::pin(start(self.config.clone(), catalog, runtime, self.clock.clone(), password));
        let running = tokio::time::timeout(PATIENCE, starting).await;
        let running = running.unwrap_or_else(|_| panic!("the portal did not start within {} s", PATIENCE.as_secs()));
        let running = running.unwrap_or_else(|e| panic!("the portal starts: {e:#}"));
        self.base = format!("https://localhost:{}", running.address.port());
        self.running = Some(running);
    }

    /// Stops the portal as a signal would.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await.expect("all tasks end");
        }
    }

    /// Kills the portal in the middle of its work: its tasks are dropped at their next await.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            self.killed.push(running.portal.app.worker.clone());
        }
    }

    /// The portal's parts.
    pub fn app(&self) -> &Shared {
        &self.running.as_ref().expect("the portal runs").portal
    }

    /// The running portal.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("the portal runs")
    }

    /// A client that is not signed in.
    pub fn nobody(&self) -> Client {
        Client::nobody(&self.base)
    }

    /// A client signed in as the first administrator.
    pub async fn admin(&self) -> Client {
        let client = self.nobody();
        client.sign_in("admin", ADMIN_PASSWORD).await;
        client
    }

    /// Creates a user with this name and returns a signed-in client.
    pub async fn user(&self, name: &str) -> Client {
        let admin = self.admin().await;
        let fields = [("username", name), ("password", "researcher-1"), ("role", "user"), ("email", "")];
        admin.post("/admin/users", &fields).await.expect(303);
        let client = self.nobody();
        client.sign_in(name, "researcher-1").await;
        client
    }

    /// An API client of this account with a new token.
    pub async fn token(&self, client: &Client) -> Client {
        client.with_token(&self.token_secret(client).await)
    }

    /// The secret of a new token of this client's user.
    pub async fn token_secret(&self, client: &Client) -> String {
        let reply = client.post("/account/tokens", &[("name", "test"), ("days", "1")]).await.expect(200);
        let shown = reply.all("code, pre");
        shown.iter().map(|t| t.trim()).find(|t| t.len() == 64).expect("the token is shown").to_owned()
    }

    /// The engine's name for the container of a database.
    pub fn container(&self, name: &str) -> String {
        self.sql(&container_of(name))
    }

    /// The port of a database.
    pub fn port(&self, name: &str) -> u16 {
        let statement = format!(
            "select port from port join container on container.id = container_id where name = '{name}' and purged_at is null"
        );
        self.sql(&statement).parse().expect("a port")
    }

    /// Queries the portal's tables directly.
    pub fn sql(&self, statement: &str) -> String {
        admin_db::psql(&self.tables_url(), statement).unwrap_or_else(|| panic!("the statement succeeds: {statement}"))
    }

    /// Scans every running server, even those without connections since the last scan.
    pub async fn scan(&self) -> serde_json::Value {
        let app = &self.app().app;
        app.activity.keep(|_| false);
        mydb::jobs::survey::survey(app).await.expect("a scan")
    }

    /// Repeats a query until its result is as wanted, and returns it. The test fails with the last result if it
    /// never is.
    pub async fn until(&self, statement: &str, wanted: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let said = self.sql(statement);
            if wanted(&said) {
                return said;
            }
            assert!(begin.elapsed() < PATIENCE, "never as wanted: {statement}: {said}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The id of the newest job of this kind, or nothing.
    pub fn newest(&self, kind: &str) -> String {
        self.sql(&format!("select id from job where kind = '{kind}' order by created_at desc limit 1"))
    }

    /// Waits until the newest job of this kind has ended, and returns its status and error.
    pub async fn ended(&self, kind: &str) -> (String, String) {
        let newest = format!(
            "select status || '|' || coalesce(error, '') from job where kind = '{kind}' order by created_at desc limit 1"
        );
        let said = self.until(&newest, |said| !said.is_empty() && !is_open(said)).await;
        let (status, error) = said.split_once('|').expect("status and error");
        (status.to_owned(), error.to_owned())
    }

    /// Kills the portal several times while a job of this kind runs, and starts it again. At least one kill must hit.
    pub async fn kill_during(&mut self, kind: &str, times: u32, interval: Duration) {
        let mut hits = 0;
        for _ in 0..times {
            tokio::time::sleep(interval).await;
            self.kill();
            hits += self.sql(&format!("select 1 from job where kind = '{kind}' and status = 'running'")).len();
            self.run().await;
        }
        assert!(hits > 0, "the {kind} job had ended before the first kill");
    }

    /// The URL of its tables, whichever server they are on.
    pub fn tables_url(&self) -> String {
        if !self.tables.is_empty() {
            return self.tables.clone();
        }
        let url = mydb::bootstrap::existing_url(&self.config, &Random::system());
        url.expect("its connection can be read").expect("it has been made").expose_secret().to_owned()
    }

    /// Names of the instance's containers in the container engine.
    pub fn containers(&self) -> Vec<String> {
        docker::containers(&self.instance)
    }

    /// A connection to a database as its user, from outside through the published port.
    pub async fn connect(&self, name: &str, password: &str) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
        let port = self.port(name);
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(port).dbname("trial").user("ada").password(password);
        connect(&config).await
    }
}

/// How long a running server may take to accept a connection on a busy machine.
const SIGN_IN: Duration = Duration::from_secs(60);

/// Connects to a server and signs in. The engine's proxy accepts connections of servers that do not respond, so that the
/// client's own timeout is not enough.
pub async fn connect(config: &tokio_postgres::Config) -> Result<tokio_postgres::Client, tokio_postgres::Error> {
    let begun = tokio::time::timeout(SIGN_IN, config.connect(tokio_postgres::NoTls)).await;
    let (client, connection) =
        begun.unwrap_or_else(|_| panic!("no response to a sign-in within {} s: {config:?}", SIGN_IN.as_secs()))?;
    tokio::spawn(connection);
    Ok(client)
}

impl Drop for TestPortal {
    fn drop(&mut self) {
        drop(self.running.take());
        docker::sweep(&self.instance);
        let _ = std::fs::remove_dir_all(&self.dir);
        for tier in &self.config.storage {
            let _ = std::fs::remove_dir_all(tier.path.join(&self.instance));
        }
    }
}

/// Whether a job's status, at the beginning of `said`, is not final.
fn is_open(said: &str) -> bool {
    ["queued", "running"].iter().any(|open| said.starts_with(open))
}
