//! Backs up mydb_admin: it is dumped, stored and read back like any other database, with the keys next to it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context;
use bytes::Bytes;
use chrono::{DateTime, SubsecRound, Utc};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use super::admin_copy;
use super::client::ClientContainer;
use crate::admin_db::backups::admin_backups;
use crate::admin_db::backups::admin_backups::AdminBackup;
use crate::app::App;
use crate::backup::pipeline::pack::PackOptions;
use crate::backup::pipeline::transfer;
use crate::backup::pipeline::transfer::{DumpTarget, ObjectSource};
use crate::backup::retention::cleanup;
use crate::backup::sign;
use crate::config::Config;
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Cancel, JobRules, Pool};
use crate::domain::object_keys;
use crate::domain::quantity::ByteSize;
use crate::encryption::{AGE, Identities, Recipients};
use crate::engine::backup::dump_script;
use crate::manifest::admin::{AdminManifest, DUMP, FILE, KEYS, PLAIN_SCHEMA, SCHEMA};
use crate::manifest::{Object, admin};
use crate::objects::{ObjectError, Store};
use crate::queue::context::StepContext;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;
use crate::recovery::admin_copy::{Signers, SmallObjects};
use crate::recovery::retention;
use crate::runtime::Runtime;
use crate::secrets::{Random, Sealer};
use crate::{bootstrap, recovery_key};

/// Backs up mydb_admin on request.
pub static BACK_UP: Flow = Flow {
    kind: JobKind::AdminBackup,
    title: "Back up mydb_admin",
    rules: JobRules::of(Pool::Short).cancel(Cancel::Always),
    steps: &[Step::new("Dump, upload and read back", |w| Box::pin(asked_for(w)))],
};

/// What a backup of mydb_admin needs. It does not need a running portal.
pub struct AdminBackupMaker<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The container engine, which runs the client programs.
    pub runtime: &'a dyn Runtime,
    /// The target.
    pub store: &'a Arc<Store>,
    /// Decrypts the saved connection.
    pub random: &'a Random,
    /// The current time.
    pub now: DateTime<Utc>,
    /// Targets that get copies.
    pub copies: Vec<&'a Arc<Store>>,
}

/// A new backup.
#[derive(Debug)]
pub struct NewAdminBackup {
    /// Its manifest.
    pub manifest: AdminManifest,
    /// Its key prefix.
    pub location: String,
    /// Number of older backups that were removed.
    pub removed: usize,
    /// Number of other targets that have a copy.
    pub copies: usize,
}

/// Another backup of mydb_admin is running.
#[derive(Debug, thiserror::Error)]
#[error("another backup of mydb_admin is running; wait until it is done")]
pub struct AlreadyRunning;

/// Makes the hourly backup into the first target.
///
/// # Errors
/// If it cannot be dumped, stored or read back. Everything already stored is removed then.
pub async fn hourly(app: &Arc<App>) -> anyhow::Result<Value> {
    if app.config.backups.admin_every.is_zero() {
        return Ok(json!({ "skipped": "switched off in the configuration" }));
    }
    let Some(store) = app.stores.first() else { return Ok(json!({ "skipped": "no target is configured" })) };
    match of(app, store).back_up().await {
        Ok(made) => Ok(json!({
            "made_at": made.manifest.made_at,
            "bytes": made.manifest.object.stored.bytes,
            "keys": made.manifest.keys,
            "removed": made.removed,
            "copies": made.copies
        })),
        Err(e) if e.is::<AlreadyRunning>() => Ok(json!({ "skipped": e.to_string() })),
        Err(e) => Err(e),
    }
}

fn of<'a>(app: &'a App, store: &'a Arc<Store>) -> AdminBackupMaker<'a> {
    AdminBackupMaker {
        config: &app.config,
        runtime: app.runtime.as_ref(),
        store,
        random: &app.random,
        now: app.clock.now(),
        copies: app.stores.named(&app.config.backups.copies),
    }
}

async fn asked_for(w: &StepContext) -> Result<(), StepError> {
    let store = w.app.stores.first().ok_or_else(|| StepError::Fail(RequestError::NoTarget.to_string()))?;
    let made = of(&w.app, store).back_up().await.map_err(|e| match e.downcast::<StepError>() {
        Ok(e) => e,
        Err(e) if e.is::<AlreadyRunning>() => StepError::Retry(e.to_string()),
        Err(e) => match e.downcast::<ObjectError>() {
            Ok(e) => e.into(),
            Err(e) => StepError::Fail(format!("{e:#}")),
        },
    })?;
    let bytes = ByteSize(i64::try_from(made.manifest.object.stored.bytes).unwrap_or(i64::MAX));
    w.progress(&format!("{bytes} in {}", store.url(&made.location))).await;
    Ok(())
}

/// The recipients of mydb_admin's dump if backups are encrypted: the same as theirs, and the recovery key, which is
/// needed to recover everything else.
fn seal(config: &Config) -> anyhow::Result<Option<Recipients>> {
    if config.backups.recipients.is_empty() {
        return Ok(None);
    }
    let mut recipients = config.backups.recipients.clone();
    recipients.extend(recovery_key::recipient(config)?.map(|r| r.to_string()));
    Ok(Recipients::to(&recipients, &Identities::of(&config.backups)))
}

/// Removes a backup: its manifest first, so that an incomplete rest does not count as a backup.
async fn remove(store: &Store, location: &str) -> Result<(), ObjectError> {
    for file in [FILE, sign::FILE, KEYS, &format!("{DUMP}.zst"), &format!("{DUMP}.zst.age")] {
        store.delete(&object_keys::file(location, file)).await?;
    }
    Ok(())
}

impl AdminBackupMaker<'_> {
    /// Backs up mydb_admin, and removes the backups of it that the retention rules do not keep.
    ///
    /// # Errors
    /// [`AlreadyRunning`] while another one is running. If it cannot be dumped, stored or read back, everything already
    /// stored is removed.
    pub async fn back_up(&self) -> anyhow::Result<NewAdminBackup> {
        let url = bootstrap::existing_url(self.config, self.random)?.context("mydb_admin does not exist yet")?;
        let mut db = PgConnection::connect(url.expose_secret()).await.context("mydb_admin is not responding")?;
        // The lock ends with this connection in any case.
        if !admin_backups::alone(&mut db).await? {
            return Err(AlreadyRunning.into());
        }
        // Removes what an earlier attempt had begun when its portal was killed.
        cleanup::give_up(self.store, &object_keys::of_admin_backups(&self.config.instance), &[]).await?;
        let client = ClientContainer::start(self.runtime, self.config, &url).await?;
        let made_at = self.now.trunc_subsecs(0);
        let location = object_keys::admin_backup(&self.config.instance, made_at);
        let made = self.make(&mut db, &client, &location, made_at).await;
        client.remove().await?;
        let (manifest, small) = match made {
            Ok(made) => made,
            Err(e) => {
                if let Err(left) = remove(self.store, &location).await {
                    tracing::warn!("Could not remove the leftovers of a failed backup of mydb_admin: {left:#}");
                }
                return Err(e);
            }
        };
        let removed = self.tidy(&mut db, self.store).await?;
        let copies = self.copy(&mut db, &manifest, &small).await?;
        db.close().await?;
        Ok(NewAdminBackup { manifest, location, removed, copies })
    }

    fn signers(&self) -> anyhow::Result<Signers> {
        let sealing = Sealer::from_file(&self.config.seal_key, self.random.clone())?;
        Ok(Signers { sealing, recovery: recovery_key::signer(self.config) })
    }

    /// Copies a backup to every target that gets copies, so that a portal can be rebuilt from any of them. Tries all
    /// targets, then fails with the first error.
    async fn copy(&self, db: &mut PgConnection, made: &AdminManifest, small: &SmallObjects) -> anyhow::Result<usize> {
        let signers = self.signers()?;
        let mut failed = None;
        for to in &self.copies {
            let copied = async {
                admin_copy::copy(&self.config.instance, self.store, to, (made, small, &signers)).await?;
                self.tidy(db, to).await
            };
            if let Err(e) = copied.await {
                failed = failed.or(Some(e.context(format!("could not copy to the target “{}”", to.name()))));
            }
        }
        failed.map_or(Ok(self.copies.len()), Err)
    }

    /// Removes backups that are not kept and the objects of abandoned ones, and records which backups exist.
    async fn tidy(&self, db: &mut PgConnection, store: &Store) -> anyhow::Result<usize> {
        let (there, left) = admin::look(store, &self.config.instance, self.now).await?;
        for key in &left {
            store.delete(key).await?;
        }
        let moments: Vec<_> = there.iter().map(|t| (t.made_at, t.location.clone())).collect();
        let gone = retention::goes(&moments, self.now);
        for location in &gone {
            remove(store, location).await?;
        }
        let target = store.name();
        let kept = there.into_iter().filter(|t| !gone.contains(&t.location)).map(|t| AdminBackup {
            target: target.to_owned(),
            location: t.location,
            made_at: t.made_at,
            bytes: i64::try_from(t.bytes).unwrap_or(i64::MAX),
            keys: t.keys,
        });
        admin_backups::replace(db, target, &kept.collect::<Vec<_>>()).await?;
        Ok(gone.len())
    }

    async fn make(
        &self,
        db: &mut PgConnection,
        client: &ClientContainer<'_>,
        location: &str,
        made_at: DateTime<Utc>,
    ) -> anyhow::Result<(AdminManifest, SmallObjects)> {
        let (config, store) = (self.config, self.store);
        let (migration, containers): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT max(version) FROM _sqlx_migrations WHERE success),
                (SELECT count(*) FROM container WHERE purged_at IS NULL)",
        )
        .fetch_one(&mut *db)
        .await?;
        let object = self.dump(client, location).await?;
        let keys = match recovery_key::recipient(config)? {
            Some(recipient) => {
                let sealed = Bytes::from(recovery_key::seal_keys(config, &recipient)?);
                store.put(&object_keys::file(location, KEYS), sealed.clone(), "application/octet-stream").await?;
                Some(sealed)
            }
            None => {
                tracing::warn!(
                    "There is no recovery key, so the backup of mydb_admin contains no keys: create one with `db4sci \
                     recovery-key`"
                );
                None
            }
        };
        let manifest = AdminManifest {
            schema: if object.encryption.is_some() { SCHEMA } else { PLAIN_SCHEMA },
            instance: config.instance.to_string(),
            made_at,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            migration,
            containers,
            object,
            keys: keys.is_some(),
            keys_sha256: keys.as_ref().map(|keys| hex::encode(Sha256::digest(keys))),
        };
        let small = SmallObjects { manifest: Bytes::from(serde_json::to_vec_pretty(&manifest)?), keys };
        self.signers()?.put(store, location, &small.manifest).await?;
        Ok((manifest, small))
    }

    async fn dump(&self, client: &ClientContainer<'_>, location: &str) -> anyhow::Result<Object> {
        let (store, backups) = (self.store, &self.config.backups);
        let seal = seal(self.config)?;
        let file = if seal.is_some() { format!("{DUMP}.zst.age") } else { format!("{DUMP}.zst") };
        let keys = seal.as_ref().and_then(Recipients::once).unwrap_or_else(|| Identities::of(backups));
        let encryption = seal.is_some().then(|| AGE.to_owned());
        let key = object_keys::file(location, &file);
        let run = crate::admin_db::new_id().to_string();
        let exec = client
            .script(dump_script("dumped pg_dump --format=custom --compress=0 --no-owner\n"), &[("DB4SCI_RUN", &run)]);
        let upload = store.begin(&key).await?;
        let passed = AtomicU64::new(0);
        let to = DumpTarget {
            runtime: self.runtime,
            store,
            key: &key,
            upload: &upload,
            how: PackOptions::of(backups, seal),
            end_mark: None,
            passed: &passed,
        };
        let stored = async {
            let dumped = transfer::dump(&to, &client.id, &exec, None).await?;
            store.complete(&key, &upload, (&dumped.parts, dumped.stored.bytes)).await?;
            Ok::<_, StepError>(dumped)
        };
        let dumped = match stored.await {
            Ok(dumped) => dumped,
            Err(e) => {
                let _ = store.abort(&key, &upload).await;
                return Err(e.into());
            }
        };
        let object = Object {
            file,
            plain: DUMP.to_owned(),
            database: Some("mydb_admin".to_owned()),
            what: "mydb_admin, as a pg_dump archive".to_owned(),
            dumped: dumped.plain,
            stored: dumped.stored,
            compression: "zstd".to_owned(),
            encryption,
        };
        // A backup that cannot be read back does not count.
        let read = async {
            let input = transfer::fetch(
                &ObjectSource { store, key: &key, object: &object, keys: &keys, verified: None },
                Arc::default(),
            )
            .await?;
            let list = client.script("set -eu\npg_restore --list >/dev/null\ncat >/dev/null\n".to_owned(), &[]);
            transfer::run(self.runtime, &client.id, &list, Some(input), &passed).await
        };
        if let Err(e) = read.await {
            store.delete(&key).await?;
            return Err(e.into());
        }
        Ok(object)
    }
}
