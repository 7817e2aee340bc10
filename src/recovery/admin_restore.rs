//! Restores mydb_admin from the bucket on a host that has none.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};

use super::client::ClientContainer;
use crate::admin_db::MIGRATOR;
use crate::admin_db::imports::RESTORED;
use crate::backup::pipeline::transfer;
use crate::backup::pipeline::transfer::ObjectSource;
use crate::backup::sign;
use crate::backup::sign::AcceptedSigners;
use crate::bootstrap::BootstrapParts;
use crate::config::Config;
use crate::domain::object_keys;
use crate::encryption::Identities;
use crate::manifest::admin;
use crate::manifest::admin::{AdminManifest, FILE, KEYS, LONGEST, SCHEMA};
use crate::objects::Store;
use crate::secrets::{Random, Sealer};
use crate::{bootstrap, recovery_key};

/// What to restore.
pub struct AdminRestoreRequest<'a> {
    /// Restores the newest backup of at most this moment; if `None`, the newest of all.
    pub at: Option<DateTime<Utc>>,
    /// The recovery key, for a host without the sealing key.
    pub key: Option<&'a SecretString>,
    /// Whether backups that this portal did not sign are accepted.
    pub unsigned: bool,
}

/// The backup of mydb_admin to restore.
pub struct ChosenAdminBackup {
    /// Its manifest.
    pub manifest: AdminManifest,
    /// Its key prefix.
    pub location: String,
    /// The manifest as stored.
    text: Vec<u8>,
}

/// Chooses the backup to restore.
pub async fn choose(
    parts: &BootstrapParts,
    store: &Store,
    at: Option<DateTime<Utc>>,
) -> anyhow::Result<Option<ChosenAdminBackup>> {
    let there = admin::list(store, &parts.config.instance).await?;
    let Some(chosen) = there.into_iter().find(|t| at.is_none_or(|at| t.made_at <= at)) else { return Ok(None) };
    let location = chosen.location;
    let text = store.read(&object_keys::file(&location, FILE), LONGEST).await?;
    let found: AdminManifest = serde_json::from_slice(&text).with_context(|| {
        format!(
            "the manifest of {} is damaged; list other backups with `db4sci admin-db list` and select one with --at",
            store.url(&location)
        )
    })?;
    let newest = MIGRATOR.iter().map(|m| m.version).max().unwrap_or_default();
    ensure!(
        found.schema <= SCHEMA && found.migration <= newest,
        "{} was made by version {}, which is newer than this version ({}). Use that version.",
        store.url(&location),
        found.program,
        env!("CARGO_PKG_VERSION")
    );
    ensure!(
        object_keys::admin_backup(&parts.config.instance, found.made_at) == location,
        "{} holds a backup of another time or portal, {}; list other backups with `db4sci admin-db list` and select \
         one with --at",
        store.url(&location),
        found.made_at
    );
    Ok(Some(ChosenAdminBackup { manifest: found, location, text }))
}

/// Verifies that this portal signed a backup, with the recovery key if one was given, otherwise with this host's
/// sealing key.
async fn believe(
    config: &Config,
    store: &Store,
    chosen: &ChosenAdminBackup,
    wanted: &AdminRestoreRequest<'_>,
) -> anyhow::Result<()> {
    let recovery = wanted.key.map(recovery_key::signer_of);
    let sealing = match &recovery {
        Some(_) => None,
        None => Some(Sealer::from_file(&config.seal_key, Random::system()).context("it can't be verified")?),
    };
    let by = match (&recovery, &sealing) {
        (Some(recovery), _) => AcceptedSigners::Recovery(recovery),
        (None, Some(sealing)) => AcceptedSigners::Sealing(sealing.manifests()),
        (None, None) => bail!("there is no key to verify it"),
    };
    let signed = sign::look(store, &chosen.location, &chosen.text, &[by]).await?;
    match signed.doubt() {
        Some(doubt) if wanted.unsigned => {
            tracing::warn!("{}: {doubt} Accepting it anyway", store.url(&chosen.location));
            Ok(())
        }
        Some(doubt) => bail!(
            "{}: {doubt} Whoever made it would gain control of this portal. List other backups with `db4sci admin-db \
             list` and select one with --at, or, if you know that this one is yours, use --unsigned.",
            store.url(&chosen.location)
        ),
        None => Ok(()),
    }
}

/// Installs the keys, unless this host has them.
async fn install_keys(
    config: &Config,
    store: &Store,
    chosen: &ChosenAdminBackup,
    wanted: &AdminRestoreRequest<'_>,
) -> anyhow::Result<()> {
    let location = &chosen.location;
    let Some(identity) = wanted.key else { return Ok(()) };
    let sealed = store.read(&object_keys::file(location, KEYS), LONGEST).await;
    let sealed = sealed.with_context(|| {
        format!(
            "{} contains no keys, because there was no recovery key at the time. `db4sci admin-db list` shows which \
             backups contain keys; select one with --at, or copy the sealing key from elsewhere to {}",
            store.url(location),
            config.seal_key.display()
        )
    })?;
    if let Some(sum) = &chosen.manifest.keys_sha256 {
        ensure!(
            *sum == hex::encode(Sha256::digest(&sealed)),
            "{} differ from the keys that were stored; list other backups with `db4sci admin-db list` and select one \
             with --at",
            store.url(&object_keys::file(location, KEYS))
        );
    }
    let keys = recovery_key::open_keys(identity, &sealed)?;
    keys.install(config)?;
    // From now on this host encrypts its backups of mydb_admin for the same recovery key.
    recovery_key::register(config, identity)?;
    ensure!(
        keys.is_installed(config),
        "{} differs from the sealing key in the bucket. Move it away first.",
        config.seal_key.display()
    );
    Ok(())
}

/// Restores mydb_admin into an empty server, which is created if none is configured.
///
/// # Errors
/// If mydb_admin is not empty, or the backup cannot be read or is damaged.
pub async fn restore(
    parts: &BootstrapParts,
    store: &Arc<Store>,
    chosen: &ChosenAdminBackup,
    wanted: &AdminRestoreRequest<'_>,
) -> anyhow::Result<()> {
    let ChosenAdminBackup { manifest, location, .. } = chosen;
    let (config, random) = (&parts.config, Random::system());
    ensure!(
        wanted.key.is_some() || config.seal_key.exists(),
        "this host has no sealing key ({}), so the recovery key is needed (shown once when it was created): \
         --recovery-key FILE",
        config.seal_key.display()
    );
    believe(config, store, chosen, wanted).await?;
    install_keys(config, store, chosen, wanted).await?;
    let url = bootstrap::start(parts, &random).await?;
    let mut db = PgConnection::connect(url.expose_secret()).await.context("mydb_admin is not responding")?;
    let tables = bootstrap::tables(&mut db).await?;
    if tables > 0 {
        bail!(
            "mydb_admin is not empty ({tables} tables), so nothing was changed. Move its data directory away, or \
             configure an empty database."
        );
    }
    let client = ClientContainer::start(parts.runtime.as_ref(), config, &url).await?;
    let filled = async {
        let key = object_keys::file(location, &manifest.object.file);
        let keys = Identities::of(&config.backups).and(wanted.key);
        let input = transfer::fetch(
            &ObjectSource { store, key: &key, object: &manifest.object, keys: &keys, verified: None },
            Arc::default(),
        )
        .await?;
        let text = "exec pg_restore --exit-on-error --single-transaction --no-owner --dbname=\"$PGDATABASE\"\n";
        let exec = client.script(text.to_owned(), &[]);
        transfer::run(parts.runtime.as_ref(), &client.id, &exec, Some(input), &AtomicU64::new(0)).await
    };
    let filled = filled.await;
    client.remove().await?;
    filled?;
    settle(&mut db, parts.clock.now()).await?;
    Ok(db.close().await?)
}

/// Ends what was running when the backup was made, and all sessions. The tables are those of the portal that made the
/// backup, so the compiler cannot check these statements.
async fn settle(db: &mut PgConnection, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    for statement in [
        "UPDATE job SET status = 'failed', finished_at = $1, error = $2, worker = NULL, lease_until = NULL
          WHERE status IN ('queued', 'running')",
        "UPDATE backup_log SET status = 'failed', finished_at = $1, error = $2, manifest = NULL, level = NULL
          WHERE status = 'running'",
        "UPDATE state SET state = 'failed', last_state = state, changed_by = 'recovery'
              , changed_at = CASE state WHEN 'deleting' THEN changed_at ELSE $1 END
              , failed_step = 'recovery', failed_reason = $2
          WHERE state IN ('requested', 'provisioning', 'deleting')",
    ] {
        sqlx::query(statement).bind(now).bind(RESTORED).execute(&mut *db).await?;
    }
    for statement in ["DELETE FROM session", "UPDATE container SET docker_id = NULL"] {
        sqlx::query(statement).execute(&mut *db).await?;
    }
    Ok(())
}
