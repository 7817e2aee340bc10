//! Copies the data of a running server with the engine's own tool, so that the server keeps working.
//!
//! The tool runs in a container of the server's image, without capabilities and as the server's user. It shares the
//! network of the server, reads the server's data, and writes only to the directory of the copy.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::quantity::MIB;
use crate::engine::{COPY_DIR, ExecSpec};
use crate::provision::exec::ask;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::helper::HOLD;
use crate::runtime::{ContainerSpec, Mount, RuntimeError};
use crate::storage::DataDir;

/// Timeout for one command of a copy.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Memory for the tool, in bytes. MariaDB's needs most, to apply what changed meanwhile.
const MEMORY: i64 = 512 * MIB;

/// A copy by the engine's own tool.
pub(super) struct OnlineCopy<'a> {
    from: &'a Blueprint,
    commands: Vec<ExecSpec>,
}

impl<'a> OnlineCopy<'a> {
    /// The copy of this server's data; `None` if its engine has no tool for it.
    pub fn of(from: &'a Blueprint) -> Option<Self> {
        let commands = from.image.engine.engine().copy_online(&from.plan());
        (!commands.is_empty()).then_some(Self { from, commands })
    }

    /// Copies the data to `to`, while the server runs in the container `server`. Returns the moment of the copy; `None` if
    /// the tool fails: then `to` is empty.
    ///
    /// # Errors
    /// If the container engine or the file system fails.
    pub async fn attempt(
        &self,
        w: &StepContext,
        to: &DataDir,
        server: &str,
    ) -> Result<Option<DateTime<Utc>>, StepError> {
        let (app, from) = (&w.app, self.from);
        w.progress("Copying the data while the database keeps working").await;
        end(app, to.id).await?;
        app.files.remove(to, &from.reference).await?;
        app.files.prepare(to, &from.reference, from.image.uid, from.image.gid).await?;
        let id = app.runtime.create(&spec(app, from, to, server)).await?;
        let copied = run(app, &id, &self.commands).await;
        app.runtime.remove(&id).await?;
        match copied? {
            Ok(at) => Ok(Some(at)),
            Err(why) => {
                tracing::warn!("The data could not be copied while the server was working, so it is paused: {why}");
                app.files.remove(to, &from.reference).await?;
                Ok(None)
            }
        }
    }
}

/// Ends a copy to this directory that was interrupted.
pub async fn end(app: &App, to: Uuid) -> Result<(), RuntimeError> {
    app.runtime.remove(&ContainerSpec::helper(&app.config.instance, &name(to), "", &[]).name).await
}

fn name(to: Uuid) -> String {
    format!("copy-online-{}", to.simple())
}

fn spec(app: &App, from: &Blueprint, to: &DataDir, server: &str) -> ContainerSpec {
    let mount =
        |dir: &DataDir, target: &str, read_only| Mount { source: dir.data(), target: target.to_owned(), read_only };
    ContainerSpec {
        user: Some(from.plan().owner()),
        mounts: vec![mount(&from.dir, &from.image.volume, true), mount(to, COPY_DIR, false)],
        network: format!("container:{server}"),
        memory: MEMORY,
        ..ContainerSpec::helper(&app.config.instance, &name(to.id), &from.reference, &HOLD)
    }
}

/// Runs the commands. The inner error is the message of one that failed.
async fn run(app: &App, id: &str, commands: &[ExecSpec]) -> Result<Result<DateTime<Utc>, String>, RuntimeError> {
    app.runtime.start(id).await?;
    let mut at = None;
    for command in commands {
        let said = ask(app, id, command, LONGEST).await?;
        if said.code != 0 {
            let last = said.stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
            return Ok(Err(format!("exit code {}: {last}", said.code)));
        }
        at.get_or_insert_with(|| app.clock.now());
    }
    Ok(at.ok_or_else(|| "nothing to run".to_owned()))
}
