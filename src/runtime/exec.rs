//! Commands inside containers over a Docker API, with what goes in and comes out as streams. Part of [`super::docker`].

use std::pin::Pin;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt, stream};
use secrecy::ExposeSecret;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{ExecPiece, Input, RuntimeError, translate};
use crate::engine::ExecSpec;

/// Time between questions whether a command that takes no input still runs.
const ALIVE: Duration = Duration::from_secs(1);
/// How long a command may go on with what it got before its input broke.
const LAST_WORK: Duration = Duration::from_secs(60);

/// Runs a command; what it prints and how it ends comes as pieces.
pub(super) async fn run(
    docker: &Docker,
    id: &str,
    spec: &ExecSpec,
    input: Option<Input>,
) -> Result<BoxStream<'static, Result<ExecPiece, RuntimeError>>, RuntimeError> {
    let program = spec.argv.first().cloned().unwrap_or_default();
    let wrong = move |e: &Error| translate::error(e, &format!("run {program} in the container"));
    let input = input.or_else(|| {
        let text = Bytes::from(spec.stdin.as_ref()?.expose_secret().as_bytes().to_vec());
        Some(stream::once(async { Ok(text) }).boxed())
    });
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
    // What feeds the command is driven by whoever reads what it prints.
    let both = stream::select(printed, fed.into_stream().filter_map(|e| async { e.map(Err) }));
    let docker = docker.clone();
    let ended = async move {
        let code = docker.inspect_exec(&exec).await.map_err(|e| wrong(&e))?.exit_code;
        // No exit code means the command's end was not seen: never to be read as success.
        Ok(ExecPiece::Ended(code.unwrap_or(-1)))
    };
    Ok(both.chain(ended.into_stream()).boxed())
}

/// Sends the input and closes it. A command that does not want all of it is no fault here: how it ends says what it
/// made of it. An input that breaks is one: the command must not take what it got for all.
async fn feed(
    mut input: Input,
    mut writer: Pin<Box<dyn AsyncWrite + Send>>,
    docker: &Docker,
    exec: &str,
) -> Option<RuntimeError> {
    while let Some(piece) = input.next().await {
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
    // Also after a command that ended early: the engine ends the whole connection only when both sides are through.
    let _ = writer.shutdown().await;
    None
}

/// Waits until a command has ended whose input has, for at most [`LAST_WORK`]: whoever tries the same again must not meet
/// it still at work.
async fn over(docker: &Docker, exec: &str) {
    let begin = Instant::now();
    while begin.elapsed() < LAST_WORK && docker.inspect_exec(exec).await.is_ok_and(|e| e.running == Some(true)) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the command took a piece. The engine does not say that a command has ended while more is sent to it: it
/// just takes no more. So that is asked, again and again, while it takes nothing.
async fn send(writer: &mut Pin<Box<dyn AsyncWrite + Send>>, piece: &[u8], docker: &Docker, exec: &str) -> bool {
    let mut written = std::pin::pin!(writer.write_all(piece));
    loop {
        tokio::select! {
            done = &mut written => return done.is_ok(),
            () = tokio::time::sleep(ALIVE) => {
                if docker.inspect_exec(exec).await.is_ok_and(|e| e.running == Some(false)) {
                    return false;
                }
            }
        }
    }
}
