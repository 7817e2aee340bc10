//! What all subcommands share: the environment they were started in, and how they print results and errors.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{Config, Problem};

/// The environment of a command.
#[derive(Debug, Clone)]
pub struct Surroundings {
    pub(crate) home: PathBuf,
    pub(crate) env: Vec<(String, String)>,
}

impl Surroundings {
    /// The configuration of the mode set by the environment.
    pub(crate) fn config(&self) -> Result<Config, Vec<Problem>> {
        Config::load(&self.home, &self.env)
    }

    /// Like [`Self::config`], for commands that end with an error.
    pub(crate) fn checked_config(&self) -> anyhow::Result<Config> {
        self.config().map_err(|problems| Problems(problems).into())
    }

    /// An environment variable, if it is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(k, v)| k == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }
}

/// Writes to standard output. A reader that closes the pipe early is not an error.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

pub(crate) fn end(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => match e.downcast_ref::<Problems>() {
            Some(Problems(problems)) => refuse(problems),
            None => failure(&e),
        },
    }
}

/// Prints an error; exit code 1.
pub(crate) fn failure(e: &anyhow::Error) -> ExitCode {
    eprintln!("db4sci: {e:#}");
    ExitCode::FAILURE
}

/// Prints all problems, each with file, key and rule; exit code 2.
pub(crate) fn refuse(problems: &[Problem]) -> ExitCode {
    print_problems(problems);
    ExitCode::from(2)
}

pub(crate) fn print_problems(problems: &[Problem]) {
    for problem in problems {
        eprintln!("{problem}");
    }
    let n = problems.len();
    eprintln!("db4sci: {n} problem{} in the configuration.", if n == 1 { "" } else { "s" });
}

/// Configuration problems as an error.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has problems")]
pub(crate) struct Problems(pub(crate) Vec<Problem>);
