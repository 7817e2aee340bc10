//! The portal's parts, put together once and handed to everything that works.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use anyhow::Context;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::bootstrap::{Bootstrap, BootstrapParts, HostKeys};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::config::Config;
use crate::objects::Stores;
use crate::runtime::Runtime;
use crate::runtime::activity::Activity;
use crate::runtime::firewall::Egress;
use crate::runtime::image_states::ImageStates;
use crate::secrets::{Random, Sealer, write_private};
use crate::storage::Files;
use crate::tls::Authority;
use crate::{admin_db, bootstrap, recovery_key};

/// Everything a handler or job may need.
pub struct App {
    /// Configuration.
    pub config: Config,
    /// What is on offer.
    pub catalog: Catalog,
    /// mydb_admin.
    pub db: PgPool,
    /// The container engine.
    pub runtime: Arc<dyn Runtime>,
    /// Where backups go.
    pub stores: Stores,
    /// File work in data directories.
    pub files: Files,
    /// Seals secrets.
    pub sealer: Sealer,
    /// Randomness.
    pub random: Random,
    /// Time of day.
    pub clock: Clock,
    /// Signs certificates of databases.
    pub authority: Authority,
    /// Whether the firewall keeps databases from reaching anything.
    pub egress: Egress,
    /// Which servers were left alone since they were scanned.
    pub activity: Activity,
    /// Which images can be had.
    pub images: ImageStates,
    /// Wakes the workers when a job was enqueued here.
    pub wake: Notify,
    /// Wakes whoever takes back jobs that were cancelled before they began.
    pub cancels: Notify,
    /// This portal among those on the same mydb_admin.
    pub worker: String,
    /// When it started.
    pub started: DateTime<Utc>,
    /// The same, for measuring.
    pub started_instant: Instant,
    /// The banner while the portal is read-only, as last read from mydb_admin.
    read_only: RwLock<Option<String>>,
}

impl App {
    /// Puts the parts together: keys, authority, mydb_admin and its tables.
    ///
    /// # Errors
    /// If a key is missing, or mydb_admin can't be made or belongs to another instance.
    pub async fn assemble(parts: BootstrapParts, stores: Stores) -> anyhow::Result<Arc<Self>> {
        let random = Random::system();
        make_own_secrets(&parts.config, &random)?;
        let ground = HostKeys::of(&parts, &random)?;
        let url = ground.admin_db(&parts, &random).await?;
        let (BootstrapParts { config, catalog, runtime, clock }, HostKeys { sealer, authority, files }) =
            (parts, ground);
        let db = bootstrap::open(&url, &config).await?;
        let mut connection = db.acquire().await?;
        let bound = admin_db::switches::bind_instance(&mut connection, config.instance.as_str(), clock.now()).await?;
        anyhow::ensure!(
            bound == config.instance.as_str(),
            "this mydb_admin belongs to the instance {bound}, not {}; portals can share a mydb_admin only if they \
             have the same instance id",
            config.instance
        );
        let read_only = admin_db::switches::read_only(&mut connection).await?;
        drop(connection);
        let started = clock.now();
        let worker = format!("{}-{}", rustix::process::getpid().as_raw_nonzero(), hex::encode(random.bytes::<4>()));
        Ok(Arc::new(Self {
            egress: Egress::default(),
            activity: Activity::default(),
            images: ImageStates::default(),
            config,
            catalog,
            db,
            runtime,
            stores,
            files,
            sealer,
            random,
            clock,
            authority,
            wake: Notify::new(),
            cancels: Notify::new(),
            worker,
            started,
            started_instant: Instant::now(),
            read_only: RwLock::new(read_only),
        }))
    }

    /// The banner while the portal is read-only.
    pub fn read_only(&self) -> Option<String> {
        self.read_only.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the banner as mydb_admin has it.
    pub fn set_read_only(&self, banner: Option<String>) {
        *self.read_only.write().unwrap_or_else(PoisonError::into_inner) = banner;
    }

    /// Starts mydb_admin's own container again if it is down. Called while mydb_admin does not answer.
    pub async fn revive_admin_db(&self) -> anyhow::Result<()> {
        Bootstrap {
            config: &self.config,
            catalog: &self.catalog,
            runtime: self.runtime.as_ref(),
            sealer: &self.sealer,
            random: &self.random,
            files: &self.files,
            authority: &self.authority,
            now: self.clock.now(),
        }
        .ensure()
        .await
        .map(|_| ())
    }
}

/// What dev mode makes for itself where it is not there: the sealing key and a recovery key.
fn make_own_secrets(config: &Config, random: &Random) -> anyhow::Result<()> {
    if !config.mode.makes_own_secrets() {
        return Ok(());
    }
    if !config.seal_key.exists() {
        Sealer::create_key_file(&config.seal_key, random)?;
        tracing::info!(file = %config.seal_key.display(), "Created a sealing key");
    }
    // In production its administrator makes the recovery key, and keeps it elsewhere.
    let file = config.seal_key.with_file_name("recovery.key");
    if file.exists() {
        let text = std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        let made = text.lines().map(str::trim).find(|l| l.starts_with("AGE-SECRET-KEY-")).unwrap_or_default();
        return recovery_key::adopt(config, &SecretString::from(made))
            .with_context(|| format!("in {}", file.display()));
    }
    if recovery_key::recipient(config)?.is_none() {
        // The secret first: a recipient whose key is nowhere would be worse than none.
        let made = recovery_key::generate();
        write_private(&file, format!("{}\n", made.expose_secret()).as_bytes())?;
        recovery_key::register(config, &made)?;
        tracing::info!(file = %file.display(), "Created a recovery key");
    }
    Ok(())
}
