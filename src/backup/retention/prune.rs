//! Removes backups that the retention policy does not keep. They are found by their rows, and only objects under their
//! own key prefix are removed. The manifest is deleted first, so that a partly removed backup does not count.

use chrono::{DateTime, Duration, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::admin_db::backups::replicas::Replica;
use crate::admin_db::backups::{Backup, open_uploads, replicas, retention};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::{backups, log};
use crate::app::App;
use crate::backup::retention::prune;
use crate::config::Config;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::object_keys;
use crate::domain::quantity::ByteSize;
use crate::domain::retention::{KeepCounts, KnownBackup, Verdict, judge};
use crate::manifest::FILE;
use crate::objects::{ObjectError, Store, Stores};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// Removes old backups.
pub static PRUNE: Flow = Flow {
    kind: JobKind::Prune,
    title: "Remove old backups",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always),
    steps: &[Step::new("Remove expired backups", |w| Box::pin(prune(w)))],
};

/// Minutes after which no other removal can still be about to delete a manifest: every request to a store ends sooner.
const UNDER_WAY: i64 = 30;

/// Why a backup was not removed.
#[derive(Debug, thiserror::Error)]
pub enum KeptBecause {
    /// It is kept after all: it is being read, was locked, or the decision is no longer valid.
    #[error("it is kept after all")]
    Judged,
    /// Its manifest is missing, so it cannot be recorded as removed. The audit reports it.
    #[error("its manifest is missing from the target")]
    Missing,
    /// Its location is not one that this portal uses for the backup.
    #[error("its location “{0}” is not exclusively its own")]
    Elsewhere(String),
    /// Its target is no longer configured.
    #[error(
        "its target “{0}” is no longer configured; if the target is gone permanently, run `db4sci target forget \
             {0}`"
    )]
    NoTarget(String),
    /// An error of the store.
    #[error(transparent)]
    Store(#[from] ObjectError),
    /// An error of mydb_admin.
    #[error("cannot query mydb_admin: {0}")]
    Db(#[from] sqlx::Error),
}

/// The decisions about all good backups of this portal, database by database.
pub async fn judged(db: &mut PgConnection, config: &Config, now: DateTime<Utc>) -> Result<Vec<Verdict>, sqlx::Error> {
    let known = retention::known(db, config.instance.as_str(), None).await?;
    let databases = known.chunk_by(|a, b| a.0 == b.0);
    Ok(databases.flat_map(|of_one| verdicts(&config.backups.keep, of_one, now)).collect())
}

/// The decisions about the good backups of one database.
pub async fn judged_of(
    db: &mut PgConnection,
    config: &Config,
    container: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Verdict>, sqlx::Error> {
    let known = retention::known(db, config.instance.as_str(), Some(container)).await?;
    Ok(verdicts(&config.backups.keep, &known, now))
}

/// The backups of a database that may be deleted now: neither locked nor being read.
pub async fn deletable(
    db: &mut PgConnection,
    config: &Config,
    container: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let known = retention::known(db, config.instance.as_str(), Some(container)).await?;
    let free = known.into_iter().filter(|(_, b)| !b.in_use && b.locked_until.is_none_or(|until| until <= now));
    Ok(free.map(|(_, b)| b.id).collect())
}

fn verdicts(keep: &KeepCounts, of_one: &[(Uuid, KnownBackup)], now: DateTime<Utc>) -> Vec<Verdict> {
    let known: Vec<KnownBackup> = of_one.iter().map(|(_, known)| *known).collect();
    judge(keep, &known, now)
}

/// Ids of the backups to remove.
pub async fn due(db: &mut PgConnection, config: &Config, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    Ok(judged(db, config, now).await?.into_iter().filter(Verdict::goes).map(|v| v.id).collect())
}

/// Ids of backups whose removal was interrupted and must be resumed.
pub async fn unfinished(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    retention::half_removed(db, now - Duration::minutes(UNDER_WAY)).await
}

/// Why a backup is removed.
#[derive(Debug, Clone, Copy)]
enum RemovalReason {
    /// The policy does not keep it.
    Policy,
    /// The owner of a permanently deleted database deletes it.
    Owner,
}

/// What a removal needs.
pub struct Remover<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The stores of all targets.
    pub stores: &'a Stores,
    /// The actor in the log.
    pub actor: &'a Actor,
    /// The current time.
    pub now: DateTime<Utc>,
}

impl<'a> Remover<'a> {
    fn place(&self, b: &Backup) -> Result<(&'a Store, String), KeptBecause> {
        let target = b.target.clone().unwrap_or_default();
        let store = self.stores.get(&target).ok_or(KeptBecause::NoTarget(target))?;
        let location = b.location.clone().unwrap_or_default();
        // Only the location that this portal uses for this very backup.
        if location != object_keys::backup(&self.config.instance, b.container_id, b.id) {
            return Err(KeptBecause::Elsewhere(location));
        }
        Ok((store, location))
    }

    /// Its copies, complete or not, with their stores.
    async fn copies(&self, db: &mut PgConnection, b: &Backup) -> Result<Vec<(Replica, &'a Store)>, KeptBecause> {
        let begun = replicas::of(db, &[b.id]).await?.into_iter().filter(|copy| copy.tries > 0);
        let with_store = |copy: Replica| match self.stores.get(&copy.target) {
            Some(store) => Ok((copy, store.as_ref())),
            None => Err(KeptBecause::NoTarget(copy.target)),
        };
        begun.map(with_store).collect()
    }

    /// Removes a backup if the policy still does not keep it, and returns its row.
    ///
    /// # Errors
    /// [`KeptBecause`]; the backup is not recorded as removed then.
    pub async fn remove(&self, db: &mut PgConnection, id: Uuid) -> Result<Backup, KeptBecause> {
        self.remove_because(db, id, RemovalReason::Policy).await
    }

    /// Removes a backup of a permanently deleted database for its owner, unless it is locked or being read. One whose
    /// removal has begun is not an error: an interrupted removal is resumed with those of the policy.
    ///
    /// # Errors
    /// [`KeptBecause`]; the backup is not recorded as removed then.
    pub async fn remove_for_owner(&self, db: &mut PgConnection, id: Uuid) -> Result<(), KeptBecause> {
        match backups::by_id(db, id).await? {
            Some(b) if b.removing_at.is_some() => Ok(()),
            _ => self.remove_because(db, id, RemovalReason::Owner).await.map(|_| ()),
        }
    }

    async fn remove_because(
        &self,
        db: &mut PgConnection,
        id: Uuid,
        reason: RemovalReason,
    ) -> Result<Backup, KeptBecause> {
        let b = backups::by_id(db, id).await?.filter(Backup::is_good).ok_or(KeptBecause::Judged)?;
        let (store, location) = self.place(&b)?;
        // Checked first, so that nothing is begun if a target is unavailable or the disk below it is not mounted.
        store.head(&object_keys::file(&location, FILE)).await?.ok_or(KeptBecause::Missing)?;
        for (_, store) in self.copies(db, &b).await? {
            store.head(&object_keys::file(&location, FILE)).await?;
        }
        self.begin(db, &b, reason).await?;
        match store.delete(&object_keys::file(&location, FILE)).await {
            Ok(()) => self.finish(db, &b, store, &location).await?,
            Err(e) => {
                if let Ok(Some(_)) = store.head(&object_keys::file(&location, FILE)).await {
                    retention::end_removal(db, id).await?;
                }
                return Err(e.into());
            }
        }
        Ok(b)
    }

    /// Decides again while holding the lock on the backup, and begins the removal.
    async fn begin(&self, db: &mut PgConnection, b: &Backup, reason: RemovalReason) -> Result<(), KeptBecause> {
        let mut tx = db.begin().await?;
        retention::lock_for_removal(&mut tx, b.container_id, b.id).await?;
        let goes = match reason {
            RemovalReason::Policy => {
                let verdicts = judged_of(&mut tx, self.config, b.container_id, self.now).await?;
                verdicts.iter().any(|v| v.id == b.id && v.goes())
            }
            RemovalReason::Owner => {
                b.container_gone && deletable(&mut tx, self.config, b.container_id, self.now).await?.contains(&b.id)
            }
        };
        if !goes {
            return Err(KeptBecause::Judged);
        }
        retention::begin_removal(&mut tx, b.id, self.now).await?;
        Ok(tx.commit().await?)
    }

    async fn finish(
        &self,
        db: &mut PgConnection,
        b: &Backup,
        store: &Store,
        location: &str,
    ) -> Result<(), KeptBecause> {
        for object in store.list(&format!("{location}/")).await? {
            store.delete(&object.key).await?;
        }
        for (copy, store) in self.copies(db, b).await? {
            for (key, upload) in open_uploads::in_target(db, b.id, store.name()).await? {
                store.abort(&key, &upload).await?;
                open_uploads::delete(db, b.id, &upload).await?;
            }
            store.delete(&object_keys::file(location, FILE)).await?;
            for object in store.list(&format!("{location}/")).await? {
                store.delete(&object.key).await?;
            }
            replicas::set_removed(db, &copy, self.now).await?;
        }
        let mut tx = db.begin().await?;
        if retention::set_removed(&mut tx, b.id, self.now).await? {
            let detail = format!(
                "{} of {}, {}",
                store.url(location),
                b.started_at.format("%Y-%m-%d %H:%M UTC"),
                ByteSize(b.bytes.unwrap_or(0))
            );
            let entry = LogEntry {
                action: "backup.remove",
                container: Some((b.container_id, &b.container)),
                outcome: Outcome::Ok,
                detail: &detail,
            };
            log::append(&mut tx, self.actor, &entry, self.now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Resumes an interrupted removal: completes it if the manifest is gone, otherwise undoes it.
    ///
    /// # Errors
    /// [`KeptBecause`]
    pub async fn resume(&self, db: &mut PgConnection, id: Uuid) -> Result<(), KeptBecause> {
        let Some(b) = backups::by_id(db, id).await?.filter(|b| b.removing_at.is_some() && b.removed_at.is_none())
        else {
            return Ok(());
        };
        let (store, location) = self.place(&b)?;
        match store.head(&object_keys::file(&location, FILE)).await? {
            Some(_) => Ok(retention::end_removal(db, id).await?),
            None => self.finish(db, &b, store, &location).await,
        }
    }
}

/// Result of a run.
#[derive(Debug, Default)]
pub struct PruneReport {
    /// Backups that were removed.
    pub removed: Vec<Backup>,
    /// Backups that could not be removed, as sentences.
    pub kept: Vec<String>,
    /// Whether a target was unavailable, so that a retry makes sense.
    pub away: bool,
}

/// Resumes interrupted removals, removes the remains of failed backups, then all backups that are due. If it runs in a
/// job, the progress is shown.
pub async fn all(
    remover: &Remover<'_>,
    db: &mut PgConnection,
    job: Option<&StepContext>,
) -> Result<PruneReport, sqlx::Error> {
    let mut done = PruneReport::default();
    let mut away: Vec<String> = Vec::new();
    for id in unfinished(db, remover.now).await? {
        if let Err(e) = remover.resume(db, id).await {
            done.away |= matches!(&e, KeptBecause::Store(e) if e.is_transient());
            done.kept.push(format!("Could not finish removing the backup {id}: {e}"));
        }
    }
    for id in open_uploads::left(db).await? {
        if let Err(e) = remover.clear_failed(db, id).await {
            done.away |= matches!(&e, KeptBecause::Store(e) if e.is_transient());
            done.kept.push(format!("Could not remove the leftovers of the failed backup {id}: {e}"));
        }
    }
    let due = due(db, remover.config, remover.now).await?;
    for (n, id) in due.iter().enumerate() {
        if let Some(job) = job {
            job.progress(&format!("{n} of {}", due.len())).await;
        }
        let Some(b) = backups::by_id(db, *id).await? else { continue };
        if b.target.as_ref().is_some_and(|t| away.contains(t)) {
            continue;
        }
        match remover.remove(db, *id).await {
            Ok(b) => done.removed.push(b),
            Err(KeptBecause::Judged | KeptBecause::Missing) => {}
            Err(KeptBecause::Db(e)) => return Err(e),
            Err(e) => {
                if matches!(&e, KeptBecause::Store(e) if e.is_transient()) {
                    done.away = true;
                    away.extend(b.target.clone());
                }
                done.kept.push(format!(
                    "The backup of {} from {} was not removed: {e}",
                    b.container,
                    b.started_at.format("%Y-%m-%d %H:%M UTC")
                ));
            }
        }
    }
    Ok(done)
}

async fn prune(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let actor = Actor { name: w.job.created_by.clone(), ..Actor::default() };
    let remover = Remover { config: &app.config, stores: &app.stores, actor: &actor, now: app.clock.now() };
    let mut db = app.db.acquire().await?;
    let done = all(&remover, &mut db, Some(w)).await?;
    drop(db);
    if done.kept.is_empty() {
        w.progress(&format!("{} removed", done.removed.len())).await;
        return Ok(());
    }
    let said = done.kept.join("\n");
    Err(if done.away { StepError::Retry(said) } else { StepError::Fail(said) })
}

/// Enqueues the removal of backups that the policy does not keep, if there are any. Returns their number.
pub async fn prune_if_due(app: &App, actor: &Actor) -> Result<usize, RequestError> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let due = prune::due(&mut db, &app.config, now).await?.len()
        + prune::unfinished(&mut db, now).await?.len()
        + open_uploads::left(&mut db).await?.len();
    drop(db);
    if due > 0 {
        match enqueue_portal(app, &prune::PRUNE, actor).await {
            Ok(_) | Err(RequestError::Busy) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(due)
}
