//! Connects a command's input and output with the portal's side of a conversation. Part of [`super::exec`].

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};

use super::{ExecPiece, Input, Pieces, RuntimeError};
use crate::domain::stream_error::StreamError;
use crate::engine::conversation::{Conversation, Print};

/// Bytes that may wait in each direction.
pub(super) const BUFFER: usize = 64 * 1024;
/// Texts that may wait to be read.
const WAITING: usize = 16;
/// Bytes to keep of what the command itself says.
const WORDS: usize = 4096;

/// Splits the portal's end of the stream: the command's input, and where its output goes.
pub(super) fn halves(ours: DuplexStream) -> (Input, WriteHalf<DuplexStream>) {
    let (read, write) = tokio::io::split(ours);
    (stream::unfold(read, next).boxed(), write)
}

type Read = ReadHalf<DuplexStream>;

async fn next(mut read: Read) -> Option<(Result<Bytes, StreamError>, Read)> {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    match read.read_buf(&mut buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some((Ok(buffer.freeze()), read)),
    }
}

/// Holds the conversation, and returns what it prints as the output of a command that ends with 0 or 1. The command itself
/// is ended by closing its input.
pub(super) fn hold(
    talk: &Conversation,
    theirs: DuplexStream,
    pieces: Pieces,
    from_server: WriteHalf<DuplexStream>,
) -> Pieces {
    let (print, printed) = mpsc::channel(WAITING);
    let talk = talk.begin(theirs, Print::new(print));
    let (tell, told) = oneshot::channel();
    let holding = async move {
        // If nobody waits for the result, nobody needs it.
        let _ = tell.send(both(talk, pieces, from_server).await);
    };
    let printed = stream::unfold(printed, |mut printed| async { Some((printed.recv().await?, printed)) });
    let printed = printed.map(|text| Ok(ExecPiece::Stdout(text)));
    // The printed text ends when the conversation does, because that drops its end of the channel.
    let ended = told.map(|told| match told {
        Ok(Ok(())) => vec![Ok(ExecPiece::Ended(0))],
        Ok(Err(Failure::Words(why))) => vec![Ok(ExecPiece::Stderr(why.into())), Ok(ExecPiece::Ended(1))],
        Ok(Err(Failure::Engine(e))) => vec![Err(e)],
        // The stream then ends without an exit code, as if it had been interrupted.
        Err(_) => Vec::new(),
    });
    let holding = holding.into_stream().filter_map(|()| async { None });
    stream::select(printed, holding).chain(ended.map(stream::iter).flatten_stream()).boxed()
}

/// Why a conversation failed.
enum Failure {
    /// In its own words, or those of the command.
    Words(String),
    /// The container engine failed.
    Engine(RuntimeError),
}

/// Holds the conversation while the command passes the bytes on.
async fn both(
    mut talk: BoxFuture<'static, Result<(), String>>,
    pieces: Pieces,
    from_server: WriteHalf<DuplexStream>,
) -> Result<(), Failure> {
    let mut passing = pin!(pass(pieces, from_server).fuse());
    tokio::select! {
        told = &mut talk => told.map_err(Failure::Words),
        // The command has ended. The conversation still reads what arrived.
        failed = &mut passing => {
            let failed = failed.map_err(Failure::Engine)?;
            match (talk.await, failed) {
                (Err(_), Some(words)) => Err(Failure::Words(words)),
                (told, _) => told.map_err(Failure::Words),
            }
        }
    }
}

/// Passes the command's output on until the command ends, and returns the words of a command that failed. The stream is
/// closed afterwards, because both of its ends are dropped with the arguments.
async fn pass(mut pieces: Pieces, mut from_server: WriteHalf<DuplexStream>) -> Result<Option<String>, RuntimeError> {
    let mut said = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece? {
            // The conversation is over if it no longer reads.
            ExecPiece::Stdout(bytes) => {
                if from_server.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            ExecPiece::Stderr(bytes) => said.extend(bytes.iter().take(WORDS.saturating_sub(said.len()))),
            ExecPiece::Ended(0) => break,
            ExecPiece::Ended(code) if said.is_empty() => {
                return Ok(Some(format!("the connection ended with code {code}")));
            }
            ExecPiece::Ended(_) => return Ok(Some(String::from_utf8_lossy(&said).trim_end().to_owned())),
        }
    }
    Ok(None)
}
