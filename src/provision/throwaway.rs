//! A container that belongs to nobody and reaches nothing: a backup is restored into it, looked at, and it is removed.

use secrecy::SecretString;
use uuid::Uuid;

use super::blueprint::{Blueprint, prepare};
use super::flow::StepError;
use super::server::{ANSWER, ask};
use crate::admin_db::image_tools;
use crate::app::App;
use crate::backup::manifest::Of;
use crate::domain::password::Password;
use crate::storage::DataDir;

/// A sealed container under way.
pub struct ThrowAway<'a> {
    /// What it is made from.
    pub blueprint: Blueprint<'a>,
    /// Its name in the engine.
    pub name: String,
}

/// Name in the engine of the throw-away container for this work.
pub fn name(app: &App, id: Uuid) -> String {
    format!("{}-helper-drill-{}", app.config.instance, id.simple())
}

impl<'a> ThrowAway<'a> {
    /// Describes one for what a backup is of. `id` names its directory.
    ///
    /// # Errors
    /// If the catalog or the configuration no longer has what it needs.
    pub async fn of(app: &'a App, of: &Of, id: Uuid) -> Result<Self, StepError> {
        let mut db = app.db.acquire().await?;
        let tools = image_tools::get(&mut db, &of.digest).await?.unwrap_or_default();
        drop(db);
        let password: SecretString = Password::generate(&app.random).secret().clone();
        Ok(Self { blueprint: Blueprint::sealed(app, of, id, password, tools)?, name: name(app, id) })
    }

    fn dir(&self) -> &DataDir {
        &self.blueprint.dir
    }

    /// Removes the container and its data; what is gone is fine.
    ///
    /// # Errors
    /// If it can't be removed.
    pub async fn remove(&self, app: &App) -> Result<(), StepError> {
        app.runtime.remove(&self.name).await?;
        Ok(app.files.remove(self.dir(), &self.blueprint.reference).await?)
    }

    /// Makes it anew, without any network, starts it and waits until it answers. Answers the engine's id.
    ///
    /// # Errors
    /// If it does not answer in time.
    pub async fn start(&self, app: &App) -> Result<String, StepError> {
        self.remove(app).await?;
        let b = &self.blueprint;
        prepare(app, b).await?;
        let recipe = b.recipe(app)?;
        let plan = b.plan();
        let spec = b.spec(app, &recipe, &self.name, "none".to_owned());
        let id = app.runtime.create(&spec).await?;
        app.runtime.copy_in(&id, &recipe.files).await?;
        app.runtime.start(&id).await?;
        let probe = b.image.engine.engine().probe(&plan);
        let begin = std::time::Instant::now();
        loop {
            let alive = app.runtime.inspect(&id).await?.is_some_and(|f| f.running);
            if !alive {
                let words = super::server::last_lines(app, &id, 15).await;
                return Err(StepError::Fail(format!("The sealed server ended by itself.\nIts last words:\n{words}")));
            }
            if ask(app, &id, &probe, ANSWER).await.is_ok_and(|said| said.code == 0) {
                return Ok(id);
            }
            if begin.elapsed() > app.config.databases.create_timeout {
                return Err(StepError::Fail("The sealed server did not answer in time.".to_owned()));
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }
}
