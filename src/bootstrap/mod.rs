//! Creates mydb_admin's own container if it is missing and starts it if it is down.
//!
//! The connection (port, encrypted password) is stored in the data directory next to the database's files, so that a
//! restarted portal finds the same database again, even if its container was removed manually.

mod saved_connection;

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Connection, PgConnection, PgPool};
use uuid::Uuid;

use self::saved_connection::{SEAL_CONTEXT, SavedConnection, url};
use crate::admin_db::MIGRATOR;
use crate::catalog::{Catalog, CatalogImage};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::cpu_set::CpuSet;
use crate::domain::names::{DbName, DbUser};
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::engine::{InjectedFile, ServerSpec, Tools};
use crate::runtime::{ContainerSpec, Mount, Publish, Runtime};
use crate::secrets::{Random, Sealer};
use crate::storage::Files;
use crate::tls::Authority;

pub use self::saved_connection::{NAME, existing_url, record_instance};

/// Timeout for a new mydb_admin to respond, without the time to pull its image.
const START: Duration = Duration::from_secs(120);
/// Timeout of one connection attempt.
const ANSWER: Duration = Duration::from_secs(5);

/// Everything needed to create or start mydb_admin.
pub struct Bootstrap<'a> {
    /// Configuration.
    pub config: &'a Config,
    /// Catalog, for the properties of the image.
    pub catalog: &'a Catalog,
    /// The container engine.
    pub runtime: &'a dyn Runtime,
    /// Encrypts the password.
    pub sealer: &'a Sealer,
    /// Generates the password.
    pub random: &'a Random,
    /// File operations.
    pub files: &'a Files,
    /// Signs the certificate.
    pub authority: &'a Authority,
    /// Current time, for the certificate.
    pub now: chrono::DateTime<chrono::Utc>,
}

impl Bootstrap<'_> {
    fn dir(&self) -> PathBuf {
        self.config.data_dir.join(NAME)
    }

    fn container_name(&self) -> String {
        format!("{}-{NAME}", self.config.instance)
    }

    /// The URL of mydb_admin. Unless a URL is configured, creates a missing container or starts one that is down, and
    /// waits until the server responds.
    pub async fn ensure(&self) -> anyhow::Result<SecretString> {
        if let Some(url) = &self.config.admin_db.url {
            return Ok(url.clone());
        }
        let saved = self.saved()?;
        let password = self.sealer.open(&hex::decode(&saved.sealed)?, SEAL_CONTEXT)?;
        let url = url(saved.port, &password);
        // If mydb_admin has responded before, an empty data directory means that a disk is not mounted.
        let (data, answered) = (self.dir().join("data"), self.dir().join("answered"));
        if answered.exists() && !holds_data(&data) {
            bail!("mydb_admin's data is not in {}. Is its disk mounted? Nothing was changed.", data.display());
        }
        match self.runtime.inspect(&self.container_name()).await? {
            Some(found) if found.running => {}
            Some(found) => {
                // A portal killed while creating the container may not have copied the files into it.
                let (_, files) = self.describe(saved.port, &password)?;
                self.runtime.copy_in(&found.id, &files).await?;
                self.runtime.start(&found.id).await?;
            }
            None => self.create(saved.port, &password).await?,
        }
        self.wait(&url).await?;
        if !answered.exists() {
            std::fs::write(&answered, "").with_context(|| format!("can't write {}", answered.display()))?;
        }
        Ok(url)
    }

    /// The saved connection, generated at the first start.
    fn saved(&self) -> anyhow::Result<SavedConnection> {
        let file = saved_connection::file(self.config);
        if let Some(saved) = SavedConnection::read(self.config)? {
            return Ok(saved);
        }
        if holds_data(&self.dir().join("data")) {
            bail!(
                "{} holds a database but {} is missing, so its password is unknown. Restore that file.",
                self.dir().join("data").display(),
                file.display()
            );
        }
        let password = Password::generate(self.random);
        let sealed = hex::encode(self.sealer.seal(password.secret(), SEAL_CONTEXT)?);
        let saved = SavedConnection { port: free_port()?, sealed, instance: Some(self.config.instance.to_string()) };
        saved.create(self.config)?;
        Ok(saved)
    }

    fn image(&self) -> anyhow::Result<&CatalogImage> {
        let name = &self.config.admin_db.image;
        self.catalog.find(name).with_context(|| format!("admin_db.image {name} is not in the catalog"))
    }

    async fn create(&self, port: u16, password: &SecretString) -> anyhow::Result<()> {
        let image = self.image()?;
        let reference = self.config.image_reference(&image.image);
        if self.runtime.image(&reference).await?.is_none() {
            tracing::info!(image = reference, "Pulling the image of mydb_admin");
            self.runtime.pull(&reference, &|said| tracing::info!("{said}")).await?;
        }
        let data = self.dir().join("data");
        std::fs::create_dir_all(&data)?;
        if matches!(self.files, Files::Direct) {
            std::os::unix::fs::chown(&data, Some(image.uid), Some(image.gid))?;
        }
        let (spec, files) = self.describe(port, password)?;
        self.runtime.ensure_network(&spec.network, &self.config.instance).await?;
        let id = self.runtime.create(&spec).await?;
        self.runtime.copy_in(&id, &files).await?;
        self.runtime.start(&id).await?;
        tracing::info!(container = spec.name, port, "Created the container of mydb_admin");
        Ok(())
    }

    /// The container specification and the files to copy into the container.
    fn describe(&self, port: u16, password: &SecretString) -> anyhow::Result<(ContainerSpec, Vec<InjectedFile>)> {
        let image = self.image()?;
        let engine = image.engine.engine();
        // The engine reserves these names for this very database, so they are not parsed with the engine's rules.
        let rules = crate::domain::names::NameRules { max_bytes: 63, reserved: &[], reserved_prefixes: &[] };
        let plan = ServerSpec {
            id: Uuid::nil(),
            image,
            memory: self.config.admin_db.memory,
            cpus: MilliCpus(1000),
            admin_user: NAME,
            admin_password: password,
            seed_password: None,
            dbname: &DbName::parse(NAME, &rules)?,
            dbuser: &DbUser::parse(NAME, &rules)?,
            host: "localhost",
            ports: &[],
            extensions: &[],
            tools: &Tools::default(),
            fresh: true,
        };
        let config_files = crate::catalog::config_files(&self.config.catalog, image.engine)?;
        let cert = self.authority.issue(&["localhost".to_owned(), "127.0.0.1".to_owned()], self.now)?;
        let recipe = engine.recipe(&plan, &config_files, &cert);
        let mut env = recipe.env;
        for (name, value) in &mut env {
            if name == "POSTGRES_DB" {
                NAME.clone_into(value);
            }
        }
        let spec = ContainerSpec {
            name: self.container_name(),
            instance: self.config.instance.clone(),
            image: self.config.image_reference(&image.image),
            env,
            entrypoint: None,
            cmd: recipe.cmd,
            user: None,
            mounts: vec![Mount { source: self.dir().join("data"), target: image.volume.clone(), read_only: false }],
            publish: vec![Publish { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port, inside: 5432 }],
            network: crate::domain::names::admin_network_name(&self.config.instance),
            hosts: Vec::new(),
            memory: self.config.admin_db.memory.0,
            millicpus: 2000,
            reservation: None,
            cores: CpuSet::default(),
            pids: self.config.limits.pids,
            shm: ByteSize(64 * 1024 * 1024).0,
            capabilities: recipe.capabilities.iter().map(|c| (*c).to_owned()).collect(),
            stop_signal: Some(recipe.stop_signal.to_owned()),
            stop_seconds: Some(recipe.stop_seconds),
        };
        Ok((spec, recipe.files))
    }

    async fn wait(&self, url: &SecretString) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            // A paused server accepts the connection but never responds.
            let connecting = tokio::time::timeout(ANSWER, PgConnection::connect(url.expose_secret()));
            let error = match connecting.await {
                Ok(Ok(connection)) => {
                    let _ = connection.close().await;
                    return Ok(());
                }
                Ok(Err(e)) => anyhow::Error::from(e),
                Err(_) => anyhow::anyhow!("it accepts connections but does not respond within {} s", ANSWER.as_secs()),
            };
            if begin.elapsed() > START {
                return Err(error.context(format!("mydb_admin did not respond within {} s", START.as_secs())));
            }
            match self.runtime.inspect(&self.container_name()).await? {
                Some(found) if found.running => {}
                Some(found) => bail!(
                    "mydb_admin's container exited with code {}; for the reason, see docker logs {}",
                    found.exit_code.unwrap_or(-1),
                    found.name
                ),
                None => bail!("mydb_admin's container disappeared while it was starting"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// The keys and file helper of a host, needed to create mydb_admin's own container.
pub struct HostKeys {
    /// Encrypts secrets.
    pub sealer: Sealer,
    /// Signs certificates.
    pub authority: Authority,
    /// File operations.
    pub files: Files,
}

impl HostKeys {
    /// Reads the keys from the data directory, creating it if needed.
    pub fn of(parts: &BootstrapParts, random: &Random) -> anyhow::Result<Self> {
        let config = &parts.config;
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("can't create the data directory {}", config.data_dir.display()))?;
        let ca = config.data_dir.join("ca");
        Ok(Self {
            sealer: Sealer::from_file(&config.seal_key, random.clone())?,
            authority: Authority::load_or_create(&ca, &config.branding.name, parts.clock.now())?,
            files: Files::choose(parts.runtime.clone(), config.instance.clone()),
        })
    }

    /// The URL of mydb_admin with its server running. Unless a URL is configured, a missing container is created.
    pub async fn admin_db(&self, parts: &BootstrapParts, random: &Random) -> anyhow::Result<SecretString> {
        Bootstrap {
            config: &parts.config,
            catalog: &parts.catalog,
            runtime: parts.runtime.as_ref(),
            sealer: &self.sealer,
            random,
            files: &self.files,
            authority: &self.authority,
            now: parts.clock.now(),
        }
        .ensure()
        .await
        .context("mydb_admin can't be started")
    }
}

/// The URL of mydb_admin with its server running, for commands other than the portal.
///
/// # Errors
/// If a key is missing, or if mydb_admin cannot be created or does not respond in time.
pub async fn start(parts: &BootstrapParts, random: &Random) -> anyhow::Result<SecretString> {
    HostKeys::of(parts, random)?.admin_db(parts, random).await
}

/// Whether mydb_admin exists and contains tables.
pub async fn holds_tables(parts: &BootstrapParts, random: &Random) -> anyhow::Result<bool> {
    if parts.config.admin_db.url.is_none() && existing_url(&parts.config, random)?.is_none() {
        return Ok(false);
    }
    let url = start(parts, random).await?;
    let mut db = PgConnection::connect(url.expose_secret()).await.context("mydb_admin is not responding")?;
    let found = tables(&mut db).await?;
    db.close().await?;
    Ok(found > 0)
}

/// The number of tables. Like all queries made before the migrations have run, this statement is not checked at compile
/// time against the schema.
pub async fn tables(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetch_one(db).await
}

/// Opens the pool, waits until mydb_admin responds, and runs the migrations.
pub async fn open(url: &SecretString, config: &Config) -> anyhow::Result<PgPool> {
    let about = &config.admin_db;
    let pool = crate::admin_db::pool(url.expose_secret(), about.connections, about.patience)
        .context("admin_db.url can't be read")?;
    let mut said = false;
    loop {
        match MIGRATOR.run(&pool).await {
            Ok(()) => return Ok(pool),
            Err(sqlx::migrate::MigrateError::Execute(e)) if crate::admin_db::is_unreachable(&e) => {
                if !said {
                    tracing::warn!("mydb_admin is not responding; waiting for it: {e}");
                    said = true;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(e) => return Err(e).context("mydb_admin's tables could not be migrated"),
        }
    }
}

/// A port that is free at the moment. It is fixed once the container uses it.
fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?.local_addr()?.port())
}

/// Whether a directory contains anything. An unreadable directory counts as non-empty, because the server restricted
/// its access.
fn holds_data(dir: &Path) -> bool {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(e) => e.kind() == std::io::ErrorKind::PermissionDenied,
    }
}

/// What the portal's parts are made from.
pub struct BootstrapParts {
    /// Configuration.
    pub config: Config,
    /// Available engines and images.
    pub catalog: Catalog,
    /// The container engine.
    pub runtime: Arc<dyn Runtime>,
    /// Time of day.
    pub clock: Clock,
}
