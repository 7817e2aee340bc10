//! Describes what a container is made from, combining its row, the catalog and the configuration. It only describes and
//! changes nothing.

use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::credentials::CredentialKind;
use crate::admin_db::containers::{Container, credentials};
use crate::admin_db::image_tools;
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::config::{Config, Tier};
use crate::configured::{NotConfigured, TierError};
use crate::domain::cpu_set::CpuSet;
use crate::domain::names::{DbName, DbUser, NameError};
use crate::domain::quantity::{ByteSize, GIB, MilliCpus};
use crate::engine::description::Engine;
use crate::engine::{Recipe, ServerSpec, Tools};
use crate::manifest::BackupSubject;
use crate::runtime::{ContainerSpec, Mount};
use crate::storage::{DataDir, unavailable_reason};
use crate::tls::ServerNames;

/// Why a blueprint could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// The catalog, the configuration or the portal's keys no longer contain what the container needs; a sentence for
    /// the owner.
    #[error("{0}")]
    Missing(String),
    /// An error from mydb_admin.
    #[error(transparent)]
    Db(#[from] sqlx::Error),
}

impl From<NotConfigured> for BlueprintError {
    fn from(e: NotConfigured) -> Self {
        Self::Missing(e.to_string())
    }
}

impl From<TierError> for BlueprintError {
    fn from(e: TierError) -> Self {
        Self::Missing(e.to_string())
    }
}

/// Where files as large as the data are in a container (`engine/backup/scratch.sh`).
const SCRATCH: &str = "/db4sci-scratch";

/// What a container is made from, read from its row.
#[derive(Clone)]
pub struct Blueprint {
    id: Uuid,
    /// The container's image in the catalog.
    pub image: CatalogImage,
    /// The image reference to pass to the container engine.
    pub reference: String,
    /// The storage tier of the container.
    pub tier: Tier,
    /// The data directory of the container.
    pub dir: DataDir,
    /// Extensions to ensure when the accounts are set up.
    pub extensions: Vec<String>,
    admin_password: SecretString,
    seed_password: Option<SecretString>,
    dbname: DbName,
    dbuser: DbUser,
    host: String,
    /// The names for the server's certificate.
    names: ServerNames,
    ports: Vec<(String, u16)>,
    tools: Tools,
    fresh: bool,
    memory: ByteSize,
    cpus: MilliCpus,
    /// The cores it is pinned to; empty for all.
    pub cores: CpuSet,
}

impl Blueprint {
    /// Reads the row `c` and decrypts its administrator's password.
    ///
    /// # Errors
    /// [`BlueprintError::Missing`] if the catalog or the configuration no longer contains what the container needs.
    pub async fn read(app: &App, c: &Container) -> Result<Self, BlueprintError> {
        let (image, tier) = (app.image(&c.image)?, app.available_tier(&c.storage)?);
        let mut db = app.db.acquire().await?;
        let admin_password = password(app, &mut db, c.id, CredentialKind::Admin).await?.ok_or_else(|| {
            BlueprintError::Missing("The portal has no administrator password for this server.".to_owned())
        })?;
        let seed_password = password(app, &mut db, c.id, CredentialKind::Seed).await?;
        let tools = match &c.image_digest {
            Some(digest) => image_tools::get(&mut db, digest).await?.unwrap_or_default(),
            None => Tools::default(),
        };
        let (dbname, dbuser) = names(c).map_err(|e| BlueprintError::Missing(e.to_string()))?;
        Ok(Self {
            id: c.id,
            image: image.clone(),
            reference: app.config.image_reference(&c.image),
            tier: tier.clone(),
            dir: DataDir::new(tier, &app.config.instance, c.id),
            admin_password,
            seed_password,
            extensions: c.extensions.clone(),
            dbname,
            dbuser,
            host: app.config.databases.host_of(&c.name),
            names: ServerNames::of(&app.config, &c.name, c.id),
            ports: c.ports.0.clone(),
            tools,
            fresh: c.started_at.is_none(),
            memory: ByteSize(c.memory_bytes),
            cpus: MilliCpus(c.millicpus),
            cores: c.cpuset_assigned.as_deref().and_then(|text| CpuSet::parse(text).ok()).unwrap_or_default(),
        })
    }

    /// The blueprint of a sealed container for a backup of `of`. Nobody connects to it, so its ports are arbitrary. It
    /// is `fresh` unless its data already contains the administrator's account.
    ///
    /// # Errors
    /// [`BlueprintError::Missing`] if the catalog or the configuration no longer contains what the container needs.
    pub fn sealed(
        app: &App,
        of: &BackupSubject,
        id: Uuid,
        admin_password: SecretString,
        tools: Tools,
        fresh: bool,
    ) -> Result<Self, BlueprintError> {
        let image = app.image(&of.image)?;
        // Fall back to any tier whose disk is available.
        let usable = |t: &&Tier| unavailable_reason(t).is_none();
        let tier = app.config.tier(&of.storage).filter(usable).or_else(|| app.config.storage.iter().find(usable));
        let tier = tier
            .ok_or_else(|| BlueprintError::Missing("No storage tier is available. Ask an administrator.".to_owned()))?;
        let engine = of.engine.engine();
        let names =
            (DbName::parse(&of.dbname, &engine.database_rules()), DbUser::parse(&of.dbuser, &engine.user_rules()));
        let (Ok(dbname), Ok(dbuser)) = names else {
            return Err(BlueprintError::Missing("The names in the manifest are invalid.".to_owned()));
        };
        Ok(Self {
            id,
            image: image.clone(),
            reference: app.config.image_reference(&of.image),
            tier: tier.clone(),
            dir: DataDir::new(tier, &app.config.instance, id),
            extensions: Vec::new(),
            admin_password,
            seed_password: None,
            dbname,
            dbuser,
            host: "localhost".to_owned(),
            names: ServerNames::local(),
            ports: any_ports(engine),
            tools,
            fresh,
            memory: ByteSize(of.memory_bytes),
            cpus: MilliCpus(of.millicpus),
            cores: CpuSet::default(),
        })
    }

    /// The blueprint of the sealed container of seed `id` on `tier`. Names, ports and limits are arbitrary, because
    /// seeds do not have any.
    ///
    /// # Errors
    /// [`BlueprintError::Missing`] if the engine rejects these names.
    pub fn of_seed(
        config: &Config,
        image: &CatalogImage,
        tier: &Tier,
        id: Uuid,
        admin_password: SecretString,
    ) -> Result<Self, BlueprintError> {
        let engine = image.engine.engine();
        let any = |e: NameError| BlueprintError::Missing(e.to_string());
        let (dbname, dbuser) = engine.fixed_names().map_or(("seed", "seed"), |f| (f.dbname, f.dbuser));
        Ok(Self {
            id,
            image: image.clone(),
            reference: config.image_reference(&image.image),
            tier: tier.clone(),
            dir: DataDir::new(tier, &config.instance, id),
            extensions: Vec::new(),
            admin_password,
            seed_password: None,
            dbname: DbName::parse(dbname, &engine.database_rules()).map_err(any)?,
            dbuser: DbUser::parse(dbuser, &engine.user_rules()).map_err(any)?,
            host: "localhost".to_owned(),
            names: ServerNames::local(),
            ports: any_ports(engine),
            tools: Tools::default(),
            fresh: true,
            memory: ByteSize(image.min_memory.0.max(GIB)),
            cpus: config.limits.cpus_default,
            cores: CpuSet::default(),
        })
    }

    /// The same for a server started in advance on a copy of a seed, which accepts connections at these ports later.
    #[must_use]
    pub fn of_spare(
        self,
        config: &Config,
        seed_password: SecretString,
        ports: Vec<(String, u16)>,
        (memory, cpus): (ByteSize, MilliCpus),
        tools: Tools,
    ) -> Self {
        let seed_password = Some(seed_password);
        // All databases share one host name here, so the name of the database does not matter.
        let names = ServerNames::of(config, "", self.id);
        Self { host: config.databases.host.clone(), names, seed_password, ports, memory, cpus, tools, ..self }
    }

    /// Published ports by purpose.
    pub fn ports(&self) -> &[(String, u16)] {
        &self.ports
    }

    /// Marks the data as a copy whose administrator has this password.
    pub fn begins_with(&mut self, password: SecretString) {
        (self.admin_password, self.fresh) = (password, false);
    }

    /// Records which programs are in the image, once they are known.
    pub fn set_tools(&mut self, tools: Tools) {
        self.tools = tools;
    }

    /// The administrator's password.
    pub fn admin_password(&self) -> SecretString {
        self.admin_password.clone()
    }

    /// The input for the engine's description.
    pub fn plan(&self) -> ServerSpec<'_> {
        ServerSpec {
            id: self.id,
            image: &self.image,
            memory: self.memory,
            cpus: self.cpus,
            admin_user: self.image.engine.engine().admin_user(),
            admin_password: &self.admin_password,
            seed_password: self.seed_password.as_ref(),
            dbname: &self.dbname,
            dbuser: &self.dbuser,
            host: &self.host,
            ports: &self.ports,
            extensions: &self.extensions,
            tools: &self.tools,
            fresh: self.fresh,
        }
    }

    /// The container specification on `network`, without published ports.
    pub fn spec(&self, app: &App, recipe: &Recipe, name: &str, network: String) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            instance: app.config.instance.clone(),
            image: self.reference.clone(),
            env: recipe.env.clone(),
            entrypoint: None,
            cmd: recipe.cmd.clone(),
            user: None,
            mounts: vec![
                Mount { source: self.dir.data(), target: self.image.volume.clone(), read_only: false },
                Mount { source: self.dir.scratch(), target: SCRATCH.to_owned(), read_only: false },
            ],
            publish: Vec::new(),
            network,
            hosts: recipe.hosts.clone(),
            memory: self.memory.0,
            reservation: app.config.databases.reservation(self.memory).map(|bytes| bytes.0),
            cores: self.cores.clone(),
            millicpus: self.cpus.0,
            pids: app.config.limits.pids,
            shm: recipe.shm.0,
            capabilities: recipe.capabilities.iter().map(|c| (*c).to_owned()).collect(),
            stop_signal: Some(recipe.stop_signal.to_owned()),
            stop_seconds: Some(recipe.stop_seconds),
        }
    }

    /// The engine's recipe for this container, with configuration files and a certificate for the host name clients
    /// use.
    pub fn recipe(&self, app: &App) -> Result<Recipe, BlueprintError> {
        let config = crate::catalog::config_files(&app.config.catalog, self.image.engine)
            .map_err(|e| BlueprintError::Missing(format!("Cannot read the configuration files: {e:#}.")))?;
        let cert = app
            .authority
            .issue_to(&self.names, app.clock.now())
            .map_err(|e| BlueprintError::Missing(format!("Could not create a certificate: {e:#}.")))?;
        Ok(self.image.engine.engine().recipe(&self.plan(), &config, &cert))
    }
}

/// Reads and decrypts a secret of container `id`.
pub async fn password(
    app: &App,
    db: &mut PgConnection,
    id: Uuid,
    kind: CredentialKind,
) -> Result<Option<SecretString>, BlueprintError> {
    let Some(found) = credentials::get(db, id, kind).await? else { return Ok(None) };
    let opened = app.sealer.open(&found.sealed, &kind.context(id));
    opened.map(Some).map_err(|e| {
        BlueprintError::Missing(format!(
            "The portal's sealing key cannot decrypt this server's password: \
                                                      {e}."
        ))
    })
}

/// Arbitrary ports for a server that nobody connects to.
fn any_ports(engine: &dyn Engine) -> Vec<(String, u16)> {
    engine.ports().iter().zip(20_000u16..).map(|(p, port)| (p.purpose.to_owned(), port)).collect()
}

/// The names of the user's database and role as domain types. Names given by the engine itself are accepted as they
/// are.
fn names(c: &Container) -> Result<(DbName, DbUser), NameError> {
    let engine = c.engine.engine();
    Ok((DbName::parse(&c.dbname, &engine.database_rules())?, DbUser::parse(&c.dbuser, &engine.user_rules())?))
}
