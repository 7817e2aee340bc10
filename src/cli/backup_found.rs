//! `db4sci backup find` and `import`: backups in a bucket that are in nobody's list.

use anyhow::Context;

use super::places::Places;
use super::session::Session;
use super::table::{moment, table};
use super::user::account;
use super::{Surroundings, say};
use crate::backup::find::{self, LOCK_DAYS, Look};
use crate::domain::quantity::Bytes;

pub(super) async fn find(at: &Surroundings, target: &str, instance: Option<String>) -> anyhow::Result<()> {
    let mut s = Session::open(at).await?;
    let places = Places::open(at).await?;
    let instance = instance.unwrap_or_else(|| places.config.instance.to_string());
    let looked = look(&mut s, &places, target, &instance).await;
    places.close().await;
    let (instances, look) = looked?;
    let rows: Vec<_> = look
        .found
        .iter()
        .map(|f| match &f.manifest {
            Ok(m) => vec![
                f.location.clone(),
                m.container.name.clone(),
                m.container.owner.clone(),
                format!("{} {}", m.container.engine.label(), m.container.version),
                moment(Some(m.started_at)),
                Bytes(i64::try_from(m.bytes()).unwrap_or(i64::MAX)).to_string(),
            ],
            Err(why) => vec![f.location.clone(), "–".to_owned(), String::new(), why.clone()],
        })
        .collect();
    if !rows.is_empty() {
        say(&table(&["lies at", "database", "owner", "engine", "made", "size"], &rows));
    }
    let others: Vec<_> = instances.into_iter().filter(|i| *i != instance).collect();
    say(&format!("{} of {instance} in {target} are not in the list.\n", rows.len()));
    if !others.is_empty() {
        say(&format!("Other portals have put something there: {}. Look with --instance.\n", others.join(", ")));
    }
    Ok(())
}

async fn look(s: &mut Session, places: &Places, target: &str, instance: &str) -> anyhow::Result<(Vec<String>, Look)> {
    let store = places.stores.get(target).with_context(|| format!("there is no target “{target}”"))?;
    Ok((find::instances(store).await?, find::unknown(&mut s.db, store, instance, 1_000_000).await?))
}

pub(super) async fn import(at: &Surroundings, target: &str, owner: &str, location: &str) -> anyhow::Result<()> {
    let mut s = Session::open(at).await?;
    let otherwise = account(&mut s.db, owner).await?.id;
    let places = Places::open(at).await?;
    let done = match places.stores.get(target) {
        Some(store) => find::import(&mut s.db, store, location, otherwise, &s.actor, s.now).await.map_err(Into::into),
        None => Err(anyhow::anyhow!("there is no target “{target}”")),
    };
    places.close().await;
    let id = done?;
    say(&format!(
        "The backup {id} is whole and in the list, locked for {LOCK_DAYS} days. Restore it on its page: /admin/backups/{id}\n"
    ));
    Ok(())
}
