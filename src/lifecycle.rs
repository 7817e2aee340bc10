//! The portal's long-running tasks: each has a name, receives a stop signal, and is awaited.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long to wait for all tasks to end after the stop signal.
pub const STOP_LIMIT: Duration = Duration::from_secs(60);

/// All tasks that run until the portal stops. Dropping it aborts them, as a crash would.
#[derive(Debug, Default)]
pub struct Lifecycle {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Lifecycle {
    /// The token that signals tasks to stop.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. It must end soon after [`Lifecycle::token`] is cancelled, and never before.
    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let id = self.tasks.spawn(work.instrument(tracing::error_span!("task", name))).id();
        self.names.insert(id, name);
    }

    /// Waits for a task that ends on its own, which none should; the error says which one and why.
    pub async fn failed(&mut self) -> anyhow::Error {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.describe(ended),
            None => std::future::pending().await,
        }
    }

    /// Signals every task to stop and waits for them, at most [`STOP_LIMIT`] or until `hurry` completes.
    pub async fn stop(self, hurry: impl Future<Output = ()>) -> Result<(), Vec<&'static str>> {
        self.stop_within(STOP_LIMIT, hurry).await
    }

    async fn stop_within(mut self, limit: Duration, hurry: impl Future<Output = ()>) -> Result<(), Vec<&'static str>> {
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
            () = tokio::time::sleep(limit) => {}
        }
        let mut late: Vec<_> = self.names.into_values().collect();
        late.sort_unstable();
        Err(late)
    }

    fn describe(&mut self, ended: Result<(Id, anyhow::Result<()>), JoinError>) -> anyhow::Error {
        let (id, error) = match ended {
            Ok((id, Ok(()))) => (id, anyhow::anyhow!("it ended unexpectedly")),
            Ok((id, Err(e))) => (id, e),
            Err(e) => (e.id(), anyhow::Error::from(e)),
        };
        let name = self.names.remove(&id).unwrap_or("a task");
        error.context(format!("the task “{name}” failed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cooperative_tasks_are_awaited() {
        let mut lifecycle = Lifecycle::default();
        let stop = lifecycle.token();
        lifecycle.spawn("listens", async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            Ok(())
        });
        assert_eq!(lifecycle.stop(std::future::pending()).await, Ok(()));
    }

    #[tokio::test]
    async fn stragglers_are_named_at_the_time_limit_and_on_a_second_signal() {
        let (short, long) = (Duration::from_millis(10), Duration::from_secs(3600));
        for (limit, hurry) in [(short, long), (long, short)] {
            let mut lifecycle = Lifecycle::default();
            lifecycle.spawn("mute", std::future::pending());
            lifecycle.spawn("deaf", std::future::pending());
            let late = lifecycle.stop_within(limit, tokio::time::sleep(hurry)).await;
            assert_eq!(late, Err(vec!["deaf", "mute"]));
        }
    }

    #[tokio::test]
    async fn a_task_that_ends_on_its_own_is_named() {
        let mut lifecycle = Lifecycle::default();
        lifecycle.spawn("steady", std::future::pending());
        lifecycle.spawn("listener", async { anyhow::bail!("the socket broke") });
        assert_eq!(format!("{:#}", lifecycle.failed().await), "the task “listener” failed: the socket broke");
        lifecycle.spawn("quitter", async { Ok(()) });
        assert_eq!(format!("{:#}", lifecycle.failed().await), "the task “quitter” failed: it ended unexpectedly");
        lifecycle.spawn("clumsy", async { panic!("oh") });
        assert!(format!("{:#}", lifecycle.failed().await).contains("“clumsy”"));
    }
}
