//! The subcommands of `db4sci`, one file each.

mod backup;
mod backup_download;
pub(crate) mod backup_import;
mod check_config;
mod container;
mod doctor;
mod enqueue;
mod healthcheck;
mod open_files;
mod password;
mod recovery;
mod remote;
mod secret_key;
mod serve;
mod session;
pub(crate) mod stores;
pub mod surroundings;
mod table;
mod target;
mod token;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::surroundings::{Surroundings, end, failure, say};
use crate::config::settings_reference;

/// A self-hosted database-as-a-service portal for researchers.
#[derive(Debug, Parser)]
#[command(
    name = "db4sci",
    version,
    after_help = "DB4SCI_MODE=prod|dev selects the configuration; docs/OPERATIONS.md lists all settings."
)]
pub struct Cli {
    /// Directory that contains prod/, dev/ and dbconfig/
    #[arg(long, global = true, env = "DB4SCI_HOME", default_value = ".", value_name = "DIR")]
    home: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the portal
    Serve,
    /// Check settings, catalog, certificates and keys, and print the effective settings
    CheckConfig,
    /// Check everything the portal needs and suggest fixes
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Manage accounts
    #[command(subcommand)]
    User(user::UserCommand),
    /// Manage API tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// List and show databases
    #[command(subcommand)]
    Container(container::ContainerCommand),
    /// List, import and delete templates
    #[command(subcommand)]
    Template(enqueue::template::TemplateCommand),
    /// Make, list and delete databases from templates of a portal, usually on another machine
    #[command(subcommand)]
    Db(remote::db::DbCommand),
    /// Make a database from a template and forward a local port to it, for CI jobs
    Proxy(remote::proxy::ProxyOptions),
    /// List, remove, audit, register, download and lock backups
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// Remove expired, dead or unhealthy databases; the running portal does the work
    #[command(
        after_help = "Exit code: 0 if there is nothing to remove, or the removal of everything shown was enqueued or put \
                            off for the reason shown; 1 if at least one could not be enqueued, or mydb_admin is unavailable; \
                            2 if no filter is given"
    )]
    Reaper(enqueue::reaper::ReaperOptions),
    /// Manage backup targets
    #[command(subcommand)]
    Target(target::TargetCommand),
    /// Create the recovery key, which decrypts the keys in the bucket; it is shown only once
    RecoveryKey {
        /// Replace an existing one
        #[arg(long)]
        replace: bool,
        /// Instead of creating one, register the key in this file (- for standard input) for backups of mydb_admin
        #[arg(long, value_name = "FILE")]
        register: Option<PathBuf>,
    },
    /// Back up and restore mydb_admin
    #[command(subcommand)]
    AdminDb(recovery::AdminDbCommand),
    /// Rebuild everything from the bucket: first mydb_admin, then all databases missing on this host
    Rebuild {
        #[command(flatten)]
        from: recovery::BucketOptions,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create a sealing key file, which encrypts secrets at rest
    SecretKey {
        /// Key file to create; it must not exist yet
        file: PathBuf,
    },
    /// Check whether the running portal is alive; exit code 0 or 1
    Healthcheck,
    /// Print the table of all settings as Markdown
    SettingsReference,
}

/// Runs the subcommand given on the command line.
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
        Command::Serve => Box::pin(serve::run(at)).await,
        Command::CheckConfig => check_config::run(at),
        Command::Doctor { json } => doctor::run(at, json).await,
        Command::User(command) => end(user::run(command, at).await),
        Command::Token(command) => end(token::run(command, at).await),
        Command::Container(command) => end(container::run(command, at).await),
        Command::Template(command) => Box::pin(enqueue::template::run(command, at)).await,
        Command::Db(command) => end(remote::db::run(command, at).await),
        Command::Proxy(options) => end(remote::proxy::run(options, at).await),
        Command::Backup(command) => backup::run(command, at).await,
        Command::Reaper(options) => Box::pin(enqueue::reaper::run(options, at)).await,
        Command::Target(command) => end(target::run(command, at).await),
        Command::RecoveryKey { replace, register } => end(recovery::make_key(at, replace, register.as_deref())),
        Command::AdminDb(command) => end(recovery::admin_db(command, at).await),
        Command::Rebuild { from, json } => end(Box::pin(recovery::rebuild_all(from, json, at)).await),
        Command::SecretKey { file } => end(secret_key::run(&file)),
        Command::Healthcheck => healthcheck::run(at),
        Command::SettingsReference => {
            say(&settings_reference::markdown());
            ExitCode::SUCCESS
        }
    }
}

/// The environment, read only here. Variables that are not Unicode are ignored, because the portal uses none.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_home_option_is_accepted_before_and_after_the_command() {
        for line in [["db4sci", "--home", "/x", "serve"], ["db4sci", "serve", "--home", "/x"]] {
            assert_eq!(Cli::try_parse_from(line).unwrap().home, PathBuf::from("/x"));
        }
    }
}
