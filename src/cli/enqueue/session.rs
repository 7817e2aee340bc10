//! The parts of a portal and its mydb_admin, for a command that enqueues jobs.

use std::sync::Arc;

use crate::admin_db::log::Actor;
use crate::app::App;
use crate::cli::recovery::parts;
use crate::cli::session::CommandSession;
use crate::cli::surroundings::Surroundings;
use crate::objects::Stores;

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
