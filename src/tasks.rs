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

    /// Enables every span.
    struct AllSpans;

    impl tracing::Subscriber for AllSpans {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            tracing::span::Id::from_u64(7)
        }
        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn enter(&self, id: &tracing::span::Id) {
            ENTERED.set(id.into_u64());
        }
        fn exit(&self, _: &tracing::span::Id) {
            ENTERED.set(0);
        }
    }

    thread_local! { static ENTERED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) } }

    #[tokio::test]
    async fn what_is_started_inside_a_span_stays_inside() {
        let subscriber = tracing::Dispatch::new(AllSpans);
        let (task, thread) = tracing::dispatcher::with_default(&subscriber, || {
            tracing::error_span!("job").in_scope(|| (spawn(async { ENTERED.get() }), blocking(|| ENTERED.get())))
        });
        assert_eq!((task.await.unwrap(), thread.await.unwrap()), (7, 7));
        assert_eq!(spawn(async { ENTERED.get() }).await.unwrap(), 0);
    }
}
