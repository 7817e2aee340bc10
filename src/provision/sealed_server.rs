//! A temporary container without network access. A backup is restored into it and checked, or a copy of a database's
//! data is dumped in it; then it is removed.

use secrecy::SecretString;
use uuid::Uuid;

use crate::admin_db::image_tools;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::catalog::CatalogImage;
use crate::config::Tier;
use crate::domain::password::Password;
use crate::engine::ExecSpec;
use crate::manifest::BackupSubject;
use crate::provision::data_directory::prepare;
use crate::provision::exec::run_all;
use crate::provision::readiness::{NotReady, Patience, describe, until_answers};
use crate::provision::seed;
use crate::queue::step_error::StepError;
use crate::runtime::helper::HOLD;

/// A sealed container in use.
pub struct SealedServer {
    /// What it is made from.
    pub blueprint: Blueprint,
    /// Its name in the engine.
    pub name: String,
    /// Whether its data may be a copy of a seed, whose administrator's password then applies.
    seeded: bool,
}

/// Name in the engine of the temporary container for this work.
pub fn name(app: &App, id: Uuid) -> String {
    format!("{}-helper-drill-{}", app.config.instance, id.simple())
}

/// The password of a sealed server's administrator.
#[derive(Debug)]
pub enum AdminPassword {
    /// A generated one.
    New,
    /// This password, set when the server initialises its data.
    Made(SecretString),
    /// This password, which is already in the data it gets.
    There(SecretString),
}

impl SealedServer {
    /// Describes a sealed server for the database of a backup. `id` names its directory on the tier of `of`.
    ///
    /// # Errors
    /// If the catalog or the configuration no longer contains something it needs.
    pub async fn of(app: &App, of: &BackupSubject, id: Uuid, admin: AdminPassword) -> Result<Self, StepError> {
        let mut db = app.db.acquire().await?;
        let tools = image_tools::get(&mut db, &of.digest).await?.unwrap_or_default();
        drop(db);
        let (fresh, seeded) = (!matches!(admin, AdminPassword::There(_)), matches!(admin, AdminPassword::New));
        let password = match admin {
            AdminPassword::New => Password::generate(&app.random).secret().clone(),
            AdminPassword::Made(password) | AdminPassword::There(password) => password,
        };
        Ok(Self { blueprint: Blueprint::sealed(app, of, id, password, tools, fresh)?, name: name(app, id), seeded })
    }

    /// Describes the sealed server in which seed `id` is made.
    pub(super) fn of_seed(
        app: &App,
        image: &CatalogImage,
        tier: &Tier,
        id: Uuid,
        password: SecretString,
    ) -> Result<Self, StepError> {
        Ok(Self {
            blueprint: Blueprint::of_seed(&app.config, image, tier, id, password)?,
            name: name(app, id),
            seeded: false,
        })
    }

    /// Removes the container and its data; either may already be gone.
    pub async fn remove(&self, app: &App) -> Result<(), StepError> {
        self.remove_container(app).await?;
        Ok(app.files.remove(&self.blueprint.dir, &self.blueprint.reference).await?)
    }

    /// Removes the container only.
    pub async fn remove_container(&self, app: &App) -> Result<(), StepError> {
        Ok(app.runtime.remove(&self.name).await?)
    }

    /// Starts its server on a new, empty directory and waits until it responds. Returns the engine's id.
    pub async fn start(&mut self, app: &App) -> Result<String, StepError> {
        self.remove(app).await?;
        if self.seeded
            && let Some(password) = seed::copy_into(app, &self.blueprint).await?
        {
            self.blueprint.begins_with(password);
        }
        prepare(app, &self.blueprint).await?;
        self.launch(app).await
    }

    /// The same for the data of a seed: the server gets nothing that differs between copies.
    pub(super) async fn start_seed(&self, app: &App) -> Result<(), StepError> {
        self.remove(app).await?;
        prepare(app, &self.blueprint).await?;
        let probe = self.blueprint.image.engine.engine().initialised(&self.blueprint.plan());
        self.launch_until(app, &probe).await.map(|_| ())
    }

    /// Starts its server on the existing data, without network access, and waits until it responds. Returns the
    /// engine's id.
    pub async fn launch(&self, app: &App) -> Result<String, StepError> {
        let probe = self.blueprint.image.engine.engine().probe(&self.blueprint.plan());
        self.launch_until(app, &probe).await
    }

    async fn launch_until(&self, app: &App, probe: &ExecSpec) -> Result<String, StepError> {
        let engine = self.blueprint.image.engine.engine();
        match self.run(app, probe, Vec::new()).await? {
            Ok(id) => Ok(id),
            Err((_, NotReady::LockedOut(_))) if engine.regain(&self.blueprint.plan()).is_some() => {
                // The data is a copy from a server whose owner locked out the portal's user.
                self.regain(app).await?;
                match self.run(app, probe, Vec::new()).await? {
                    Ok(id) => Ok(id),
                    Err((id, silent)) => Err(self.mute(app, &id, silent).await),
                }
            }
            Err((id, silent)) => Err(self.mute(app, &id, silent).await),
        }
    }

    /// Recreates the administrator in data in which it cannot sign in, and stops the server cleanly.
    ///
    /// # Errors
    /// If the engine has no way to do that, or the server does not respond.
    pub(super) async fn regain(&self, app: &App) -> Result<(), StepError> {
        let (engine, plan) = (self.blueprint.image.engine.engine(), self.blueprint.plan());
        let regain = engine
            .regain(&plan)
            .ok_or_else(|| StepError::Fail("This server no longer accepts the portal's user.".to_owned()))?;
        match self.run(app, &engine.probe(&plan), regain.env).await? {
            Ok(id) => run_all(app, &id, &regain.commands).await?,
            Err((id, silent)) => return Err(self.mute(app, &id, silent).await),
        }
        self.stop(app).await
    }

    async fn mute(&self, app: &App, id: &str, silent: NotReady) -> StepError {
        let why = describe(app, id, silent, Patience::new(app, app.config.databases.create_timeout)).await;
        StepError::Fail(format!("In an isolated container: {why}"))
    }

    /// Starts the server with additional environment variables and waits until it responds.
    async fn run(
        &self,
        app: &App,
        probe: &ExecSpec,
        more: Vec<(String, String)>,
    ) -> Result<Result<String, (String, NotReady)>, StepError> {
        self.remove_container(app).await?;
        let b = &self.blueprint;
        let mut recipe = b.recipe(app)?;
        recipe.env.extend(more);
        recipe.cmd.extend(b.image.engine.engine().sealed_arguments().iter().map(|a| (*a).to_owned()));
        let spec = b.spec(app, &recipe, &self.name, "none".to_owned());
        let id = app.runtime.create(&spec).await?;
        app.runtime.copy_in(&id, &recipe.files).await?;
        app.runtime.start(&id).await?;
        let patience = Patience::new(app, app.config.databases.create_timeout);
        Ok(match until_answers(app, &id, probe, patience).await? {
            Ok(_) => Ok(id),
            Err(silent) => Err((id, silent)),
        })
    }

    /// Stops its server cleanly and removes the container. The data is kept.
    ///
    /// # Errors
    /// If the server had to be killed: its data was not shut down cleanly.
    pub async fn stop(&self, app: &App) -> Result<(), StepError> {
        let recipe = self.blueprint.recipe(app)?;
        app.runtime.stop(&self.name, recipe.stop_seconds).await?;
        let code = app.runtime.inspect(&self.name).await?.and_then(|f| f.exit_code);
        if code == Some(KILLED) {
            return Err(StepError::Fail(format!("The isolated server did not stop within {} s.", recipe.stop_seconds)));
        }
        self.remove_container(app).await
    }

    /// Starts a container of the same image without a server, for commands; with the data mounted if `with_data`.
    /// Returns the engine's id.
    pub async fn hold(&self, app: &App, with_data: bool) -> Result<String, StepError> {
        self.remove_container(app).await?;
        let recipe = self.blueprint.recipe(app)?;
        let mut spec = self.blueprint.spec(app, &recipe, &self.name, "none".to_owned());
        spec.entrypoint = Some(HOLD.map(str::to_owned).to_vec());
        (spec.cmd, spec.user, spec.stop_signal) = (Vec::new(), Some(self.blueprint.plan().owner()), None);
        spec.stop_seconds = Some(1);
        spec.capabilities.clear();
        if !with_data {
            spec.mounts.clear();
        }
        let id = app.runtime.create(&spec).await?;
        app.runtime.start(&id).await?;
        Ok(id)
    }
}

/// Exit code of a process killed by the engine.
const KILLED: i64 = 137;
