//! Bodies with limits: request bodies must arrive at a minimum rate, and response bodies keep their request in flight.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};

use crate::web::connections::connection::RequestInFlight;
use crate::web::error::AppError;
use crate::web::portal::Shared;

/// Period over which the rate is measured. Time during which nobody wanted to read does not count.
const WINDOW: Duration = Duration::from_secs(30);

/// Keeps a request in flight until its response body has been dropped.
pub(super) fn held(body: Body, busy: RequestInFlight) -> Body {
    if body.is_end_stream() { body } else { Body::new(Held { body, _busy: busy }) }
}

struct Held {
    body: Body,
    _busy: RequestInFlight,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Reads a request body at the minimum rate or faster; a slower one ends the request.
pub async fn paced(State(portal): State<Shared>, request: Request, next: Next) -> Response {
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    let slow = Arc::new(AtomicBool::new(false));
    let least = portal.app.config.server.least_rate;
    let request = request.map(|body| Body::from_stream(pace(body.into_data_stream(), least, slow.clone())));
    let response = next.run(request).await;
    if slow.load(Ordering::Relaxed) && !response.status().is_success() {
        return AppError::Slow(least).into_response();
    }
    response
}

struct Pace {
    data: BodyDataStream,
    waited: Duration,
    got: u64,
    over: bool,
}

fn pace(
    data: BodyDataStream,
    least: u64,
    slow: Arc<AtomicBool>,
) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
    let wanted = least.saturating_mul(WINDOW.as_secs());
    let pace = Pace { data, waited: Duration::ZERO, got: 0, over: false };
    futures::stream::unfold((pace, slow), move |(mut p, slow)| async move {
        while !p.over {
            let begin = Instant::now();
            let next = tokio::time::timeout(WINDOW.saturating_sub(p.waited), p.data.next()).await;
            p.waited += begin.elapsed();
            if let Ok(Some(Ok(piece))) = &next {
                p.got = p.got.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
            if p.waited >= WINDOW {
                if p.got < wanted {
                    p.over = true;
                    slow.store(true, Ordering::Relaxed);
                    let e = axum::Error::new(std::io::Error::from(std::io::ErrorKind::TimedOut));
                    return Some((Err(e), (p, slow)));
                }
                (p.waited, p.got) = (Duration::ZERO, 0);
            }
            if let Ok(piece) = next {
                return piece.map(|piece| (piece, (p, slow)));
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body that arrives as `pieces` chunks, one every `every` milliseconds.
    async fn comes(pieces: usize, size: usize, every: u64) -> (usize, bool) {
        let source = futures::stream::unfold(0, move |n| async move {
            tokio::time::sleep(Duration::from_millis(every)).await;
            (n < pieces).then(|| (Ok::<_, std::io::Error>(Bytes::from(vec![0; size])), n + 1))
        });
        let slow = Arc::new(AtomicBool::new(false));
        let paced = pace(Body::from_stream(source).into_data_stream(), 10, slow.clone());
        let got: Vec<_> = Box::pin(paced).collect().await;
        (got.iter().filter(|piece| piece.is_ok()).count(), slow.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_body_that_arrives_in_time_is_unchanged() {
        assert_eq!(comes(100, 1000, 0).await, (100, false));
    }
}
