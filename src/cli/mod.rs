//! The subcommands of `db4sci`, one file each.

mod healthcheck;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Problem};

/// A self-hosted database-as-a-service portal for researchers.
#[derive(Debug, Parser)]
#[command(name = "db4sci", version, after_help = "DB4SCI_MODE=prod|dev picks the settings; docs/OPERATIONS.md lists them.")]
pub struct Cli {
    /// Directory with prod/, dev/ and dbconfig/
    #[arg(long, global = true, env = "DB4SCI_HOME", default_value = ".", value_name = "DIR")]
    home: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the portal
    Serve,
    /// Ask the running portal whether it is alive; exit code 0 or 1
    Healthcheck,
}

/// What the commands get of their surroundings.
#[derive(Debug, Clone)]
pub struct Surroundings {
    home: PathBuf,
    env: Vec<(String, String)>,
}

impl Surroundings {
    /// The configuration of the mode that the environment names.
    ///
    /// # Errors
    /// All problems at once.
    fn config(&self) -> Result<Config, Vec<Problem>> {
        Config::load(&self.home, &self.env)
    }

    /// An environment variable, where it is set and not empty.
    fn var(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(k, v)| k == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }
}

/// Runs what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let home = match std::path::absolute(&cli.home) {
        Ok(home) => home,
        Err(e) => return failure(&anyhow::anyhow!("--home {}: {e}", cli.home.display())),
    };
    let surroundings = Surroundings { home, env: environment() };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failure(&e.into()),
    };
    runtime.block_on(run(cli.command, &surroundings))
}

async fn run(command: Command, at: &Surroundings) -> ExitCode {
    match command {
        Command::Serve => serve::run(at).await,
        Command::Healthcheck => healthcheck::run(at),
    }
}

/// The environment, read here and nowhere else. What is not Unicode is none of ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

/// Says what went wrong; exit code 1.
fn failure(e: &anyhow::Error) -> ExitCode {
    eprintln!("db4sci: {e:#}");
    ExitCode::FAILURE
}

/// Prints every problem, each with file, key and rule; exit code 2.
fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    let n = problems.len();
    eprintln!("db4sci: {n} problem{} in the configuration; nothing was started.", if n == 1 { "" } else { "s" });
    ExitCode::from(2)
}
