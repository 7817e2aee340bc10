//! `db4sci target`: the buckets for backups.

use std::sync::Arc;

use clap::Subcommand;

use super::places::Places;
use super::table::table;
use super::{Surroundings, say};
use crate::objects::{Store, check};
use crate::secrets::Random;

#[derive(Debug, Subcommand)]
pub(super) enum TargetCommand {
    /// Those that are configured
    List,
    /// Write, read, list, upload in parts, give up an upload, list uploads and delete, and say which of these fails
    Check {
        /// Name of the target; all of them unless given
        name: Option<String>,
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
            let beginning = format!("{}/check-{}", places.config.instance, hex::encode(Random::system().bytes::<4>()));
            let named = |store: &&Arc<Store>| name.as_deref().is_none_or(|name| name == store.name());
            let stores: Vec<_> = places.stores.all().iter().filter(named).collect();
            let (mut rows, mut failed) = (Vec::new(), 0);
            for store in &stores {
                for tried in check::check(store, &beginning).await {
                    failed += usize::from(tried.outcome.is_err());
                    let outcome = tried.outcome.err().unwrap_or_else(|| "works".to_owned());
                    rows.push(vec![store.name().to_owned(), tried.what.to_owned(), outcome]);
                }
            }
            say(&table(&["target", "tried", "outcome"], &rows));
            match (name, failed) {
                (Some(name), _) if stores.is_empty() => Err(anyhow::anyhow!("there is no target “{name}”")),
                (None, _) if stores.is_empty() => Err(anyhow::anyhow!("no target is configured")),
                (_, 0) => Ok(()),
                (_, failed) => Err(anyhow::anyhow!("{failed} of {} do not work", rows.len())),
            }
        }
    };
    places.close().await;
    done
}
