//! Databases known only by their manifests: mydb_admin and all its backups are gone.

use std::collections::HashSet;
use std::sync::Arc;

use anyhow::anyhow;
use uuid::Uuid;

use super::rebuild::Line;
use crate::admin_db::log::Actor;
use crate::admin_db::{accounts, backups};
use crate::app::App;
use crate::backup::find;
use crate::backup::manifest::Manifest;
use crate::backup::request::{RestoreRequest, restore};
use crate::domain::names::ContainerName;
use crate::domain::user::Role;
use crate::objects::Store;

/// Who is in the log.
const ACTOR: &str = "rebuild";
/// Most backups looked at.
const MOST: usize = 100_000;

/// Takes every backup of this instance into the list, and enqueues the making of each database from its newest one.
/// They belong to the account of their owner's name where there is one, else to the first administrator.
///
/// # Errors
/// If the bucket or mydb_admin can't be asked. What fails for one database is in its line.
pub async fn enqueue(app: &Arc<App>, store: &Store, lines: &mut Vec<Line>) -> anyhow::Result<Vec<(Line, Uuid)>> {
    let actor = Actor::portal(ACTOR);
    let mut db = app.db.acquire().await?;
    let looked = find::unknown(&mut db, store, app.config.instance.as_str(), MOST).await.map_err(|e| anyhow!("{e}"))?;
    let admins = accounts::list(&mut db).await?;
    let first = admins.iter().find(|a| a.role == Role::Admin).map(|a| a.id);
    let first = first.ok_or_else(|| anyhow!("there is no administrator's account"))?;
    let (mut made, mut seen) = (Vec::new(), HashSet::new());
    // By database, the newest first.
    for found in looked.found {
        let Ok(manifest) = found.manifest else { continue };
        let newest = seen.insert(manifest.container.id);
        let imported = find::import(&mut db, store, &found.location, first, &actor, app.clock.now()).await;
        if !newest {
            continue;
        }
        let line = line(&manifest);
        let job = match imported {
            Ok(id) => again(app, id, &manifest, first, &actor).await,
            Err(e) => Err(e.to_string()),
        };
        match job {
            Ok(job) => made.push((line, job)),
            Err(outcome) => lines.push(Line { outcome, ..line }),
        }
    }
    Ok(made)
}

fn line(m: &Manifest) -> Line {
    Line {
        database: m.container.name.clone(),
        engine: m.container.engine.label(),
        there: false,
        outcome: String::new(),
    }
}

async fn again(app: &App, id: Uuid, m: &Manifest, otherwise: Uuid, actor: &Actor) -> Result<Uuid, String> {
    let mut db = app.db.acquire().await.map_err(|e| e.to_string())?;
    let backup = backups::by_id(&mut db, id).await.map_err(|e| e.to_string())?.ok_or("The backup vanished.")?;
    let owner = accounts::by_name(&mut db, &m.container.owner).await.map_err(|e| e.to_string())?;
    drop(db);
    let name = ContainerName::parse(&m.container.name).map_err(|e| e.to_string())?;
    let wanted = RestoreRequest { name, owner: owner.map_or(otherwise, |a| a.id), only: None };
    restore(app, &backup, &wanted, actor).await.map(|made| made.job).map_err(|e| e.to_string())
}
