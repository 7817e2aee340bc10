//! The portal's tasks: each has a name, is told to stop, and is waited for.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Longest wait for all tasks to end once they were told to.
pub const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Everything that runs until the portal stops. Dropping it cuts all of it short, as a crash would.
#[derive(Debug, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Lifecycle {
    /// The token that tells a task to stop.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. It must end soon after [`Lifecycle::token`] is cancelled, and never before.
    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let id = self.tasks.spawn(work).id();
        self.names.insert(id, name);
    }

    /// Waits for a task that ends by itself, which none should: the error says which and why.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.describe(ended),
            None => std::future::pending().await,
        }
    }

    /// Tells every task to stop and waits for them, at most [`STOP_LIMIT`] and until `hurry` is done.
    ///
    /// # Errors
    /// The names of tasks that were still at work then.
    pub async fn stop(mut self, hurry: impl Future<Output = ()>) -> Result<(), Vec<&'static str>> {
        self.stop.cancel();
        let all_ended = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                if !matches!(ended, Ok((_, Ok(())))) {
                    tracing::error!("{:#}", self.describe(ended));
                } else if let Ok((id, _)) = ended {
                    self.names.remove(&id);
                }
            }
        };
        tokio::select! {
            () = all_ended => return Ok(()),
            () = hurry => {}
            () = tokio::time::sleep(STOP_LIMIT) => {}
        }
        let mut late: Vec<_> = self.names.into_values().collect();
        late.sort_unstable();
        Err(late)
    }

    fn describe(&mut self, ended: Result<(Id, anyhow::Result<()>), JoinError>) -> anyhow::Error {
        let (id, error) = match ended {
            Ok((id, Ok(()))) => (id, anyhow::anyhow!("it ended by itself")),
            Ok((id, Err(e))) => (id, e),
            Err(e) => (e.id(), anyhow::Error::from(e)),
        };
        let name = self.names.remove(&id).unwrap_or("a task");
        error.context(format!("the task “{name}” failed"))
    }
}

