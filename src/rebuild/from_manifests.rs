//! Recreates databases that only the bucket knows: all of them if mydb_admin and its backups are lost, those of the
//! last hour if mydb_admin was restored from its newest backup.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups::Backup;
use crate::admin_db::containers::Container;
use crate::admin_db::imports::Candidate;
use crate::admin_db::log::Actor;
use crate::admin_db::people::accounts;
use crate::admin_db::{backups, containers, imports};
use crate::app::App;
use crate::backup::request::{Purpose, RestoreRequest, restore};
use crate::backup::unregistered;
use crate::backup::unregistered::{ImportOptions, ImportRefusal};
use crate::domain::names::ContainerName;
use crate::domain::user::Role;
use crate::objects::Store;
use crate::rebuild::report::{DatabaseLine, DatabaseOutcome, TrustedKeys};
use crate::trash::tombstone;

/// The actor in the log.
const ACTOR: &str = "rebuild";
/// Maximum number of backups examined.
const MOST: usize = 100_000;

/// Registers all backups of this instance that mydb_admin does not know. Returns how many, and how many were skipped
/// because this portal did not sign them. They belong to the account with the name of their owner if it exists,
/// otherwise to the first administrator. A database without a usable backup gets a line in the report.
pub(crate) async fn take_in(
    app: &Arc<App>,
    store: &Store,
    trust: TrustedKeys<'_>,
    lines: &mut Vec<DatabaseLine>,
) -> anyhow::Result<(usize, usize)> {
    let actor = Actor::portal(ACTOR);
    let mut db = app.db.acquire().await?;
    let instance = app.config.instance.as_str();
    let looked = unregistered::unknown(&mut db, store, trust.by, instance, MOST).await.map_err(|e| anyhow!("{e}"))?;
    let all = accounts::list(&mut db).await?;
    let first = all.iter().find(|a| a.role == Role::Admin).map(|a| a.id);
    let first = first.ok_or_else(|| anyhow!("there is no administrator account"))?;
    let (by, unsigned, now) = (trust.by, trust.unsigned, app.clock.now());
    let taking = ImportOptions { otherwise: first, by, unsigned, actor: &actor, now };
    let (mut taken, mut left_out) = (0, 0);
    let mut unusable: HashMap<Uuid, DatabaseLine> = HashMap::new();
    for found in looked.found {
        let Ok(manifest) = found.manifest else { continue };
        let of = manifest.container;
        match unregistered::import(&mut db, store, &found.location, &taking).await {
            Ok(_) => taken += 1,
            Err(e @ (ImportRefusal::Unfit(_) | ImportRefusal::Store(_) | ImportRefusal::Unsigned(_))) => {
                tracing::warn!("{}: {e}", store.url(&found.location));
                let is_unsigned = matches!(e, ImportRefusal::Unsigned(_));
                left_out += usize::from(is_unsigned);
                let advice = if is_unsigned { " Use --unsigned to accept it anyway." } else { "" };
                unusable.entry(of.id).or_insert(DatabaseLine {
                    database: of.name,
                    engine: of.engine.label(),
                    is: DatabaseOutcome::Missing,
                    outcome: format!("Its backup was skipped. {e}{advice}"),
                });
            }
            Err(ImportRefusal::Known) => {}
            Err(e @ ImportRefusal::Db(_)) => return Err(e.into()),
        }
    }
    for (id, line) in unusable {
        if containers::by_id(&mut db, id).await?.is_none() {
            lines.push(line);
        }
    }
    Ok((taken, left_out))
}

/// Enqueues the creation of each database that is known only from its backups, from the newest one, unless the bucket
/// records its deletion.
///
/// # Errors
/// If the bucket or mydb_admin cannot be queried. Failures of single databases are in their lines.
pub(crate) async fn enqueue(
    app: &Arc<App>,
    store: &Store,
    trust: TrustedKeys<'_>,
    lines: &mut Vec<DatabaseLine>,
) -> anyhow::Result<Vec<(DatabaseLine, Uuid)>> {
    let mut db = app.db.acquire().await?;
    let found = imports::candidates(&mut db, ACTOR).await?;
    let (mut made, mut names) = (Vec::new(), HashSet::new());
    for candidate in found {
        let Some(c) = containers::by_id(&mut db, candidate.id).await? else { continue };
        let line = |is: DatabaseOutcome, outcome: String| DatabaseLine {
            database: c.name.clone(),
            engine: c.engine.label(),
            is,
            outcome,
        };
        // Two databases never had the same name at the same time: the earlier one was deleted permanently before the
        // later one was created.
        if !names.insert(c.name.clone()) || outlived(&mut db, &c.name, candidate.made_at).await? {
            let why = "A later database has the same name, so this one had been deleted. Its backups are registered.";
            lines.push(line(DatabaseOutcome::Deleted, why.to_owned()));
            continue;
        }
        match tombstone::read(store, app.config.instance.as_str(), c.id, trust.by, trust.unsigned).await? {
            Some(mark) if mark.deleted_at > candidate.made_at => {
                lines.push(line(DatabaseOutcome::Deleted, deleted(&mark)));
            }
            _ => match again(app, &c, &candidate).await {
                Ok(job) => made.push((line(DatabaseOutcome::Missing, String::new()), job)),
                Err(why) => lines.push(line(DatabaseOutcome::Missing, why)),
            },
        }
    }
    Ok(made)
}

/// Whether the existing database of this name is newer than a backup of another one that had the name.
async fn outlived(db: &mut PgConnection, name: &str, made_at: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let Some(living) = containers::by_name(db, name).await? else { return Ok(false) };
    let newest = backups::of_container(db, living.id, 100).await?.into_iter().find(Backup::is_good);
    Ok(living.created_at > made_at || newest.is_some_and(|b| b.started_at > made_at))
}

/// The sentence in the report about a database that its owner deleted.
pub(crate) fn deleted(mark: &tombstone::Tombstone) -> String {
    format!("Deleted at {}. Its backups are registered.", mark.deleted_at.format("%Y-%m-%d %H:%M UTC"))
}

async fn again(app: &App, c: &Container, candidate: &Candidate) -> Result<Uuid, String> {
    let mut db = app.db.acquire().await.map_err(|e| e.to_string())?;
    let backup = backups::by_id(&mut db, candidate.backup).await.map_err(|e| e.to_string())?;
    let backup = backup.ok_or("The backup disappeared.")?;
    drop(db);
    let name = ContainerName::parse(&c.name).map_err(|e| e.to_string())?;
    let wanted = RestoreRequest { name, owner: c.account_id, only: None, storage: None, purpose: Purpose::Rebuild };
    restore(app, &backup, &wanted, &Actor::portal(ACTOR)).await.map(|made| made.job).map_err(|e| e.to_string())
}
