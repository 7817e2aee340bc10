//! Runs commands inside containers over a Docker API, with streamed input and output. Part of [`super::docker`].

use std::pin::Pin;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures::{FutureExt, StreamExt, stream};
use secrecy::ExposeSecret;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{ExecPiece, Input, Pieces, RuntimeError, relay, translate};
use crate::domain::stream_error::StreamError;
use crate::engine::{ExecSpec, Stdin};

/// Interval between checks whether a command that accepts or gets no input is still running.
const ALIVE: Duration = Duration::from_secs(1);
/// How long a command may keep processing what it received before its input failed.
const LAST_WORK: Duration = Duration::from_secs(60);

/// Runs a command and streams its output and its exit code. `input` takes precedence over the input in `spec`.
pub(super) async fn run(
    docker: &Docker,
    id: &str,
    spec: &ExecSpec,
    input: Option<Input>,
) -> Result<Pieces, RuntimeError> {
    match (&spec.stdin, input) {
        (_, Some(input)) => attached(docker, id, spec, Some(input)).await,
        (Stdin::Closed, None) => attached(docker, id, spec, None).await,
        (Stdin::Text(text), None) => {
            let text = Bytes::from(text.expose_secret().as_bytes().to_vec());
            attached(docker, id, spec, Some(stream::once(async { Ok(text) }).boxed())).await
        }
        (Stdin::Conversation(talk), None) => {
            let (ours, theirs) = tokio::io::duplex(relay::BUFFER);
            let (to_server, from_server) = relay::halves(ours);
            let pieces = attached(docker, id, spec, Some(to_server)).await?;
            Ok(relay::hold(talk, theirs, pieces, from_server))
        }
    }
}

/// Runs a command with this input, attached to its output.
async fn attached(docker: &Docker, id: &str, spec: &ExecSpec, input: Option<Input>) -> Result<Pieces, RuntimeError> {
    let program = spec.argv.first().cloned().unwrap_or_default();
    let wrong = move |e: &Error| translate::error(e, &format!("run {program} in the container"));
    let options = CreateExecOptions {
        attach_stdin: Some(input.is_some()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(spec.argv.clone()),
        env: Some(spec.env.iter().map(|(name, value)| format!("{name}={}", value.expose_secret())).collect()),
        user: spec.user.clone(),
        ..Default::default()
    };
    let exec = docker.create_exec(id, options).await.map_err(|e| wrong(&e))?.id;
    let started = docker.start_exec(&exec, None::<StartExecOptions>).await.map_err(|e| wrong(&e))?;
    let StartExecResults::Attached { output, input: writer } = started else {
        return Err(RuntimeError::Failed {
            operation: "read a command's output".to_owned(),
            cause: "the engine ran it detached".to_owned(),
        });
    };
    let words = wrong.clone();
    let printed = output.map(move |piece| match piece {
        Ok(LogOutput::StdErr { message }) => Ok(ExecPiece::Stderr(message)),
        Ok(piece) => Ok(ExecPiece::Stdout(piece.into_bytes())),
        Err(e) => Err(words(&e)),
    });
    let (asked, running) = (docker.clone(), exec.clone());
    let fed = async move {
        match input {
            Some(input) => feed(input, writer, &asked, &running).await,
            None => None,
        }
    };
    // The input is sent while the caller reads the output.
    let both = stream::select(printed, fed.into_stream().filter_map(|e| async { e.map(Err) }));
    let docker = docker.clone();
    let ended = async move {
        let code = docker.inspect_exec(&exec).await.map_err(|e| wrong(&e))?.exit_code;
        // Without an exit code, the end of the command was not seen, which must never count as success.
        Ok(ExecPiece::Ended(code.unwrap_or(-1)))
    };
    Ok(both.chain(ended.into_stream()).boxed())
}

/// Sends the input and closes it. A command that does not read all of its input is not an error here: its exit code
/// decides. A failing input is an error: the command must not mistake what it received for everything.
async fn feed(
    mut input: Input,
    mut writer: Pin<Box<dyn AsyncWrite + Send>>,
    docker: &Docker,
    exec: &str,
) -> Option<RuntimeError> {
    while let Some(piece) = next(&mut input, docker, exec).await {
        match piece {
            Ok(piece) if send(&mut writer, &piece, docker, exec).await => {}
            Ok(_) => break,
            Err(e) => {
                let _ = writer.shutdown().await;
                over(docker, exec).await;
                return Some(e.into());
            }
        }
    }
    // Also after a command that ended early, because the engine ends the connection only when both sides are closed.
    let _ = writer.shutdown().await;
    None
}

/// The next piece of the input; `None` at its end, or if the command ends while it waits for input.
async fn next(input: &mut Input, docker: &Docker, exec: &str) -> Option<Result<Bytes, StreamError>> {
    loop {
        match tokio::time::timeout(ALIVE, input.next()).await {
            Ok(piece) => return piece,
            Err(_) if has_ended(docker, exec).await => return None,
            Err(_) => {}
        }
    }
}

async fn has_ended(docker: &Docker, exec: &str) -> bool {
    docker.inspect_exec(exec).await.is_ok_and(|e| e.running == Some(false))
}

/// Waits for at most [`LAST_WORK`] until a command whose input has ended exits, so that a retry does not find it still
/// running.
async fn over(docker: &Docker, exec: &str) {
    let begin = Instant::now();
    while begin.elapsed() < LAST_WORK && docker.inspect_exec(exec).await.is_ok_and(|e| e.running == Some(true)) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sends a piece and returns whether the command accepted it. The engine does not report that a command has exited
/// while input is being sent; it just stops accepting data. Therefore check repeatedly while nothing is accepted.
async fn send(writer: &mut Pin<Box<dyn AsyncWrite + Send>>, piece: &[u8], docker: &Docker, exec: &str) -> bool {
    let mut written = std::pin::pin!(writer.write_all(piece));
    loop {
        tokio::select! {
            done = &mut written => return done.is_ok(),
            () = tokio::time::sleep(ALIVE) => {
                if has_ended(docker, exec).await {
                    return false;
                }
            }
        }
    }
}
