//! The byte stream of a connection, with timeouts.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use crate::web::connections::connection::Connection;

/// How long a client may read nothing of a response.
const STALL: Duration = Duration::from_secs(120);

/// A connection that closes itself if no request is in flight and none has arrived completely in time, however slowly
/// its bytes trickle in, or if the client does not read a response.
#[derive(Debug)]
pub struct TimedConnection {
    stream: TcpStream,
    connection: Arc<Connection>,
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
    stalled: Option<Instant>,
}

impl TimedConnection {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        let now = Instant::now();
        let sleep = || Box::pin(sleep_until(now.into()));
        Self { stream, connection, reading: sleep(), writing: sleep(), stalled: None }
    }

    /// Passes on the result of a write, and fails if it has been waiting for too long.
    fn waited<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        self.writing.as_mut().reset((since + STALL).into());
        ready!(self.writing.as_mut().poll(cx));
        Poll::Ready(Err(too_long()))
    }
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no data received in time")
}

impl AsyncRead for TimedConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let (until, ends) = this.connection.deadline();
            if ends && until <= Instant::now() {
                return Poll::Ready(Err(too_long()));
            }
            if let Poll::Ready(done) = Pin::new(&mut this.stream).poll_read(cx, buf) {
                return Poll::Ready(done);
            }
            this.reading.as_mut().reset(until.into());
            ready!(this.reading.as_mut().poll(cx));
        }
    }
}

impl AsyncWrite for TimedConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.waited(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.waited(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.waited(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.waited(cx, done)
    }
}
