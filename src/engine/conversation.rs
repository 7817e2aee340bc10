//! A command that talks with the server itself, over a connection that a program in the container passes on. It replaces
//! a client that takes a second of processor time to start. The engine opens no connection: it is handed a stream.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Holds one conversation. An error says why it failed.
type Talk = dyn Fn(DuplexStream, Print) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// Takes what a client would print.
pub struct Print(mpsc::Sender<Bytes>);

impl Print {
    /// Output that appears in `to`.
    pub fn new(to: mpsc::Sender<Bytes>) -> Self {
        Self(to)
    }

    /// Prints a text. Waits until the reader has room.
    pub async fn text(&self, text: impl Into<Bytes> + Send) {
        // If nobody reads any more, the conversation is about to be dropped.
        let _ = self.0.send(text.into()).await;
    }
}

/// Both sides of the standard input and output of a command in a container.
#[derive(Clone)]
pub struct Conversation(Arc<Talk>);

impl Conversation {
    /// A conversation held by `talk`.
    pub fn new(
        talk: impl Fn(DuplexStream, Print) -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(talk))
    }

    /// Begins it over `stream`. What it prints stands for the standard output of a command, and an error for the standard
    /// error of one that failed.
    pub fn begin(&self, stream: DuplexStream, print: Print) -> BoxFuture<'static, Result<(), String>> {
        (self.0)(stream, print)
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Conversation")
    }
}
