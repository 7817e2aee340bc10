//! `db4sci reaper`: removes expired, dead or unhealthy databases. The running portal does the work.

use std::process::ExitCode;

use clap::Args;

use super::session;
use crate::cli::surroundings::{Surroundings, end, say};
use crate::cli::table::table;
use crate::domain::expiry::ReaperFilter;
use crate::jobs::reaper;
use crate::jobs::reaper::{Due, Outcome};
use crate::trash::expire::Removal;

/// Which databases to remove.
#[derive(Debug, Args)]
pub(crate) struct ReaperOptions {
    #[command(flatten)]
    filters: Filters,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

/// At least one filter.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Filters {
    /// Databases that have expired
    #[arg(long)]
    expired: bool,
    /// Databases with a time to live, or from a template and not backed up, that should be running, but whose container
    /// has exited
    #[arg(long)]
    dead: bool,
    /// Databases with a time to live, or from a template and not backed up, whose server does not respond
    #[arg(long)]
    unhealthy: bool,
}

impl Filters {
    fn chosen(&self) -> Vec<ReaperFilter> {
        let asked = |filter: &ReaperFilter| match filter {
            ReaperFilter::Expired => self.expired,
            ReaperFilter::Dead => self.dead,
            ReaperFilter::Unhealthy => self.unhealthy,
        };
        ReaperFilter::ALL.into_iter().filter(asked).collect()
    }
}

pub(crate) async fn run(options: ReaperOptions, at: &Surroundings) -> ExitCode {
    match reap(options, at).await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("db4sci: {failed} could not be removed.");
            ExitCode::FAILURE
        }
        Err(e) => end(Err(e)),
    }
}

/// Returns how many failed.
async fn reap(options: ReaperOptions, at: &Surroundings) -> anyhow::Result<usize> {
    let (app, actor) = session::open(at).await?;
    let found = reaper::find(&app, &options.filters.chosen()).await?;
    if found.is_empty() {
        say("Nothing to remove.\n");
        return Ok(0);
    }
    let (mut rows, mut failed) = (Vec::new(), 0);
    for due in &found {
        let outcome = match options.dry_run {
            true => format!("would {}", becomes(due)),
            false => match reaper::remove(&app, due, &actor).await {
                Outcome::Removed => format!("will {}", becomes(due)),
                Outcome::Later(why) => format!("kept for now: {why}"),
                Outcome::Failed(why) => {
                    failed += 1;
                    format!("failed: {why}")
                }
            },
        };
        rows.push(vec![due.container.name.clone(), due.container.owner.clone(), due.reason.clone(), outcome]);
    }
    say(&table(&["database", "owner", "because", "outcome"], &rows));
    Ok(failed)
}

fn becomes(due: &Due) -> &'static str {
    match due.removal {
        Removal::ToTrash => "move to the trash",
        Removal::Purge => "be deleted permanently",
    }
}
