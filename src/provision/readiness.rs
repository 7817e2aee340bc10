//! Waiting for a server. One command in its container asks again and again: each command that is begun there costs the
//! container engine many times what the question costs the server.
//!
//! A server that recovers after a crash may take hours. It is waited for as long as it does something: the same command
//! tells how much the server's own processes have worked.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::engine::{ExecSpec, LOCKED_OUT};
use crate::provision::exec::{ANSWER, ask, last_lines};
use crate::queue::step_error::StepError;
use crate::runtime::{Observed, RuntimeError};

/// Asks until it is answered, for about as many seconds as its name says. What is asked gets the same input each time.
/// In the end it tells how many ticks of the processor all others in the container have had, and how many bytes they have
/// read and written: its own children are gone by then.
const AGAIN: &str = r#"said=$(cat; echo .)
worked() {
  ticks=0 bytes=0
  for p in /proc/[0-9]*; do
    [ "$p" != "/proc/$$" ] && read -r stat <"$p/stat" || continue
    set -- ${stat##*) }
    ticks=$((ticks + ${12:-0} + ${13:-0}))
    while read -r name value; do
      case $name in read_bytes: | write_bytes:) bytes=$((bytes + value)) ;; esac
    done <"$p/io"
  done 2>/dev/null
  echo "db4sci-worked $ticks $bytes" >&2
}
end=$(($(date +%s) + $0))
until printf %s "${said%.}" | "$@"; do
  [ "$(date +%s)" -lt "$end" ] || { worked; exit 1; }
  sleep 0.1
done
"#;
/// Begins the line that tells of work.
const WORKED: &str = "db4sci-worked ";
/// How long one command asks: then the engine is asked whether the container is still there.
const ROUND: Duration = Duration::from_secs(5);
/// Wait after a command that could not even begin.
const PAUSE: Duration = Duration::from_millis(100);
/// So many of a server's last lines are told.
const LAST_LINES: u32 = 15;
/// Ticks, of a hundredth of a second, that a server takes in a round in which it does something: more than it takes to
/// refuse what it is asked.
const TICKS: u64 = 75;
/// Bytes that it moves in such a round.
const BYTES: u64 = 256 * 1024;
/// In these words servers say that they are on their way.
const STARTING: [&str; 3] = ["starting up", "not yet accepting connections", "in recovery"];

/// Why a server does not answer.
pub(super) enum NotReady {
    /// Its container is gone.
    Gone,
    /// It ended.
    Ended(Observed),
    /// It runs; what it said to the last question.
    Mute(String),
    /// It runs, and does not let the portal's administrator in.
    LockedOut(String),
}

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// So long while it does nothing.
    pub idle: Duration,
    /// So long at most.
    pub longest: Duration,
}

impl Patience {
    /// For a server that may do nothing for so long.
    pub(super) fn new(app: &App, idle: Duration) -> Self {
        Self { idle, longest: app.config.databases.start_longest.max(idle) }
    }
}

/// What a round told.
#[derive(Debug, Default, PartialEq, Eq)]
struct ProbeResult {
    /// What the server said to the last question.
    words: String,
    /// Ticks and bytes.
    worked: Option<(u64, u64)>,
}

impl ProbeResult {
    fn read(stderr: &str) -> Self {
        let mut round = Self::default();
        for line in stderr.lines().map(str::trim).filter(|l| !l.is_empty()) {
            match line.strip_prefix(WORKED).and_then(|w| w.split_once(' ')) {
                Some((ticks, bytes)) => round.worked = ticks.parse().ok().zip(bytes.parse().ok()),
                None => line.clone_into(&mut round.words),
            }
        }
        round
    }

    /// Whether the server has done something since `before`.
    fn made_progress(&self, before: Option<(u64, u64)>) -> bool {
        let worked = match (before, self.worked) {
            // A process that ended takes its numbers with it: that is a change too.
            (Some((ticks, bytes)), Some((now, moved))) => {
                now < ticks || now - ticks >= TICKS || moved < bytes || moved - bytes >= BYTES
            }
            _ => false,
        };
        worked || STARTING.iter().any(|words| self.words.contains(words))
    }
}

/// The same question, asked again and again.
fn again(probe: &ExecSpec) -> ExecSpec {
    let begin = ["sh".to_owned(), "-c".to_owned(), AGAIN.to_owned(), ROUND.as_secs().to_string()];
    ExecSpec { argv: begin.into_iter().chain(probe.argv.iter().cloned()).collect(), ..probe.clone() }
}

/// Waits until the server in the container `id` answers `probe`, and answers what that printed.
pub(super) async fn until_answers(
    app: &App,
    id: &str,
    probe: &ExecSpec,
    patience: Patience,
) -> Result<Result<String, NotReady>, StepError> {
    let (begin, question) = (Instant::now(), again(probe));
    let (mut moved, mut worked, mut locked) = (begin, None, 0);
    let mut last = String::new();
    loop {
        match app.runtime.inspect(id).await? {
            None => return Ok(Err(NotReady::Gone)),
            Some(found) if !found.running => return Ok(Err(NotReady::Ended(found))),
            Some(_) => {}
        }
        match ask(app, id, &question, ANSWER).await {
            Ok(said) if said.code == 0 => return Ok(Ok(said.stdout.trim().to_owned())),
            Ok(said) => {
                let round = ProbeResult::read(&said.stderr);
                // The first round only tells from where it is counted.
                if worked.is_none() && round.worked.is_some() || round.made_progress(worked) {
                    moved = Instant::now();
                }
                (worked, last) = (round.worked, round.words);
                // Twice in a row: one may be of a moment.
                locked = if last.contains(LOCKED_OUT) { locked + 1 } else { 0 };
                if locked == 2 {
                    return Ok(Err(NotReady::LockedOut(last)));
                }
            }
            Err(RuntimeError::Conflict { .. } | RuntimeError::NotFound { .. }) => {}
            Err(e) => return Err(e.into()),
        }
        if moved.elapsed() > patience.idle || begin.elapsed() > patience.longest {
            return Ok(Err(NotReady::Mute(last)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Says why a server does not answer, with its own last words.
pub(super) async fn describe(app: &App, id: &str, silent: NotReady, patience: Patience) -> String {
    let words = last_lines(app, id, LAST_LINES).await;
    match silent {
        NotReady::Gone => "The container was removed while the server was starting.".to_owned(),
        NotReady::Ended(found) => {
            let memory = if found.oom_killed { " It exceeded its memory limit." } else { "" };
            let code = found.exit_code.unwrap_or(-1);
            format!("The server exited with code {code}.{memory}\nLast log lines:\n{words}")
        }
        NotReady::LockedOut(last) => last,
        NotReady::Mute(last) => {
            let last = if last.is_empty() { last } else { format!(" Last response: {last}") };
            let seconds = patience.idle.as_secs();
            format!(
                "The server did not respond within {seconds} s of its last activity.{last}\nLast log lines:\n{words}"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::provision::readiness::*;

    #[test]
    fn work_is_told_from_words() {
        let round =
            ProbeResult::read("psql: error\nFATAL:  the database system is starting up\ndb4sci-worked 120 4096\n");
        assert_eq!(round.worked, Some((120, 4096)));
        assert!(round.words.ends_with("starting up") && round.made_progress(None));
        assert_eq!(ProbeResult::read("no\n\n"), ProbeResult { words: "no".to_owned(), worked: None });
    }

    #[test]
    fn a_server_that_works_is_waited_for_and_one_that_only_refuses_is_not() {
        let round = |ticks, bytes| ProbeResult { words: "refused".to_owned(), worked: Some((ticks, bytes)) };
        assert!(!round(140, 0).made_progress(Some((100, 0))) && !round(100, 0).made_progress(None));
        assert!(round(200, 0).made_progress(Some((100, 0))) && round(100, 1 << 20).made_progress(Some((100, 0))));
        assert!(round(10, 0).made_progress(Some((100, 0))), "it is another process now");
        assert!(!ProbeResult::default().made_progress(Some((100, 0))));
    }
}
