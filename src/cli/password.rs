//! Account passwords on the terminal: typed, piped or generated.

use std::io::{BufRead, IsTerminal, Write};

use anyhow::{Context, anyhow, ensure};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::domain::password::Password;
use crate::secrets::Random;

/// A new password, and whether it was generated here and must be shown.
pub(super) struct ChosenPassword {
    /// The password.
    pub(super) password: Password,
    /// Whether it was generated, so that nobody knows it yet.
    pub(super) generated: bool,
}

impl ChosenPassword {
    /// Prints a generated password, once.
    pub(super) fn show(&self) {
        if self.generated {
            println!("Password (shown only once):  {}", self.password.expose());
        }
    }
}

/// Reads the password from standard input, asks for it on a terminal, or generates one.
pub(super) fn choose(from_stdin: bool, random: &Random) -> anyhow::Result<ChosenPassword> {
    let typed = if from_stdin {
        Some(read_line()?)
    } else if std::io::stdin().is_terminal() {
        let first = ask("Password (leave empty to generate one): ")?;
        if !first.is_empty() {
            ensure!(ask("Repeat password: ")? == first, "the passwords do not match; nothing was changed");
        }
        Some(first).filter(|p| !p.is_empty())
    } else {
        None
    };
    match typed {
        Some(text) => {
            let password = Password::parse(&text).map_err(|rule| anyhow!(rule))?;
            Ok(ChosenPassword { password, generated: false })
        }
        None => Ok(ChosenPassword { password: Password::generate(random), generated: true }),
    }
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).context("cannot read standard input")?;
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// Asks on the terminal without echoing the input.
fn ask(question: &str) -> anyhow::Result<String> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let stdin = std::io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Now, &quiet)?;
    let line = read_line();
    tcsetattr(&stdin, OptionalActions::Now, &before)?;
    eprintln!();
    line
}
