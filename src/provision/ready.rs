//! Waiting for a server. One command in its container asks again and again: each command that is begun there costs the
//! container engine many times what the question costs the server.

use std::time::{Duration, Instant};

use super::flow::StepError;
use super::server::{ANSWER, ask, last_lines};
use crate::app::App;
use crate::engine::ExecSpec;
use crate::runtime::{Observed, RuntimeError};

/// Asks until it is answered, for about as many seconds as its name says. What is asked gets the same input each time.
const AGAIN: &str = r#"said=$(cat; echo .)
end=$(($(date +%s) + $0))
until printf %s "${said%.}" | "$@"; do
  [ "$(date +%s)" -lt "$end" ] || exit 1
  sleep 0.1
done
"#;
/// How long one command asks: then the engine is asked whether the container is still there.
const ROUND: Duration = Duration::from_secs(5);
/// Wait after a command that could not even begin.
const PAUSE: Duration = Duration::from_millis(100);
/// So many of a server's last lines are told.
const LAST_LINES: u32 = 15;

/// Why a server does not answer.
pub(super) enum Silent {
    /// Its container is gone.
    Gone,
    /// It ended.
    Ended(Observed),
    /// It runs; what it said to the last question.
    Mute(String),
}

/// The same question, asked again and again.
fn again(probe: &ExecSpec) -> ExecSpec {
    let begin = ["sh".to_owned(), "-c".to_owned(), AGAIN.to_owned(), ROUND.as_secs().to_string()];
    ExecSpec { argv: begin.into_iter().chain(probe.argv.iter().cloned()).collect(), ..probe.clone() }
}

/// Waits until the server in the container `id` answers `probe`, for at most `limit`, and answers what that printed.
///
/// # Errors
/// The engine's.
pub(super) async fn until_answers(
    app: &App,
    id: &str,
    probe: &ExecSpec,
    limit: Duration,
) -> Result<Result<String, Silent>, StepError> {
    let (begin, question) = (Instant::now(), again(probe));
    let mut last = String::new();
    loop {
        match app.runtime.inspect(id).await? {
            None => return Ok(Err(Silent::Gone)),
            Some(found) if !found.running => return Ok(Err(Silent::Ended(found))),
            Some(_) => {}
        }
        match ask(app, id, &question, ANSWER).await {
            Ok(said) if said.code == 0 => return Ok(Ok(said.stdout.trim().to_owned())),
            Ok(said) => said.stderr.lines().last().unwrap_or_default().trim().clone_into(&mut last),
            Err(RuntimeError::Conflict { .. } | RuntimeError::NotFound { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        if begin.elapsed() > limit {
            return Ok(Err(Silent::Mute(last)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says why a server does not answer, with its own last words.
pub(super) async fn told(app: &App, id: &str, silent: Silent, limit: Duration) -> String {
    let words = last_lines(app, id, LAST_LINES).await;
    match silent {
        Silent::Gone => "The container was removed while its server was starting.".to_owned(),
        Silent::Ended(found) => {
            let memory = if found.oom_killed { " It needed more memory than its limit." } else { "" };
            let code = found.exit_code.unwrap_or(-1);
            format!("The server ended with code {code}.{memory}\nIts last words:\n{words}")
        }
        Silent::Mute(last) => {
            let last = if last.is_empty() { last } else { format!(" To the last question it said: {last}") };
            format!("The server did not answer within {} s.{last}\nIts last words:\n{words}", limit.as_secs())
        }
    }
}
