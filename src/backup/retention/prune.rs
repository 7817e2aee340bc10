//! Removes the backups that the policy does not keep: by their rows, each from the target it lies in, and only what
//! lies under its own beginning of keys. The manifest goes first, so that a half-removed backup is none.

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
use crate::domain::quantity::ByteSize;
use crate::domain::retention::{KeepCounts, KnownBackup, Verdict, judge};
use crate::domain::work::{Cancel, JobRules, Pool};
use crate::manifest::FILE;
use crate::objects::{ObjectError, Store, Stores};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// Remove old backups.
pub static PRUNE: Flow = Flow {
    kind: JobKind::Prune,
    title: "Remove old backups",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always),
    steps: &[Step::new("Remove expired backups", |w| Box::pin(prune(w)))],
};

/// After this no remover is still about to delete a manifest: a single request to a store ends sooner.
const UNDER_WAY: i64 = 30;

/// Why a backup was not removed.
#[derive(Debug, thiserror::Error)]
pub enum KeptBecause {
    /// It stays after all: somebody reads it now, locked it, or the judgement of a moment ago is no longer right.
    #[error("it is kept after all")]
    Judged,
    /// Its manifest is not there. The audit says so; that it was removed can't be said.
    #[error("its manifest is missing from the target")]
    Missing,
    /// Its place is not one that a backup of this portal has.
    #[error("its location “{0}” is not exclusively its own")]
    Elsewhere(String),
    /// Its target is no longer configured.
    #[error(
        "its target “{0}” is no longer configured; if the target is gone permanently, run `db4sci target forget \
             {0}`"
    )]
    NoTarget(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] ObjectError),
    /// mydb_admin.
    #[error("cannot query mydb_admin: {0}")]
    Db(#[from] sqlx::Error),
}

/// The verdicts on all good backups of this portal, database by database.
pub async fn judged(db: &mut PgConnection, config: &Config, now: DateTime<Utc>) -> Result<Vec<Verdict>, sqlx::Error> {
    let known = retention::known(db, config.instance.as_str(), None).await?;
    let databases = known.chunk_by(|a, b| a.0 == b.0);
    Ok(databases.flat_map(|of_one| verdicts(&config.backups.keep, of_one, now)).collect())
}

/// The verdicts on the good backups of one database.
pub async fn judged_of(
    db: &mut PgConnection,
    config: &Config,
    container: Uuid,
    now: DateTime<Utc>,
) -> Result<Vec<Verdict>, sqlx::Error> {
    let known = retention::known(db, config.instance.as_str(), Some(container)).await?;
    Ok(verdicts(&config.backups.keep, &known, now))
}

fn verdicts(keep: &KeepCounts, of_one: &[(Uuid, KnownBackup)], now: DateTime<Utc>) -> Vec<Verdict> {
    let known: Vec<KnownBackup> = of_one.iter().map(|(_, known)| *known).collect();
    judge(keep, &known, now)
}

/// Keys of what goes.
pub async fn due(db: &mut PgConnection, config: &Config, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    Ok(judged(db, config, now).await?.into_iter().filter(Verdict::goes).map(|v| v.id).collect())
}

/// Whether removals were cut short, so that they want to be finished.
pub async fn unfinished(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    retention::half_removed(db, now - Duration::minutes(UNDER_WAY)).await
}

/// What a removal needs of its surroundings.
pub struct Remover<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// Where backups lie.
    pub stores: &'a Stores,
    /// Who is in the log.
    pub actor: &'a Actor,
    /// When it is.
    pub now: DateTime<Utc>,
}

impl<'a> Remover<'a> {
    fn place(&self, b: &Backup) -> Result<(&'a Store, String), KeptBecause> {
        let target = b.target.clone().unwrap_or_default();
        let store = self.stores.get(&target).ok_or(KeptBecause::NoTarget(target))?;
        let location = b.location.clone().unwrap_or_default();
        // Nothing but the place where this portal puts this very backup.
        if location != format!("{}/{}/{}", self.config.instance, b.container_id, b.id) {
            return Err(KeptBecause::Elsewhere(location));
        }
        Ok((store, location))
    }

    /// Its copies, whole or begun, with their stores.
    async fn copies(&self, db: &mut PgConnection, b: &Backup) -> Result<Vec<(Replica, &'a Store)>, KeptBecause> {
        let begun = replicas::of(db, &[b.id]).await?.into_iter().filter(|copy| copy.tries > 0);
        let with_store = |copy: Replica| match self.stores.get(&copy.target) {
            Some(store) => Ok((copy, store.as_ref())),
            None => Err(KeptBecause::NoTarget(copy.target)),
        };
        begun.map(with_store).collect()
    }

    /// Removes a backup if it is still to go, and answers its row.
    ///
    /// # Errors
    /// [`KeptBecause`]; nothing is called removed then.
    pub async fn remove(&self, db: &mut PgConnection, id: Uuid) -> Result<Backup, KeptBecause> {
        let b = backups::by_id(db, id).await?.filter(Backup::is_good).ok_or(KeptBecause::Judged)?;
        let (store, location) = self.place(&b)?;
        // A target that is away, or a disk that is not mounted below it, is found out before anything is begun.
        store.head(&format!("{location}/{FILE}")).await?.ok_or(KeptBecause::Missing)?;
        for (_, store) in self.copies(db, &b).await? {
            store.head(&format!("{location}/{FILE}")).await?;
        }
        self.begin(db, &b).await?;
        match store.delete(&format!("{location}/{FILE}")).await {
            Ok(()) => self.finish(db, &b, store, &location).await?,
            Err(e) => {
                if let Ok(Some(_)) = store.head(&format!("{location}/{FILE}")).await {
                    retention::end_removal(db, id).await?;
                }
                return Err(e.into());
            }
        }
        Ok(b)
    }

    /// Judges once more, with the backup held, and begins.
    async fn begin(&self, db: &mut PgConnection, b: &Backup) -> Result<(), KeptBecause> {
        let mut tx = db.begin().await?;
        retention::lock_for_removal(&mut tx, b.container_id, b.id).await?;
        let verdicts = judged_of(&mut tx, self.config, b.container_id, self.now).await?;
        if !verdicts.iter().any(|v| v.id == b.id && v.goes()) {
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
            store.delete(&format!("{location}/{FILE}")).await?;
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

    /// Goes on with a removal that was cut short: to its end where the manifest is gone, and back where it is not.
    ///
    /// # Errors
    /// [`KeptBecause`]
    pub async fn resume(&self, db: &mut PgConnection, id: Uuid) -> Result<(), KeptBecause> {
        let Some(b) = backups::by_id(db, id).await?.filter(|b| b.removing_at.is_some() && b.removed_at.is_none())
        else {
            return Ok(());
        };
        let (store, location) = self.place(&b)?;
        match store.head(&format!("{location}/{FILE}")).await? {
            Some(_) => Ok(retention::end_removal(db, id).await?),
            None => self.finish(db, &b, store, &location).await,
        }
    }
}

/// What a run did.
#[derive(Debug, Default)]
pub struct PruneReport {
    /// What was removed.
    pub removed: Vec<Backup>,
    /// What could not be, as sentences.
    pub kept: Vec<String>,
    /// Whether a target was away: it is worth trying again.
    pub away: bool,
}

/// Finishes what was cut short, removes what failed backups left, then all that goes. A job shows how far it is.
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

/// Enqueues the removal of what the policy does not keep, if there is anything; answers how many go.
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
