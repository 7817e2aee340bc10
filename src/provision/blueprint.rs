//! What a container is made from: its row, the catalog and the configuration, put together; and the look at its data
//! directory before a server touches it.

use secrecy::SecretString;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::credentials::CredentialKind;
use crate::admin_db::containers::{Container, credentials};
use crate::admin_db::image_tools;
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::config::{Config, Tier};
use crate::domain::names::{DbName, DbUser, NameError};
use crate::domain::quantity::{ByteSize, GIB, MilliCpus};
use crate::engine::description::Engine;
use crate::engine::{Recipe, ServerSpec, Tools};
use crate::manifest::BackupSubject;
use crate::queue::flow::StepError;
use crate::runtime::{ContainerSpec, Mount};
use crate::storage::{DataDir, SmallFile, unavailable_reason};
use crate::tls::ServerNames;

/// What a container is made from, read from its row.
pub struct Blueprint<'a> {
    /// Its image in the catalog.
    pub image: &'a CatalogImage,
    /// Its reference for the engine.
    pub reference: String,
    /// Its tier.
    pub tier: &'a Tier,
    /// Its data directory.
    pub dir: DataDir,
    /// Extensions to make sure of when the accounts are set.
    pub extensions: Vec<String>,
    admin_password: SecretString,
    seed_password: Option<SecretString>,
    dbname: DbName,
    dbuser: DbUser,
    host: String,
    /// Its certificate's.
    names: ServerNames,
    ports: Vec<(String, u16)>,
    tools: Tools,
    fresh: bool,
    memory: ByteSize,
    cpus: MilliCpus,
}

impl<'a> Blueprint<'a> {
    /// Reads what the row of `c` says, and opens its administrator's password.
    ///
    /// # Errors
    /// [`StepError::Fail`] where the catalog or the configuration no longer has what it needs.
    pub async fn read(app: &'a App, c: &Container) -> Result<Self, StepError> {
        let image = app.catalog.find(&c.image).ok_or_else(|| {
            StepError::Fail(format!("{} is no longer in the catalog. An administrator can put it back.", c.image))
        })?;
        let tier = app
            .config
            .tier(&c.storage)
            .ok_or_else(|| StepError::Fail(format!("The storage tier “{}” is no longer configured.", c.storage)))?;
        if let Some(reason) = unavailable_reason(tier) {
            return Err(StepError::Fail(format!("The storage tier “{}” is not there: {reason}.", tier.name)));
        }
        let mut db = app.db.acquire().await?;
        let admin_password = password(app, &mut db, c.id, CredentialKind::Admin)
            .await?
            .ok_or_else(|| StepError::Fail("The portal has no administrator password for this server.".to_owned()))?;
        let seed_password = password(app, &mut db, c.id, CredentialKind::Seed).await?;
        let tools = match &c.image_digest {
            Some(digest) => image_tools::get(&mut db, digest).await?.unwrap_or_default(),
            None => Tools::default(),
        };
        let (dbname, dbuser) = names(c).map_err(|e| StepError::Fail(e.to_string()))?;
        Ok(Self {
            image,
            reference: app.config.image_reference(&c.image),
            tier,
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
        })
    }

    /// What a sealed container for a backup of this is made from. It is reached by nobody, so its ports are any. It is
    /// `fresh` unless the data that it gets has its administrator's account.
    ///
    /// # Errors
    /// [`StepError::Fail`] where the catalog or the configuration no longer has what it needs.
    pub(super) fn sealed(
        app: &'a App,
        of: &BackupSubject,
        id: Uuid,
        admin_password: SecretString,
        tools: Tools,
        fresh: bool,
    ) -> Result<Self, StepError> {
        let gone = |what: String| StepError::Fail(format!("{what} An administrator can put it back."));
        let image =
            app.catalog.find(&of.image).ok_or_else(|| gone(format!("{} is no longer in the catalog.", of.image)))?;
        // Any tier will do, as long as its disk is there.
        let usable = |t: &&Tier| unavailable_reason(t).is_none();
        let tier = app.config.tier(&of.storage).filter(usable).or_else(|| app.config.storage.iter().find(usable));
        let tier = tier.ok_or_else(|| gone("No storage tier can be used.".to_owned()))?;
        let engine = of.engine.engine();
        let names =
            (DbName::parse(&of.dbname, &engine.database_rules()), DbUser::parse(&of.dbuser, &engine.user_rules()));
        let (Ok(dbname), Ok(dbuser)) = names else {
            return Err(StepError::Fail("The names in the manifest can't be used.".to_owned()));
        };
        Ok(Self {
            image,
            reference: app.config.image_reference(&of.image),
            tier,
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
        })
    }

    /// What the sealed container of seed `id` on `tier` is made from. Names, ports and limits are any: a seed has none of them.
    ///
    /// # Errors
    /// [`StepError::Fail`] if the engine takes none of them.
    pub(super) fn of_seed(
        config: &Config,
        image: &'a CatalogImage,
        tier: &'a Tier,
        id: Uuid,
        admin_password: SecretString,
    ) -> Result<Self, StepError> {
        let engine = image.engine.engine();
        let any = |e: NameError| StepError::Fail(e.to_string());
        let (dbname, dbuser) = engine.fixed_names().map_or(("seed", "seed"), |f| (f.dbname, f.dbuser));
        Ok(Self {
            image,
            reference: config.image_reference(&image.image),
            tier,
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
        })
    }

    /// Its data is a copy whose administrator has this password.
    pub(super) fn begins_with(&mut self, password: SecretString) {
        (self.admin_password, self.fresh) = (password, false);
    }

    /// The administrator's password.
    pub fn admin_password(&self) -> SecretString {
        self.admin_password.clone()
    }

    /// What the engine's description needs.
    pub fn plan(&self) -> ServerSpec<'_> {
        ServerSpec {
            image: self.image,
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

    /// The container of this, on `network`, with no port published.
    pub(super) fn spec(&self, app: &App, recipe: &Recipe, name: &str, network: String) -> ContainerSpec {
        ContainerSpec {
            name: name.to_owned(),
            instance: app.config.instance.clone(),
            image: self.reference.clone(),
            env: recipe.env.clone(),
            entrypoint: None,
            cmd: recipe.cmd.clone(),
            user: None,
            mounts: vec![Mount { source: self.dir.data(), target: self.image.volume.clone(), read_only: false }],
            publish: Vec::new(),
            network,
            hosts: recipe.hosts.clone(),
            memory: self.memory.0,
            millicpus: self.cpus.0,
            pids: app.config.limits.pids,
            shm: recipe.shm.0,
            capabilities: recipe.capabilities.iter().map(|c| (*c).to_owned()).collect(),
            stop_signal: Some(recipe.stop_signal.to_owned()),
            stop_seconds: Some(recipe.stop_seconds),
        }
    }

    /// How its container is made, with configuration and a certificate for the host people connect to.
    ///
    /// # Errors
    /// If the files can't be read, or no certificate be made.
    pub(super) fn recipe(&self, app: &App) -> Result<Recipe, StepError> {
        let config = crate::catalog::config_files(&app.config.catalog, self.image.engine)
            .map_err(|e| StepError::Fail(format!("The configuration files can't be read: {e:#}.")))?;
        let cert = app
            .authority
            .issue_to(&self.names, app.clock.now())
            .map_err(|e| StepError::Fail(format!("No certificate could be made: {e:#}.")))?;
        Ok(self.image.engine.engine().recipe(&self.plan(), &config, &cert))
    }
}

/// A secret of container `id`, opened.
///
/// # Errors
/// mydb_admin's, or if the portal's key does not open it.
pub(super) async fn password(
    app: &App,
    db: &mut PgConnection,
    id: Uuid,
    kind: CredentialKind,
) -> Result<Option<SecretString>, StepError> {
    let Some(found) = credentials::get(db, id, kind).await? else { return Ok(None) };
    let opened = app.sealer.open(&found.sealed, &kind.context(id));
    opened
        .map(Some)
        .map_err(|e| StepError::Fail(format!("The portal's key does not open this server's password: {e}.")))
}

/// Ports for a server that nobody reaches.
fn any_ports(engine: &dyn Engine) -> Vec<(String, u16)> {
    engine.ports().iter().zip(20_000u16..).map(|(p, port)| (p.purpose.to_owned(), port)).collect()
}

/// The names of the user's database and role as their types. Those that the engine gives by itself are right as they are.
fn names(c: &Container) -> Result<(DbName, DbUser), NameError> {
    let engine = c.engine.engine();
    Ok((DbName::parse(&c.dbname, &engine.database_rules())?, DbUser::parse(&c.dbuser, &engine.user_rules())?))
}

/// Makes the data directory, or finds it made, with a note beside it of what it is for.
///
/// # Errors
/// If it can't be made.
pub async fn prepare(app: &App, b: &Blueprint<'_>) -> Result<(), StepError> {
    app.files.prepare(&b.dir, &b.reference, b.image.uid, b.image.gid).await?;
    Ok(b.dir.note_maker(&maker(b.image)).await?)
}

/// Refuses before a server touches data of another version, or initialises anew what once held data:
/// an empty directory then means a disk that is not mounted, not an empty database.
///
/// # Errors
/// [`StepError::Fail`] with what was found.
pub(super) async fn refuse_foreign_data(app: &App, c: &Container, b: &Blueprint<'_>) -> Result<(), StepError> {
    let wrong = |found: &str, expected: &str| {
        StepError::Fail(format!(
            "The data directory was written by {found}, but the image is {expected}. Nothing was touched."
        ))
    };
    // The portal's own note beside the data, for all engines …
    let (made_by, expected) = (b.dir.made_by().await?, maker(b.image));
    if let Some(found) = made_by.as_deref().filter(|found| *found != expected) {
        return Err(wrong(found, &expected));
    }
    // … and the server's own in it, where there is one, which also tells of data that was put there by hand.
    let written = c.engine.engine().version_file(b.image);
    let found = match &written {
        Some(written) => app.files.first_line(&b.dir, &written.files, &b.reference).await?,
        None => SmallFile::Missing,
    };
    if let Some(expected) = &written {
        match &found {
            SmallFile::Line(line) if expected.agrees(line) => {}
            SmallFile::Line(line) if is_version(line) => {
                return Err(wrong(&format!("version {}", line.trim()), &format!("version {}", expected.version)));
            }
            SmallFile::Missing => {}
            SmallFile::Line(_) | SmallFile::Odd => {
                let file = expected.files.join(" or ");
                return Err(StepError::Fail(format!(
                    "The file {file} is not what a server writes. Nothing was touched."
                )));
            }
        }
    }
    let there = match written {
        Some(_) => found != SmallFile::Missing,
        None => c.started_at.is_none() || !app.files.is_empty(&b.dir, &b.reference).await?,
    };
    if c.started_at.is_some() && !there {
        return Err(StepError::Fail(format!(
            "The data of this database is not in {}. Is its disk mounted? Nothing was touched.",
            b.dir.data().display()
        )));
    }
    Ok(())
}

/// Whether a line may be quoted: what else stands in a server's directory is its owner's business.
fn is_version(line: &str) -> bool {
    let line = line.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-+_~:".contains(c);
    line.len() <= 40 && line.starts_with(|c: char| c.is_ascii_digit()) && line.chars().all(allowed)
}

/// Engine and version, as they are noted beside a data directory.
fn maker(image: &CatalogImage) -> String {
    format!("{} {}", image.engine.label(), image.version)
}
