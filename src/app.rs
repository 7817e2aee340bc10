//! Assembles the portal's parts once and passes them to all handlers and jobs.

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
use crate::runtime::firewall_state::Egress;
use crate::runtime::image_states::ImageStates;
use crate::runtime::waiting_shell::WaitingShells;
use crate::secrets::{Random, Sealer, write_private};
use crate::storage::Files;
use crate::tls::Authority;
use crate::{admin_db, bootstrap, recovery_key};

/// Everything a handler or job may need.
pub struct App {
    /// Configuration.
    pub config: Config,
    /// Available engines and images.
    pub catalog: Catalog,
    /// Connections to mydb_admin.
    pub db: PgPool,
    /// The container engine.
    pub runtime: Arc<dyn Runtime>,
    /// The object stores of the backup targets.
    pub stores: Stores,
    /// File operations in data directories.
    pub files: Files,
    /// Encrypts secrets at rest.
    pub sealer: Sealer,
    /// Source of randomness.
    pub random: Random,
    /// Time of day.
    pub clock: Clock,
    /// Signs the certificates of databases.
    pub authority: Authority,
    /// Whether the firewall prevents databases from opening connections.
    pub egress: Egress,
    /// Which servers have been idle since their last scan.
    pub activity: Activity,
    /// Shells that wait in the servers started in advance.
    pub shells: WaitingShells,
    /// Which images are available.
    pub images: ImageStates,
    /// Wakes the workers when this process enqueues a job.
    pub wake: Notify,
    /// Wakes the task that undoes jobs cancelled before they started.
    pub cancels: Notify,
    /// Identifies this portal among those that share the same mydb_admin.
    pub worker: String,
    /// Start time of this portal.
    pub started: DateTime<Utc>,
    /// The same, monotonic, for measuring durations.
    pub started_instant: Instant,
    /// The read-only banner as last read from mydb_admin; `None` if the portal is not read-only.
    read_only: RwLock<Option<String>>,
}

impl App {
    /// Assembles the parts: keys, authority, mydb_admin and its tables.
    ///
    /// # Errors
    /// If a key is missing, or if mydb_admin cannot be created or belongs to another instance.
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
        if config.admin_db.url.is_none() {
            bootstrap::record_instance(&config)?;
        }
        let read_only = admin_db::switches::read_only(&mut connection).await?;
        drop(connection);
        let started = clock.now();
        let worker = format!("{}-{}", rustix::process::getpid().as_raw_nonzero(), hex::encode(random.bytes::<4>()));
        Ok(Arc::new(Self {
            egress: Egress::default(),
            activity: Activity::default(),
            shells: WaitingShells::default(),
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

    /// The banner text while the portal is read-only.
    pub fn read_only(&self) -> Option<String> {
        self.read_only.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Updates the cached banner with the value read from mydb_admin.
    pub fn set_read_only(&self, banner: Option<String>) {
        *self.read_only.write().unwrap_or_else(PoisonError::into_inner) = banner;
    }

    /// Restarts mydb_admin's own container if it is down. Called while mydb_admin does not respond.
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

/// In dev mode, creates missing secrets: the sealing key and a recovery key.
fn make_own_secrets(config: &Config, random: &Random) -> anyhow::Result<()> {
    if !config.mode.makes_own_secrets() {
        return Ok(());
    }
    if !config.seal_key.exists() {
        Sealer::create_key_file(&config.seal_key, random)?;
        tracing::info!(file = %config.seal_key.display(), "Created a sealing key");
    }
    // In production, the administrator creates the recovery key and keeps it elsewhere.
    let file = config.seal_key.with_file_name("recovery.key");
    if file.exists() {
        let text = std::fs::read_to_string(&file).with_context(|| format!("can't read {}", file.display()))?;
        let made = text.lines().map(str::trim).find(|l| l.starts_with("AGE-SECRET-KEY-")).unwrap_or_default();
        return recovery_key::adopt(config, &SecretString::from(made))
            .with_context(|| format!("in {}", file.display()));
    }
    if recovery_key::recipient(config)?.is_none() {
        // Write the secret first: a recipient whose key is lost would be worse than no recipient.
        let made = recovery_key::generate();
        write_private(&file, format!("{}\n", made.expose_secret()).as_bytes())?;
        recovery_key::register(config, &made)?;
        tracing::info!(file = %file.display(), "Created a recovery key");
    }
    Ok(())
}
