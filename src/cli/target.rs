//! `db4sci target`: manages the backup targets.

use std::sync::Arc;

use anyhow::ensure;
use clap::Subcommand;
use sqlx::Connection;

use super::session::{CommandSession, note};
use super::table::table;
use crate::admin_db::backups::retire;
use crate::cli::stores::ConfiguredStores;
use crate::cli::surroundings::{Surroundings, say};
use crate::domain::object_keys;
use crate::objects::{Store, check};
use crate::secrets::Random;

#[derive(Debug, Subcommand)]
pub(super) enum TargetCommand {
    /// List the configured targets
    List,
    /// Test writing, reading, listing, multipart uploads, aborting and listing uploads, and deleting
    Check {
        /// Name of the target; all targets if omitted
        name: Option<String>,
    },
    /// Forget a target that is gone permanently: backups continue with their copies; those without a copy are marked as gone
    Forget {
        /// Name of the target, which must no longer be configured
        name: String,
    },
}

/// Forgets a target that has been removed from the configuration.
async fn forget(at: &Surroundings, places: &ConfiguredStores, name: &str) -> anyhow::Result<()> {
    ensure!(
        places.stores.get(name).is_none(),
        "“{name}” is still configured: remove its [[target]] and its name from backups.copies, restart the portal, \
         then run forget"
    );
    let mut s = CommandSession::open(at).await?;
    let configured: Vec<String> = places.stores.all().iter().map(|store| store.name().to_owned()).collect();
    let mut tx = s.db.begin().await?;
    let done = retire::retire(&mut tx, name, &configured, s.now).await?;
    ensure!(!done.is_nothing(), "mydb_admin has no record of a target “{name}”");
    let detail = format!("{name}: {} backups continue with a copy, {} existed only there", done.moved, done.gone);
    note(&mut tx, &s.actor, s.now, "target.forget", &detail).await?;
    tx.commit().await?;
    say(&format!(
        "Forgot {name}. Backups that continue with a copy: {}. Backups that existed only there and are now marked as \
         gone: {}. Copies forgotten: {}. Nothing in the bucket was changed: to use its backups again, configure the \
         target and run `db4sci backup find` and `import`.\n",
        done.moved, done.gone, done.copies
    ));
    Ok(())
}

pub(super) async fn run(command: TargetCommand, at: &Surroundings) -> anyhow::Result<()> {
    let places = ConfiguredStores::open(at).await?;
    let done = match command {
        TargetCommand::Forget { name } => forget(at, &places, &name).await,
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
            let beginning = object_keys::check(&places.config.instance, &hex::encode(Random::system().bytes::<4>()));
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
                (_, failed) => Err(anyhow::anyhow!("{failed} of {} checks failed", rows.len())),
            }
        }
    };
    places.close().await;
    done
}
