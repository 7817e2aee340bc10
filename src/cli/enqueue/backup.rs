//! `db4sci backup now`: backs up databases. The running portal does the work.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;

use super::session;
use crate::admin_db::containers;
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::backup::request;
use crate::backup::request::BackupOutcome;
use crate::cli::surroundings::{Surroundings, end, say};
use crate::cli::table::table;

/// Which databases to back up.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct BackupOptions {
    /// All databases
    #[arg(long)]
    all: bool,
    /// Names of databases
    names: Vec<String>,
}

pub(crate) async fn run(options: BackupOptions, at: &Surroundings) -> ExitCode {
    match enqueue(options, at).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => end(Err(e)),
    }
}

/// Returns whether a backup of every database was enqueued.
async fn enqueue(options: BackupOptions, at: &Surroundings) -> anyhow::Result<bool> {
    let (app, actor) = session::open(at).await?;
    let outcomes = match options.all {
        true => request::backup_all(&app, "requested", &actor).await?,
        false => named(&app, &options.names, &actor).await?,
    };
    let row = |o: &BackupOutcome| {
        let outcome = match &o.job {
            Ok(job) => format!("job {job}"),
            Err(e) => format!("no backup: {e}"),
        };
        vec![o.name.clone(), o.owner.clone(), outcome]
    };
    say(&table(&["database", "owner", "outcome"], &outcomes.iter().map(row).collect::<Vec<_>>()));
    Ok(outcomes.iter().all(|o| o.job.is_ok()))
}

/// The databases are looked up first, so that a mistyped name changes nothing.
async fn named(app: &App, names: &[String], actor: &Actor) -> anyhow::Result<Vec<BackupOutcome>> {
    ensure!(app.stores.first().is_some(), "no backup target is configured");
    let mut db = app.db.acquire().await?;
    let mut found = Vec::new();
    for name in names {
        found.push(containers::by_name(&mut db, name).await?.with_context(|| format!("there is no database {name}"))?);
    }
    drop(db);
    Ok(request::backup_each(app, found, "requested", actor).await)
}
