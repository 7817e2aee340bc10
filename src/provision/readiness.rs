//! Waits for a server. A single command in its container probes repeatedly, because starting a command costs the
//! container engine far more than the probe costs the server.
//!
//! A server that recovers after a crash may take hours. The portal waits as long as the server is working: the same
//! command reports how much work the server's own processes have done.

use std::time::{Duration, Instant};

use crate::app::App;
use crate::engine::{ExecSpec, LOCKED_OUT, Stdin};
use crate::provision::exec::{ANSWER, ask, last_lines};
use crate::queue::step_error::StepError;
use crate::runtime::Observed;

/// Defines `worked`, which reports the processor ticks used by all other processes in the container, and the bytes they
/// have read and written. Children of the shell must have ended by then.
const WORK: &str = r#"worked() {
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
"#;
/// Probes until the server responds, for about as many seconds as its `$0` says. Each probe gets the same input. Reports
/// the work at the end.
const AGAIN: &str = r#"said=$(cat; echo .)
end=$(($(date +%s) + $0))
until printf %s "${said%.}" | "$@"; do
  [ "$(date +%s)" -lt "$end" ] || { worked; exit 1; }
  sleep 0.1
done
"#;
/// The same for a conversation, whose input cannot be repeated: tries until the connection is open; the exit code 1 means
/// that it is not. The caller holds the conversation.
const CONNECT: &str = r#"end=$(($(date +%s) + $0))
while :; do
  "$@"
  code=$?
  [ $code = 1 ] || exit $code
  [ "$(date +%s)" -lt "$end" ] || { worked; exit 1; }
  sleep 0.05
done
"#;
/// Prefix of the line that reports the work.
const WORKED: &str = "db4sci-worked ";
/// Duration of one command. After that, the engine is asked whether the container still exists.
const ROUND: Duration = Duration::from_secs(5);
/// Delay after a command that could not be started.
const PAUSE: Duration = Duration::from_millis(100);
/// Number of lines at the end of a server's log that are quoted.
const LAST_LINES: u32 = 15;
/// Ticks (hundredths of a second) that a working server uses per round: more than it needs to reject probes.
const TICKS: u64 = 75;
/// Bytes that a working server reads or writes per round.
const BYTES: u64 = 256 * 1024;
/// Messages with which servers report that they are starting.
const STARTING: [&str; 3] = ["starting up", "not yet accepting connections", "in recovery"];

/// Why a server does not respond.
pub(super) enum NotReady {
    /// Its container no longer exists.
    Gone,
    /// It ended.
    Ended(Box<Observed>),
    /// It is running; contains its output for the last probe.
    Mute(String),
    /// It is running, but the portal's administrator cannot sign in.
    LockedOut(String),
}

/// How long to wait for a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// Timeout while it does nothing.
    pub idle: Duration,
    /// Timeout in total.
    pub longest: Duration,
}

impl Patience {
    /// For a server that may do nothing for `idle`.
    pub(super) fn new(app: &App, idle: Duration) -> Self {
        Self { idle, longest: app.config.databases.start_longest.max(idle) }
    }
}

/// The result of a round.
#[derive(Debug, Default, PartialEq, Eq)]
struct ProbeResult {
    /// The server's output for the last probe.
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

    /// Whether the server has worked since `before`.
    fn made_progress(&self, before: Option<(u64, u64)>) -> bool {
        let worked = match (before, self.worked) {
            // The numbers of a process that ended are no longer included, which is a change too.
            (Some((ticks, bytes)), Some((now, moved))) => {
                now < ticks || now - ticks >= TICKS || moved < bytes || moved - bytes >= BYTES
            }
            _ => false,
        };
        worked || STARTING.iter().any(|words| self.words.contains(words))
    }
}

/// The command that repeats a probe.
fn again(probe: &ExecSpec) -> ExecSpec {
    let script = if is_conversation(probe) { CONNECT } else { AGAIN };
    let begin = ["sh".to_owned(), "-c".to_owned(), [WORK, script].concat(), ROUND.as_secs().to_string()];
    ExecSpec { argv: begin.into_iter().chain(probe.argv.iter().cloned()).collect(), ..probe.clone() }
}

fn is_conversation(probe: &ExecSpec) -> bool {
    matches!(probe.stdin, Stdin::Conversation(_))
}

/// The command that only reports the work.
fn work(probe: &ExecSpec) -> ExecSpec {
    let argv = vec!["sh".to_owned(), "-c".to_owned(), format!("{WORK}worked")];
    ExecSpec { argv, env: Vec::new(), stdin: Stdin::Closed, user: probe.user.clone() }
}

/// The time between the work reports of a server that accepts connections but does not yet give the right answers.
struct WorkReports {
    last: Instant,
}

impl WorkReports {
    /// Adds the server's work to the round of a conversation, in which the probe's own command does not report it.
    async fn complete(&mut self, app: &App, id: &str, probe: &ExecSpec, round: ProbeResult) -> ProbeResult {
        if round.worked.is_some() || !is_conversation(probe) || self.last.elapsed() < ROUND {
            return round;
        }
        self.last = Instant::now();
        match ask(app, id, &work(probe), ANSWER).await {
            Ok(said) => ProbeResult { worked: ProbeResult::read(&said.stderr).worked, ..round },
            Err(_) => round,
        }
    }
}

/// Waits until the server in the container `id` responds to `probe`, and returns the output of the probe.
pub(super) async fn until_answers(
    app: &App,
    id: &str,
    probe: &ExecSpec,
    patience: Patience,
) -> Result<Result<String, NotReady>, StepError> {
    let (begin, question) = (Instant::now(), again(probe));
    let (mut moved, mut worked, mut locked) = (begin, None, 0);
    let (mut last, mut reports) = (String::new(), WorkReports { last: begin });
    loop {
        match app.runtime.inspect(id).await? {
            None => return Ok(Err(NotReady::Gone)),
            Some(found) if !found.running => return Ok(Err(NotReady::Ended(Box::new(found)))),
            Some(_) => {}
        }
        match ask(app, id, &question, ANSWER).await {
            Ok(said) if said.code == 0 => return Ok(Ok(said.stdout.trim().to_owned())),
            Ok(said) => {
                let round = reports.complete(app, id, probe, ProbeResult::read(&said.stderr)).await;
                // The first round only provides the numbers to compare with.
                if worked.is_none() && round.worked.is_some() || round.made_progress(worked) {
                    moved = Instant::now();
                }
                worked = round.worked.or(worked);
                last = round.words;
                // Twice in a row, because a single rejection may be temporary.
                locked = if is_rejected(&last) { locked + 1 } else { 0 };
                if locked == 2 {
                    return Ok(Err(NotReady::LockedOut(last)));
                }
            }
            Err(e) if e.is_container_down() => {}
            Err(e) => return Err(e.into()),
        }
        if moved.elapsed() > patience.idle || begin.elapsed() > patience.longest {
            return Ok(Err(NotReady::Mute(last)));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a server has rejected the portal's sign-in. One that is still being initialised has no network yet. MongoDB is
/// left out: while its image creates the administrator, it rejects sign-ins.
fn is_rejected(words: &str) -> bool {
    [LOCKED_OUT, "password authentication failed for user", "Access denied for user"]
        .iter()
        .any(|rejected| words.contains(rejected))
}

/// Explains why a server does not respond, with the last lines of its log.
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
    fn work_reports_are_distinguished_from_messages() {
        let round =
            ProbeResult::read("psql: error\nFATAL:  the database system is starting up\ndb4sci-worked 120 4096\n");
        assert_eq!(round.worked, Some((120, 4096)));
        assert!(round.words.ends_with("starting up") && round.made_progress(None));
        assert_eq!(ProbeResult::read("no\n\n"), ProbeResult { words: "no".to_owned(), worked: None });
    }

    #[test]
    fn a_working_server_is_waited_for_and_a_rejecting_one_is_not() {
        let round = |ticks, bytes| ProbeResult { words: "refused".to_owned(), worked: Some((ticks, bytes)) };
        assert!(!round(140, 0).made_progress(Some((100, 0))) && !round(100, 0).made_progress(None));
        assert!(round(200, 0).made_progress(Some((100, 0))) && round(100, 1 << 20).made_progress(Some((100, 0))));
        assert!(round(10, 0).made_progress(Some((100, 0))), "it is another process now");
        assert!(!ProbeResult::default().made_progress(Some((100, 0))));
    }
}
