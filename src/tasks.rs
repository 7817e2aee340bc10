//! Tasks that log as the request, job or step that started them: a log line carries the ids of its span, wherever it was written.

use std::future::Future;

use tokio::task::JoinHandle;
use tracing::{Instrument, Span};

/// Runs a future by itself. Whoever starts it keeps the handle, or sees to it that it ends.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work.instrument(Span::current()))
}

/// Runs on a thread of its own what blocks or computes for long.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let span = Span::current();
    tokio::task::spawn_blocking(move || span.in_scope(work))
}

#[cfg(test)]
mod tests {
    use crate::tasks::*;

    #[tokio::test]
    async fn what_is_started_inside_a_span_stays_inside() {
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
