//! Runs commands in containers, and reads the end of their logs.

use std::time::Duration;

use crate::app::App;
use crate::engine::{ExecOutcome, ExecSpec};
use crate::queue::step_error::StepError;
use crate::runtime::output::read_log;
use crate::runtime::{ExecOutput, LogRequest, RuntimeError};

/// Runs a command in a container with the timeout `limit`.
pub async fn ask(app: &App, id: &str, command: &ExecSpec, limit: Duration) -> Result<ExecOutput, RuntimeError> {
    tokio::time::timeout(limit, app.runtime.exec(id, command)).await.unwrap_or_else(|_| {
        let program = command.argv.first().map_or("", String::as_str);
        Err(RuntimeError::Failed {
            operation: format!("finish {program} in the container"),
            cause: format!("it took longer than {} s", limit.as_secs()),
        })
    })
}

/// The last lines of a server's log, for error messages; empty if they cannot be read.
pub async fn last_lines(app: &App, id: &str, tail: u32) -> String {
    let read = async { read_log(app.runtime.logs(id, LogRequest { tail, follow: false }).await?).await };
    match tokio::time::timeout(ANSWER, read).await {
        Ok(Ok(lines)) => lines.trim_end().to_owned(),
        Ok(Err(_)) | Err(_) => String::new(),
    }
}

/// Runs commands of an engine in order and stops at the first failure.
pub async fn run_all(app: &App, id: &str, commands: &[ExecSpec]) -> Result<(), StepError> {
    printed(app, id, commands).await.map(|_| ())
}

/// The same, but a single command runs in the shell that waits in this container, if there is one. If that fails, it
/// runs again in the usual way, so it must be one that can be repeated.
pub async fn run_at_once(app: &App, id: &str, commands: &[ExecSpec]) -> Result<(), StepError> {
    if let (Some(shell), [command]) = (app.shells.take(id), commands) {
        // A slow command continues in the container, so it must not be started a second time.
        let said = tokio::time::timeout(ANSWER, shell.run(command)).await.map_err(|_| {
            StepError::Retry(format!("The server did not finish a command within {} s.", ANSWER.as_secs()))
        })?;
        match said {
            Ok(Some(said)) if said.code == 0 => return Ok(()),
            said => tracing::debug!("The waiting shell did not run the command: {said:?}"),
        }
    }
    run_all(app, id, commands).await
}

/// The same, and returns what the commands print.
pub async fn printed(app: &App, id: &str, commands: &[ExecSpec]) -> Result<String, StepError> {
    let mut printed = String::new();
    for command in commands {
        let said = match ask(app, id, command, ANSWER).await {
            Err(e) if e.is_container_down() => return Err(StepError::Retry(e.to_string())),
            said => said?,
        };
        if let ExecOutcome::Failed(sentence) = ExecOutcome::of(said.code, &said.stderr) {
            return Err(StepError::Fail(sentence));
        }
        printed.push_str(&said.stdout);
    }
    Ok(printed)
}

/// Timeout for one command. A server that hangs must not block a job forever.
pub(crate) const ANSWER: Duration = Duration::from_secs(60);
