//! Backups in a bucket that mydb_admin does not know: finds them by their manifests, checks and registers them.

use std::collections::HashSet;

use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::people::accounts;
use crate::admin_db::{imports, log};
use crate::backup::sign;
use crate::backup::sign::{AcceptedSigners, Provenance};
use crate::domain::names::ContainerName;
use crate::domain::object_keys;
use crate::manifest::{FILE, LONGEST, Manifest};
use crate::objects::{ObjectError, Store};

/// Number of simultaneous requests to a store.
const AT_ONCE: usize = 8;
/// Days for which the retention policy keeps a registered backup: someone registered it for a reason.
pub const LOCK_DAYS: i64 = 30;

/// A backup in a bucket that is not registered.
#[derive(Debug)]
pub struct UnregisteredBackup {
    /// Its key prefix.
    pub location: String,
    /// Its manifest, or why it cannot be used.
    pub manifest: Result<Manifest, String>,
    /// The result of verifying the manifest's signature.
    pub signed: Provenance,
}

/// Result of a search.
#[derive(Debug, Default)]
pub struct BucketSearch {
    /// The backups, sorted by database, the newest first.
    pub found: Vec<UnregisteredBackup>,
    /// Whether there are more.
    pub more: bool,
}

/// Instance ids of the portals that have stored objects in a bucket.
pub async fn instances(store: &Store) -> Result<Vec<String>, ObjectError> {
    Ok(store.folders("", 100).await?.0)
}

/// Finds at most `most` backups of a portal that are not registered in mydb_admin.
pub async fn unknown(
    db: &mut PgConnection,
    store: &Store,
    by: &[AcceptedSigners<'_>],
    instance: &str,
    most: usize,
) -> Result<BucketSearch, ImportRefusal> {
    let (containers, mut more) = store.folders(&object_keys::of_instance(instance), most.saturating_mul(10)).await?;
    let ids = containers.into_iter().filter(|c| c.parse::<Uuid>().is_ok());
    let backups: Vec<Vec<(String, Uuid)>> = futures::stream::iter(ids)
        .map(|container| async move {
            let (names, _) = store.folders(&object_keys::of_container(instance, &container), 10_000).await?;
            let backup = |name: String| Some((object_keys::backup(instance, &container, &name), name.parse().ok()?));
            Ok::<_, ObjectError>(names.into_iter().filter_map(backup).collect())
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let backups: Vec<(String, Uuid)> = backups.into_iter().flatten().collect();
    let ids: Vec<Uuid> = backups.iter().map(|(_, id)| *id).collect();
    let known: HashSet<Uuid> = imports::known(db, &ids).await?.into_iter().collect();
    let mut unknown: Vec<_> = backups.into_iter().filter(|(_, id)| !known.contains(id)).collect();
    more |= unknown.len() > most;
    unknown.truncate(most);
    let read = |(location, id): (String, Uuid)| async move {
        let (manifest, signed) = match store.read(&object_keys::file(&location, FILE), LONGEST).await {
            Ok(text) => match sign::look(store, &location, &text, by).await {
                Ok(signed) => (Manifest::read(&text, id), signed),
                Err(e) => (Err(e.to_string()), Provenance::Not),
            },
            Err(ObjectError::NotFound { .. }) => {
                (Err("It has no manifest, so it is not a backup.".to_owned()), Provenance::Not)
            }
            Err(e) => (Err(e.to_string()), Provenance::Not),
        };
        UnregisteredBackup { location, manifest, signed }
    };
    let mut found: Vec<UnregisteredBackup> = futures::stream::iter(unknown).map(read).buffered(AT_ONCE).collect().await;
    found.sort_by_key(|f| match &f.manifest {
        Ok(m) => (m.container.name.clone(), std::cmp::Reverse(m.started_at)),
        // Unusable ones are sorted last: no name begins with this character.
        Err(_) => ("~".to_owned(), std::cmp::Reverse(DateTime::<Utc>::MIN_UTC)),
    });
    Ok(BucketSearch { found, more })
}

/// Why a backup is not registered.
#[derive(Debug, thiserror::Error)]
pub enum ImportRefusal {
    /// It is not a backup or is damaged; the sentence gives the reason.
    #[error("{0}")]
    Unfit(String),
    /// Its manifest is not signed by this portal, and unsigned backups were not allowed.
    #[error("{0}")]
    Unsigned(String),
    /// It is already registered.
    #[error("This backup is already registered.")]
    Known,
    /// An error of the store.
    #[error(transparent)]
    Store(#[from] ObjectError),
    /// An error of mydb_admin.
    #[error("cannot query mydb_admin: {0}")]
    Db(#[from] sqlx::Error),
}

/// How backups are registered.
pub struct ImportOptions<'a> {
    /// Account for backups whose owner's name is not an account here.
    pub otherwise: Uuid,
    /// Keys whose signatures count as this portal's.
    pub by: &'a [AcceptedSigners<'a>],
    /// Whether backups that this portal did not sign are registered too.
    pub unsigned: bool,
    /// The actor in the log.
    pub actor: &'a Actor,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// Checks that a backup is complete and signed by this portal, and registers it. A database that mydb_admin does not
/// know gets the row of a permanently deleted one, owned by the account with the name of its owner, if there is one.
///
/// # Errors
/// [`ImportRefusal`]; nothing is written then.
pub async fn import(
    db: &mut PgConnection,
    store: &Store,
    location: &str,
    taking: &ImportOptions<'_>,
) -> Result<Uuid, ImportRefusal> {
    let &ImportOptions { otherwise, by, unsigned, actor, now } = taking;
    let unfit = |why: String| ImportRefusal::Unfit(why);
    let location = location.trim_matches('/');
    let (instance, container, backup) = object_keys::parse_backup(location).ok_or_else(|| {
        unfit(format!(
            "“{location}” is not a backup location. Locations have the form \
                                      PORTAL/DATABASE/BACKUP."
        ))
    })?;
    let text = store.read(&object_keys::file(location, FILE), LONGEST).await?;
    let manifest = Manifest::read(&text, backup).map_err(ImportRefusal::Unfit)?;
    if manifest.container.id != container || manifest.instance != instance.as_str() {
        return Err(unfit(format!(
            "The manifest there belongs to another location, {}/{}.",
            manifest.instance, manifest.container.id
        )));
    }
    fit(&manifest).map_err(ImportRefusal::Unfit)?;
    let signed = sign::look(store, location, &text, by).await?;
    if let Some(doubt) = signed.doubt().filter(|_| !unsigned) {
        return Err(ImportRefusal::Unsigned(doubt.to_owned()));
    }
    for object in &manifest.objects {
        let key = object_keys::file(location, &object.file);
        match store.head(&key).await?.map(|o| o.bytes) {
            Some(bytes) if bytes == object.stored.bytes => {}
            Some(bytes) => {
                return Err(unfit(format!(
                    "{} has {bytes} bytes, but the manifest states {}. This backup is damaged.",
                    store.url(&key),
                    object.stored.bytes
                )));
            }
            None => return Err(unfit(format!("{} is missing. This backup is damaged.", store.url(&key)))),
        }
    }
    let mut tx = db.begin().await?;
    let owner = accounts::by_name(&mut tx, &manifest.container.owner).await?.map_or(otherwise, |a| a.id);
    imports::container(&mut tx, &manifest, owner, &actor.name, now).await?;
    let new = imports::NewImport {
        manifest: &manifest,
        sha256: Sha256::digest(&text).into(),
        target: store.name(),
        location,
        locked_until: now + Duration::days(LOCK_DAYS),
    };
    if !imports::backup(&mut tx, &new).await? {
        return Err(ImportRefusal::Known);
    }
    let note = if signed == Provenance::Ours { "" } else { ", not signed by this portal" };
    let detail = format!("{} of {}{note}", store.url(location), manifest.started_at.format("%Y-%m-%d %H:%M UTC"));
    let about = Some((container, manifest.container.name.as_str()));
    let entry = LogEntry { action: "backup.import", container: about, outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, actor, &entry, now).await?;
    tx.commit().await?;
    Ok(backup)
}

/// Whether the content of a manifest is valid for rows here.
fn fit(m: &Manifest) -> Result<(), String> {
    let c = &m.container;
    ContainerName::parse(&c.name).map_err(|e| format!("The manifest contains an invalid database: {e}"))?;
    if c.memory_bytes <= 0 || c.millicpus <= 0 {
        return Err("The manifest contains invalid limits.".to_owned());
    }
    if m.finished_at < m.started_at || m.objects.iter().any(|o| i64::try_from(o.stored.bytes).is_err()) {
        return Err("The manifest contains invalid times or sizes.".to_owned());
    }
    Ok(())
}
