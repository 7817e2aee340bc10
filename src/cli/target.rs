//! `db4sci target`: the buckets for backups.

use clap::Subcommand;

use super::places::Places;
use super::table::table;
use super::{Surroundings, say};
use crate::objects::check;
use crate::secrets::Random;

#[derive(Debug, Subcommand)]
pub(super) enum TargetCommand {
    /// Those that are configured
    List,
    /// Write, read, list, upload in parts, give up an upload, list uploads and delete, and say which of these fails
    Check {
        /// Name of the target
        name: String,
    },
}

pub(super) async fn run(command: TargetCommand, at: &Surroundings) -> anyhow::Result<()> {
    let places = Places::open(at).await?;
    let done = match command {
        TargetCommand::List => {
            let row = |t: &crate::config::Target| {
                let place = t.embedded.as_ref().map_or_else(
                    || t.endpoint.clone().unwrap_or_else(|| format!("Amazon, {}", t.region)),
                    |dir| format!("embedded, {}", dir.display()),
                );
                vec![t.name.clone(), place, format!("{}/{}", t.bucket, t.prefix)]
            };
            let rows: Vec<_> = places.config.targets.iter().map(row).collect();
            say(&table(&["target", "at", "bucket/prefix"], &rows));
            Ok(())
        }
        TargetCommand::Check { name } => {
            let store = places.stores.get(&name).ok_or_else(|| anyhow::anyhow!("there is no target “{name}”"))?;
            let beginning = format!("{}/check-{}", places.config.instance, hex::encode(Random::system().bytes::<4>()));
            let tried = check::check(store, &beginning).await;
            let failed = tried.iter().filter(|t| t.outcome.is_err()).count();
            let row = |t: &check::Tried| {
                vec![t.what.to_owned(), t.outcome.clone().err().unwrap_or_else(|| "works".to_owned())]
            };
            say(&table(&["tried", "outcome"], &tried.iter().map(row).collect::<Vec<_>>()));
            if failed == 0 { Ok(()) } else { Err(anyhow::anyhow!("{failed} of {} do not work", tried.len())) }
        }
    };
    places.close().await;
    done
}
