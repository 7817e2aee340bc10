//! The container of one database in the engine: found, made, started, asked, removed. Shared by all flows.

use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::flow::{StepError, Work};
use crate::admin_db::containers::{self, Container};
use crate::admin_db::{credentials, ports};
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::domain::names::{DbName, DbUser};
use crate::domain::quantity::{Bytes, MilliCpus};
use crate::engine::{ExecOutcome, Plan, Recipe};
use crate::runtime::{ContainerSpec, LogRequest, Mount, Observed, Publish, RuntimeError};
use crate::storage::{DataDir, unavailable_reason};

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
    admin_password: SecretString,
    dbname: DbName,
    dbuser: DbUser,
    memory: Bytes,
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
        let sealed = credentials::get(&mut db, c.id, credentials::Kind::Admin)
            .await?
            .ok_or_else(|| StepError::Fail("The portal has no administrator password for this server.".to_owned()))?;
        let admin_password = app
            .sealer
            .open(&sealed.sealed, &credentials::Kind::Admin.context(c.id))
            .map_err(|e| StepError::Fail(format!("The portal's key does not open this server's password: {e}.")))?;
        let engine = c.engine.engine();
        let name = |e: crate::domain::names::NameError| StepError::Fail(e.to_string());
        Ok(Self {
            image,
            reference: app.config.image_reference(&c.image),
            tier,
            dir: DataDir::new(tier, &app.config.instance, c.id),
            admin_password,
            dbname: DbName::parse(&c.dbname, &engine.database_rules()).map_err(name)?,
            dbuser: DbUser::parse(&c.dbuser, &engine.user_rules()).map_err(name)?,
            memory: Bytes(c.memory_bytes),
            cpus: MilliCpus(c.millicpus),
        })
    }

    /// What the engine's description needs.
    pub fn plan(&self) -> Plan<'_> {
        Plan {
            image: self.image,
            memory: self.memory,
            cpus: self.cpus,
            admin_user: self.image.engine.engine().admin_user(),
            admin_password: &self.admin_password,
            dbname: &self.dbname,
            dbuser: &self.dbuser,
        }
    }

    /// How its container is made, with configuration and a certificate for the host people connect to.
    fn recipe(&self, app: &App) -> Result<Recipe, StepError> {
        let config = super::config_files(&app.config.catalog, self.image.engine)
            .map_err(|e| StepError::Fail(format!("The configuration files can't be read: {e:#}.")))?;
        let mut names = vec![app.config.databases.host.clone(), "localhost".to_owned(), "127.0.0.1".to_owned()];
        names.dedup();
        let cert = app
            .authority
            .issue(&names, app.clock.now())
            .map_err(|e| StepError::Fail(format!("No certificate could be made: {e:#}.")))?;
        Ok(self.image.engine.engine().recipe(&self.plan(), &config, &cert))
    }
}

/// The engine's container of `c`, if there is one. One of the same name that carries another
/// instance's label is somebody else's, and is left alone.
///
/// # Errors
/// If the engine can't be asked, or the name is somebody else's.
pub async fn find(app: &App, c: &Container) -> Result<Option<Observed>, StepError> {
    let by_id = match &c.docker_id {
        Some(id) => app.runtime.inspect(id).await?,
        None => None,
    };
    let found = match by_id {
        Some(found) => Some(found),
        None => app.runtime.inspect(&c.docker_name).await?,
    };
    match found {
        Some(other) if other.instance != app.config.instance.as_str() => Err(StepError::Fail(format!(
            "The engine has a container named {} that is not this portal's. Remove or rename it.",
            other.name
        ))),
        found => Ok(found),
    }
}

/// Finds or makes the engine's container, with its files copied in, not yet started (unless it runs).
///
/// # Errors
/// If it can't be made.
pub async fn ensure(work: &Work) -> Result<String, StepError> {
    let app = &work.app;
    let c = work.container().await?;
    let blueprint = Blueprint::read(app, &c).await?;
    refuse_foreign_data(app, &c, &blueprint).await?;
    let mut found = find(app, &c).await?;
    if let Some(old) = found.take_if(|f| !f.running && f.limits.is_some_and(|l| l != (c.memory_bytes, c.millicpus))) {
        // Its limits were changed while it was stopped; servers read theirs when they start.
        app.runtime.remove(&old.id).await?;
    }
    if let Some(found) = found {
        if !found.running && found.status == "created" {
            // Made but never started: a killed portal may not have come to copying the files in.
            app.runtime.copy_in(&found.id, &blueprint.recipe(app)?.files).await?;
        }
        note_id(app, &c, &found.id).await?;
        return Ok(found.id);
    }
    app.files.prepare(&blueprint.dir, blueprint.image.uid, blueprint.image.gid).await?;
    let network = super::network_name(&app.config.instance);
    app.runtime.ensure_network(&network, &app.config.instance).await?;
    let recipe = blueprint.recipe(app)?;
    let engine = c.engine.engine();
    let publish = engine.ports().iter().filter_map(|p| {
        let (_, port) = c.ports.iter().find(|(purpose, _)| purpose == p.purpose)?;
        Some(Publish { address: app.config.databases.bind, port: *port, inside: p.inside })
    });
    let spec = ContainerSpec {
        name: c.docker_name.clone(),
        instance: app.config.instance.clone(),
        image: blueprint.reference.clone(),
        env: recipe.env,
        entrypoint: None,
        cmd: recipe.cmd,
        user: None,
        mounts: vec![Mount { source: blueprint.dir.data(), target: blueprint.image.volume.clone() }],
        publish: publish.collect(),
        network,
        memory: c.memory_bytes,
        millicpus: c.millicpus,
        pids: app.config.limits.pids,
        shm: recipe.shm.0,
        capabilities: recipe.capabilities.iter().map(|c| (*c).to_owned()).collect(),
        stop_signal: Some(recipe.stop_signal.to_owned()),
        stop_seconds: Some(recipe.stop_seconds),
    };
    let id = match app.runtime.create(&spec).await {
        // The engine is still at work on it for a portal that was killed, or for a call that was given up.
        Err(e @ RuntimeError::Conflict { .. }) => return Err(StepError::Retry(e.to_string())),
        made => made?,
    };
    app.runtime.copy_in(&id, &recipe.files).await?;
    note_id(app, &c, &id).await?;
    Ok(id)
}

async fn note_id(app: &App, c: &Container, id: &str) -> Result<(), StepError> {
    if c.docker_id.as_deref() != Some(id) {
        let mut db = app.db.acquire().await?;
        containers::set_docker_id(&mut db, c.id, Some(id)).await?;
    }
    Ok(())
}

/// Refuses before a server touches data of another version, or initialises anew what once held data:
/// an empty directory then means a disk that is not mounted, not an empty database.
async fn refuse_foreign_data(app: &App, c: &Container, b: &Blueprint<'_>) -> Result<(), StepError> {
    let (file, expected) = c.engine.engine().version_file(b.image);
    let found = app.files.first_line(&b.dir, &file, &b.reference).await?;
    match found {
        Some(version) if version.trim() != expected => Err(StepError::Fail(format!(
            "The data directory was written by version {}, but the image is version {expected}. Nothing was touched.",
            version.trim()
        ))),
        None if c.started_at.is_some() => Err(StepError::Fail(format!(
            "The data of this database is not in {}. Is its disk mounted? Nothing was touched.",
            b.dir.data().display()
        ))),
        _ => Ok(()),
    }
}

/// Starts the engine's container. A port that another program holds is marked, another is taken,
/// and the container is made again with it.
///
/// # Errors
/// If it does not start, or no port is left.
pub async fn start(work: &Work) -> Result<(), StepError> {
    let app = &work.app;
    loop {
        let id = ensure(work).await?;
        match app.runtime.start(&id).await {
            Ok(()) => return Ok(()),
            Err(RuntimeError::PortTaken { port }) => {
                let c = work.container().await?;
                if !c.ports.iter().any(|(_, p)| *p == port) {
                    return Err(StepError::Retry(format!("Port {port} is held by another program.")));
                }
                work.say(&format!("Port {port} is held by another program; taking another")).await;
                // Its container carries the port in its description, so it is made anew; the data stays.
                app.runtime.remove(&id).await?;
                replace_port(app, &c, port).await?;
            }
            Err(e) => return Err(e.into()),
        }
    }
}

async fn replace_port(app: &App, c: &Container, port: u16) -> Result<(), StepError> {
    let now = app.clock.now();
    let purpose = c.ports.iter().find(|(_, p)| *p == port).map(|(purpose, _)| purpose.clone()).unwrap_or_default();
    let mut tx = app.db.begin().await?;
    containers::set_docker_id(&mut tx, c.id, None).await?;
    ports::mark_occupied(&mut tx, port, "another program listens on it", now).await?;
    let taken = ports::take(&mut tx, &app.config.databases.ports, c.id, &purpose, now).await?;
    if taken.is_none() {
        return Err(StepError::Fail(format!("Port {port} is held by another program, and no other is free.")));
    }
    tx.commit().await?;
    Ok(())
}

/// Starts the server again if the job was interrupted: the engine may have ended meanwhile, and the server with it.
///
/// # Errors
/// If it does not start.
pub async fn resume(work: &Work) -> Result<(), StepError> {
    if work.resumed { start(work).await } else { Ok(()) }
}

/// Waits until the server answers its own protocol, and answers its version.
///
/// # Errors
/// If it ends, or takes longer than `limit`.
pub async fn wait_ready(work: &Work, limit: Duration) -> Result<String, StepError> {
    let app = &work.app;
    let c = work.container().await?;
    let blueprint = Blueprint::read(app, &c).await?;
    let probe = c.engine.engine().probe(&blueprint.plan());
    let begin = Instant::now();
    let mut pause = Duration::from_millis(25);
    loop {
        let found = find(app, &c)
            .await?
            .ok_or_else(|| StepError::Fail("The container was removed while its server was starting.".to_owned()))?;
        if !found.running {
            let log = last_lines(app, &found.id, 15).await;
            let memory = if found.oom_killed { " It needed more memory than its limit." } else { "" };
            return Err(StepError::Fail(format!(
                "The server ended with code {}.{memory}\nIts last words:\n{log}",
                found.exit_code.unwrap_or(-1)
            )));
        }
        match app.runtime.exec(&found.id, &probe).await {
            Ok(said) if said.code == 0 => return Ok(said.stdout.trim().to_owned()),
            Ok(_) | Err(RuntimeError::Conflict { .. } | RuntimeError::NotFound { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        if begin.elapsed() > limit {
            let log = last_lines(app, &found.id, 15).await;
            return Err(StepError::Fail(format!(
                "The server did not answer within {} s.\nIts last words:\n{log}",
                limit.as_secs()
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(500));
    }
}

/// The last lines of a server's log, for messages; empty where they can't be read.
pub async fn last_lines(app: &App, id: &str, tail: u32) -> String {
    let Ok(mut stream) = app.runtime.logs(id, LogRequest { tail, follow: false }).await else {
        return String::new();
    };
    let mut text = Vec::new();
    while let Some(Ok(piece)) = futures::StreamExt::next(&mut stream).await {
        text.extend_from_slice(&piece);
    }
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// Runs commands of an engine one after the other; the first that fails ends it.
///
/// # Errors
/// With what the command said.
pub async fn run_all(app: &App, id: &str, commands: &[crate::engine::ExecSpec]) -> Result<(), StepError> {
    for command in commands {
        let said = match app.runtime.exec(id, command).await {
            Err(e @ (RuntimeError::Conflict { .. } | RuntimeError::NotFound { .. })) => {
                return Err(StepError::Retry(e.to_string()));
            }
            said => said?,
        };
        if let ExecOutcome::Failed(sentence) = ExecOutcome::of(said.code, &said.stderr) {
            return Err(StepError::Fail(sentence));
        }
    }
    Ok(())
}

/// Stops the engine's container within its grace time.
///
/// # Errors
/// If the engine can't.
pub async fn stop(work: &Work) -> Result<(), StepError> {
    let c = work.container().await?;
    if let Some(found) = find(&work.app, &c).await?
        && found.running
    {
        // The image's own stop time was set when the container was made; this is its upper bound.
        work.app.runtime.stop(&found.id, 60).await?;
    }
    Ok(())
}

/// Removes the engine's container; the data stays.
///
/// # Errors
/// If the engine can't.
pub async fn remove(work: &Work) -> Result<(), StepError> {
    let c = work.container().await?;
    if let Some(found) = find(&work.app, &c).await? {
        work.app.runtime.remove(&found.id).await?;
    }
    let mut db = work.app.db.acquire().await?;
    containers::set_docker_id(&mut db, c.id, None).await?;
    Ok(())
}
