//! A shell that waits in a container for one command. Starting a command takes the container engine a tenth of a second;
//! a shell that was started before runs it at once. It also waits while the container is paused.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, stream};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;

use super::output::collect;
use super::{ExecOutput, ExecPiece, Pieces, Runtime, RuntimeError};
use crate::engine::{ExecSpec, Stdin};

/// Says that it waits, reads one line, replaces `\n` and `\\` in it, and runs the result. The standard input of the
/// command is what follows the line, because `read` does not read further than that.
const WAIT: &str = r#"echo waiting; IFS= read -r line || exit 0; eval "$(printf %b "$line")""#;

/// Timeout for the start of a shell.
const BEGIN: Duration = Duration::from_secs(60);

/// A shell that waits.
pub struct WaitingShell {
    user: Option<String>,
    input: oneshot::Sender<Bytes>,
    pieces: Pieces,
}

impl WaitingShell {
    /// Starts a shell in a running container, as the user of the command that it will run, and returns when it waits.
    ///
    /// # Errors
    /// [`RuntimeError`] if the container has no shell, or the engine fails.
    pub async fn open(runtime: &dyn Runtime, id: &str, user: Option<String>) -> Result<Self, RuntimeError> {
        let argv = ["sh", "-c", WAIT].map(str::to_owned).to_vec();
        let shell = ExecSpec { argv, env: Vec::new(), stdin: Stdin::Closed, user: user.clone() };
        let (input, received) = oneshot::channel();
        // Without a command, the input ends, and with it the shell.
        let received = stream::once(received).filter_map(|sent| async { sent.ok().map(Ok) });
        let mut pieces = runtime.exec_stream(id, &shell, Some(received.boxed())).await?;
        let silent = |cause: &str| RuntimeError::Failed {
            operation: "start a shell in the container".to_owned(),
            cause: cause.to_owned(),
        };
        let first = tokio::time::timeout(BEGIN, pieces.next()).await;
        match first.map_err(|_| silent("it did not respond"))? {
            Some(Ok(ExecPiece::Stdout(_))) => Ok(Self { user, input, pieces }),
            Some(Err(e)) => Err(e),
            _ => Err(silent("it ended at once")),
        }
    }

    /// Runs a command. `None` if this shell cannot: a conversation, or a command of another user.
    ///
    /// # Errors
    /// [`RuntimeError`], also if the connection to the shell was lost; the command may have run then.
    pub async fn run(self, command: &ExecSpec) -> Result<Option<ExecOutput>, RuntimeError> {
        let Some(sent) = message(command).filter(|_| self.user == command.user) else { return Ok(None) };
        // If the shell has ended, its output ends without a command.
        let _ = self.input.send(Bytes::from(sent.expose_secret().as_bytes().to_vec()));
        let program = command.argv.first().map_or("", String::as_str);
        collect(program, self.pieces).await.map(Some)
    }
}

/// What a waiting shell reads: the command on one line, and its standard input.
fn message(command: &ExecSpec) -> Option<SecretString> {
    let input = match &command.stdin {
        Stdin::Closed => "",
        Stdin::Text(text) => text.expose_secret(),
        Stdin::Conversation(_) => return None,
    };
    let mut script = String::new();
    for (name, value) in &command.env {
        let _ = write!(script, "export {name}={}; ", quoted(value.expose_secret()));
    }
    script.push_str("exec");
    for argument in &command.argv {
        let _ = write!(script, " {}", quoted(argument));
    }
    let line = script.replace('\\', r"\\").replace('\n', r"\n");
    Some(SecretString::from(format!("{line}\n{input}")))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The waiting shells of this portal, by the engine's id of their container. They end with the portal.
#[derive(Default)]
pub struct WaitingShells(Mutex<HashMap<String, WaitingShell>>);

impl WaitingShells {
    /// Keeps a shell.
    pub fn keep(&self, id: &str, shell: WaitingShell) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), shell);
    }

    /// The shell in this container, if one waits there.
    pub fn take(&self, id: &str) -> Option<WaitingShell> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use crate::engine::conversation::Conversation;
    use crate::runtime::waiting_shell::*;

    /// Runs a command with a waiting shell of this machine, and returns what it prints.
    fn run(argv: &[&str], env: &[(&str, &str)], input: &str) -> String {
        let command = ExecSpec {
            argv: argv.iter().map(|a| (*a).to_owned()).collect(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), SecretString::from(*value))).collect(),
            stdin: Stdin::Text(SecretString::from(input)),
            user: None,
        };
        let sent = message(&command).expect("no conversation");
        let mut shell = Command::new("sh");
        let mut child =
            shell.args(["-c", WAIT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a shell");
        child.stdin.take().expect("its input").write_all(sent.expose_secret().as_bytes()).expect("it reads");
        let said = child.wait_with_output().expect("it ends").stdout;
        let said = String::from_utf8(said).expect("it prints text");
        said.strip_prefix("waiting\n").expect("it says that it waits").to_owned()
    }

    #[test]
    fn a_command_arrives_unchanged() {
        let odd = "a'b\"c $(id) `id` \\n \\0101 \\\\ %s *\ttab\nnext line é 日本\\";
        assert_eq!(run(&["printf", "%s|%s", odd, ""], &[], ""), format!("{odd}|"));
        assert_eq!(
            run(&["sh", "-c", "printf %s \"$ODD\"; cat"], &[("ODD", odd)], "first\nsecond\n"),
            format!("{odd}first\nsecond\n")
        );
        assert_eq!(run(&["sh", "-c", "printf x\nprintf '%s\\n' y"], &[], ""), "xy\n");
    }

    #[test]
    fn a_conversation_cannot_use_a_waiting_shell() {
        let talk = Conversation::new(|_, _| Box::pin(async { Ok(()) }));
        let command =
            ExecSpec { argv: vec!["sh".to_owned()], env: Vec::new(), stdin: Stdin::Conversation(talk), user: None };
        assert!(message(&command).is_none());
    }
}
