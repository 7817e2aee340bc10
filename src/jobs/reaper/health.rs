//! Whether the server of a temporary database is dead or unhealthy.

use std::time::Duration;

use crate::admin_db::containers::Container;
use crate::app::App;
use crate::domain::expiry::ReaperFilter;
use crate::domain::state::ContainerState;
use crate::provision::container::find;
use crate::provision::server;

/// How long a server may do nothing before it counts as unhealthy. One that is working is given more time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The fault that one of the filters looks for; `None` while it is not certain.
pub(super) async fn fault(app: &App, c: &Container, filters: &[ReaperFilter]) -> Option<(ReaperFilter, String)> {
    // A failed database is one that the portal gave up restarting, or whose last job failed.
    let should_run = match c.state {
        ContainerState::Running => true,
        ContainerState::Failed => c.started_at.is_some(),
        _ => false,
    };
    let asked = |filter| filters.contains(&filter);
    if !should_run || c.active_job.is_some() || !(asked(ReaperFilter::Dead) || asked(ReaperFilter::Unhealthy)) {
        return None;
    }
    match find(app, c).await {
        Ok(Some(found)) if found.running => {
            let looks =
                asked(ReaperFilter::Unhealthy) && c.state == ContainerState::Running && found.status != "paused";
            let silent = looks && matches!(server::responds(app, c, &found.id, PATIENCE).await, Ok(false));
            silent.then(|| (ReaperFilter::Unhealthy, "unhealthy: its server does not respond".to_owned()))
        }
        Ok(found) if asked(ReaperFilter::Dead) => {
            let how = match found.and_then(|f| f.exit_code) {
                Some(code) => format!("dead: its container exited with code {code}"),
                None => "dead: its container no longer exists".to_owned(),
            };
            Some((ReaperFilter::Dead, how))
        }
        Ok(_) => None,
        Err(e) => {
            tracing::warn!(container.name = c.name, "Could not inspect the container of `{}`: {e}", c.name);
            None
        }
    }
}
