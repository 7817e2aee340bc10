//! `db4sci backup find` and `import`: lists and registers unregistered backups in a bucket.

use anyhow::{Context, ensure};

use crate::backup::sign::{AcceptedSigners, Provenance};
use crate::backup::sign_older;
use crate::backup::unregistered;
use crate::backup::unregistered::{BucketSearch, ImportOptions, ImportRefusal, LOCK_DAYS, UnregisteredBackup};
use crate::cli::session::{CommandSession, note};
use crate::cli::stores::ConfiguredStores;
use crate::cli::surroundings::{Surroundings, say};
use crate::cli::table::{moment, table};
use crate::cli::user::account;
use crate::domain::quantity::ByteSize;
use crate::recovery_key;
use crate::secrets::Sealer;

pub(super) async fn find(at: &Surroundings, target: &str, instance: Option<String>) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    let places = ConfiguredStores::open(at).await?;
    let instance = instance.unwrap_or_else(|| places.config.instance.to_string());
    let looked = look(&mut s, &places, target, &instance).await;
    places.close().await;
    let (instances, look) = looked?;
    let signed = |f: &UnregisteredBackup| if f.signed == Provenance::Ours { "yes" } else { "no" }.to_owned();
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
                ByteSize(i64::try_from(m.bytes()).unwrap_or(i64::MAX)).to_string(),
                signed(f),
            ],
            Err(why) => vec![f.location.clone(), "–".to_owned(), String::new(), why.clone()],
        })
        .collect();
    if !rows.is_empty() {
        say(&table(&["location", "database", "owner", "engine", "created", "size", "signed"], &rows));
    }
    let others: Vec<_> = instances.into_iter().filter(|i| *i != instance).collect();
    say(&format!("{} unregistered backups of {instance} in {target}.\n", rows.len()));
    if !others.is_empty() {
        say(&format!(
            "The target also contains backups of other portals: {}. Use --instance to list them.\n",
            others.join(", ")
        ));
    }
    Ok(())
}

async fn look(
    s: &mut CommandSession,
    places: &ConfiguredStores,
    target: &str,
    instance: &str,
) -> anyhow::Result<(Vec<String>, BucketSearch)> {
    let store = places.stores.get(target).with_context(|| format!("there is no target “{target}”"))?;
    let sealer = Sealer::from_file(&places.config.seal_key, s.random.clone())?;
    Ok((
        unregistered::instances(store).await?,
        unregistered::unknown(&mut s.db, store, &[AcceptedSigners::Sealing(sealer.manifests())], instance, 1_000_000)
            .await?,
    ))
}

pub(super) async fn import(
    at: &Surroundings,
    target: &str,
    owner: &str,
    location: &str,
    unsigned: bool,
) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    let otherwise = account(&mut s.db, owner).await?.id;
    let places = ConfiguredStores::open(at).await?;
    let done = async {
        let store = places.stores.get(target).with_context(|| format!("there is no target “{target}”"))?;
        let sealer = Sealer::from_file(&places.config.seal_key, s.random.clone())?;
        let taking = ImportOptions {
            otherwise,
            by: &[AcceptedSigners::Sealing(sealer.manifests())],
            unsigned,
            actor: &s.actor,
            now: s.now,
        };
        unregistered::import(&mut s.db, store, location, &taking).await.map_err(|e| match e {
            ImportRefusal::Unsigned(why) => {
                anyhow::anyhow!("{why} If you trust it, register it with --unsigned")
            }
            e => e.into(),
        })
    };
    let done = done.await;
    places.close().await;
    let id = done?;
    say(&format!(
        "Backup {id} is complete and now registered. It is locked for {LOCK_DAYS} days. Restore it on its page: \
         /admin/backups/{id}\n"
    ));
    Ok(())
}

pub(super) async fn sign(at: &Surroundings, target: Option<&str>) -> anyhow::Result<()> {
    let mut s = CommandSession::open(at).await?;
    let places = ConfiguredStores::open(at).await?;
    let done = sign_in(&mut s, &places, target).await;
    places.close().await;
    let not = done?;
    ensure!(not.is_empty(), "{}", not.join("\n"));
    Ok(())
}

async fn sign_in(
    s: &mut CommandSession,
    places: &ConfiguredStores,
    target: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let sealer = Sealer::from_file(&places.config.seal_key, s.random.clone())?;
    let recovery = recovery_key::signer(&places.config);
    let mut not = Vec::new();
    let stores = places.stores.all().iter().filter(|store| target.is_none_or(|name| name == store.name()));
    for store in stores {
        let done = sign_older::all(&mut s.db, store, sealer.manifests(), recovery.as_ref(), s.now).await?;
        say(&format!("{} signed in {}.\n", done.signed, store.name()));
        not.extend(done.not);
    }
    note(&mut s.db, &s.actor, s.now, "backup.sign", target.unwrap_or("all targets")).await?;
    Ok(not)
}
