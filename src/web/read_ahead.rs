//! How far a form with a file may be read ahead. The reader of forms keeps what comes before a field, its headers, and
//! everything that has arrived of a file, in memory, and its sender decides how much that is.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use axum::body::{Body, Bytes};
use futures::StreamExt;

/// Bytes of everything but files, and of a file before the first of them are consumed.
const WINDOW: usize = 128 * 1024;

#[derive(Debug, Default)]
struct State {
    arrived: usize,
    consumed: usize,
    file: bool,
    reader: Option<Waker>,
    /// Whether the form has got its window since its reader last made progress.
    stalled: bool,
    exceeded: bool,
}

/// What was read of a form and not consumed.
#[derive(Debug, Default)]
pub struct ReadAhead(Mutex<State>);

impl ReadAhead {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A field, or a piece of one, was found in what was read.
    pub fn progressed(&self) {
        self.state().stalled = false;
    }

    /// A file begins, of which pieces are consumed one by one.
    pub fn file_begins(&self) {
        self.state().file = true;
    }

    /// This many bytes of the file were consumed.
    pub fn consumed(&self, bytes: usize) {
        let mut state = self.state();
        state.consumed += bytes;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    /// The file has ended.
    pub fn file_ends(&self) {
        self.state().file = false;
    }

    /// Whether more was sent than a form without its files may have.
    pub fn is_exceeded(&self) -> bool {
        self.state().exceeded
    }

    /// Ready if more may be read.
    fn room(&self, task: &Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        if state.arrived <= state.consumed + WINDOW {
            return Poll::Ready(Ok(()));
        }
        if state.file {
            state.reader = Some(task.waker().clone());
            return Poll::Pending;
        }
        // The reader takes all that has arrived before it looks for the next field. It gets the chance to find one.
        if !state.stalled {
            state.stalled = true;
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        state.exceeded = true;
        Poll::Ready(Err(io::Error::other("the form is too large")))
    }

    fn arrived(&self, piece: &Bytes) {
        self.state().arrived += piece.len();
    }
}

/// The body of a request, read no further than `ahead` allows.
pub fn limited(body: Body, ahead: Arc<ReadAhead>) -> Body {
    let mut pieces = body.into_data_stream();
    Body::from_stream(futures::stream::poll_fn(move |task| {
        match ahead.room(task) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(e)) => return Poll::Ready(Some(Err(e))),
            Poll::Pending => return Poll::Pending,
        }
        let next = std::task::ready!(pieces.poll_next_unpin(task));
        if let Some(Ok(piece)) = &next {
            ahead.arrived(piece);
        }
        Poll::Ready(next.map(|piece| piece.map_err(io::Error::other)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_ahead_only_within_its_limits() {
        let ahead = ReadAhead::default();
        let task = Context::from_waker(Waker::noop());
        let send = |bytes: usize| {
            let room = ahead.room(&task);
            ahead.arrived(&Bytes::from(vec![0; bytes]));
            room
        };
        ahead.file_begins();
        assert!(send(WINDOW + 1).is_ready() && send(0).is_pending() && !ahead.is_exceeded());
        ahead.consumed(WINDOW);
        assert!(matches!(send(0), Poll::Ready(Ok(()))));
        ahead.file_ends();
        assert!(send(WINDOW).is_ready());
        assert!(ahead.room(&task).is_pending(), "the next field may be in what has arrived");
        ahead.progressed();
        assert!(ahead.room(&task).is_pending() && !ahead.is_exceeded());
        assert!(matches!(ahead.room(&task), Poll::Ready(Err(_))) && ahead.is_exceeded());
    }
}
