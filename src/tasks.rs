//! Starts tasks in the span of the request, job or step that spawns them, so that their log lines carry its ids.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

/// Spawns a future. The caller keeps the handle or makes sure that the task ends.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work.instrument(Span::current()))
}

/// Runs blocking or long computations on a separate thread.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
}

#[cfg(test)]
mod tests {
    use crate::tasks::*;

    #[tokio::test]
    async fn spawned_tasks_stay_in_their_span() {
        let subscriber = tracing::Dispatch::new(tracing_subscriber::registry());
        let inner = subscriber.clone();
        let name = move || {
            tracing::dispatcher::with_default(&inner, || Span::current().metadata().map_or("none", |m| m.name()))
        };
        let (task, thread) = tracing::dispatcher::with_default(&subscriber, || {
            let (a, b) = (name.clone(), name.clone());
            tracing::error_span!("job").in_scope(|| (spawn(async move { a() }), blocking(b)))
        });
        assert_eq!((task.await.unwrap(), thread.await.unwrap()), ("job", "job"));
        assert_eq!(spawn(async move { name() }).await.unwrap(), "none");
    }
}
