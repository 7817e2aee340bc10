//! Input and output of commands in containers, and logs. What is kept of them is limited in length, because the owner of
//! the database decides how much is printed.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::domain::stream_error::StreamError;
use crate::runtime::error::RuntimeError;

/// The result of a command inside a container.
#[derive(Debug, Clone)]
pub struct ExecOutput {
    /// Exit code.
    pub code: i64,
    /// Standard output, truncated at 64 KiB.
    pub stdout: String,
    /// Standard error, truncated at 64 KiB.
    pub stderr: String,
}

/// A piece of the streamed output of a command, or its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecPiece {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// The exit code, always the last piece. A stream without it was interrupted.
    Ended(i64),
}

/// What a command prints, and its exit code.
pub type Pieces = BoxStream<'static, Result<ExecPiece, RuntimeError>>;

/// The input of a command. An `Err` means that the input failed, and the command must not count as complete.
pub type Input = BoxStream<'static, Result<Bytes, StreamError>>;

/// Maximum bytes of a command's output to keep.
const OUTPUT_LIMIT: usize = 64 * 1024;

/// Maximum bytes of output to read. A command that prints more would never stop.
const OUTPUT_MOST: u64 = 64 * 1024 * 1024;

/// Reads what a command prints until it exits.
pub(super) async fn collect(program: &str, mut pieces: Pieces) -> Result<ExecOutput, RuntimeError> {
    let (mut stdout, mut stderr, mut code) = (Vec::new(), Vec::new(), -1);
    let append = |text: &mut Vec<u8>, piece: &[u8]| {
        let room = OUTPUT_LIMIT.saturating_sub(text.len());
        text.extend(piece.iter().take(room));
    };
    let mut printed = 0u64;
    while let Some(piece) = pieces.next().await {
        match piece? {
            ExecPiece::Stdout(piece) => {
                printed += piece.len() as u64;
                append(&mut stdout, &piece);
            }
            ExecPiece::Stderr(piece) => {
                printed += piece.len() as u64;
                append(&mut stderr, &piece);
            }
            ExecPiece::Ended(ended) => code = ended,
        }
        if printed > OUTPUT_MOST {
            return Err(RuntimeError::Failed {
                operation: format!("run {program} in the container"),
                cause: "it prints too much".to_owned(),
            });
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(ExecOutput { code, stdout: text(stdout), stderr: text(stderr) })
}

/// Maximum bytes of a log to keep when reading its last lines.
const LOG_LIMIT: usize = 1024 * 1024;

/// Reads the last lines of a log, limited to what can be shown, because lines may be of any length.
pub async fn read_log(mut pieces: BoxStream<'static, Result<Bytes, RuntimeError>>) -> Result<String, RuntimeError> {
    let mut said = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => said.extend(piece.iter().take(LOG_LIMIT - said.len())),
            Err(e) if said.is_empty() => return Err(e),
            Err(_) => break,
        }
        if said.len() == LOG_LIMIT {
            said.extend_from_slice(b"\n(there is more)");
            break;
        }
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}
