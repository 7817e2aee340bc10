//! The parts of a portal and its mydb_admin, for a command that enqueues jobs.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::admin_db::log::Actor;
use crate::app::App;
use crate::cli::recovery::parts;
use crate::cli::session::CommandSession;
use crate::cli::surroundings::Surroundings;
use crate::objects::Stores;
use crate::tasks;

/// Assembles the parts without starting anything. Returns them, and who runs the command.
///
/// # Errors
/// If there is no mydb_admin yet, or one of another version.
pub(super) async fn open(at: &Surroundings) -> anyhow::Result<(Arc<App>, Actor)> {
    let session = CommandSession::open(at).await?;
    let parts = parts(at).await?;
    // Only the portal writes to the stores; an embedded one need not be served for that.
    let (stores, _) = Stores::open(&parts.config).await?;
    let app: Arc<App> = Box::pin(App::assemble(parts, stores)).await?;
    Ok((app, session.actor))
}

/// The same for a command that reads from the stores: embedded ones are served meanwhile.
pub(super) struct ReadingSession {
    /// The parts of the portal.
    pub(super) app: Arc<App>,
    /// Who runs the command.
    pub(super) actor: Actor,
    stop: CancellationToken,
    serving: Vec<JoinHandle<anyhow::Result<()>>>,
}

impl ReadingSession {
    /// Assembles the parts.
    ///
    /// # Errors
    /// As for [`open`].
    pub(super) async fn open(at: &Surroundings) -> anyhow::Result<Self> {
        let session = CommandSession::open(at).await?;
        let parts = parts(at).await?;
        let (stores, servers) = Stores::open(&parts.config).await?;
        let stop = CancellationToken::new();
        let serving = servers.into_iter().map(|s| tasks::spawn(s.serve(stop.clone()))).collect();
        let app: Arc<App> = Box::pin(App::assemble(parts, stores)).await?;
        Ok(Self { app, actor: session.actor, stop, serving })
    }

    /// Stops the embedded stores.
    pub(super) async fn close(self) {
        self.stop.cancel();
        for task in self.serving {
            let _ = task.await;
        }
    }
}
