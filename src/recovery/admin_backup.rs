//! The backup of mydb_admin: dumped, stored and read back like any other, with the keys beside it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use chrono::{SubsecRound, Utc};
use serde_json::{Value, json};

use super::client::Client;
use super::keep;
use super::key;
use super::manifest::{self, AdminManifest, FILE, KEYS, PLAIN_SCHEMA, SCHEMA};
use crate::admin_db::bootstrap;
use crate::app::App;
use crate::backup::manifest::Object;
use crate::backup::pack::How;
use crate::backup::seal::{AGE, Keys, Sealing};
use crate::backup::stream::{self, From, Into};
use crate::config::Config;
use crate::engine::backup::dump_script;
use crate::objects::Store;
use crate::provision::flow::StepError;

/// Name of the dump before compression.
const DUMP: &str = "mydb_admin.pgdump";

/// Backs mydb_admin up into the first target, and removes what is not kept.
///
/// # Errors
/// If it can't be dumped, stored or read back; nothing is left of it then.
pub async fn back_up(app: &Arc<App>) -> anyhow::Result<Value> {
    if app.config.backups.admin_every.is_zero() {
        return Ok(json!({ "skipped": "switched off in the configuration" }));
    }
    let Some(store) = app.stores.first() else { return Ok(json!({ "skipped": "no target is configured" })) };
    let url = bootstrap::existing_url(&app.config, &app.random)?;
    let url = url.ok_or_else(|| anyhow::anyhow!("mydb_admin has no URL"))?;
    let client = Client::start(app.runtime.as_ref(), &app.config, &url).await?;
    let made = make(app, store, &client).await;
    client.remove().await?;
    let manifest = made?;
    let there = manifest::list(store, &app.config.instance).await?;
    let gone = keep::goes(&there, app.clock.now());
    for location in &gone {
        remove(store, location).await?;
    }
    Ok(
        json!({ "made_at": manifest.made_at, "bytes": manifest.object.stored.bytes, "keys": manifest.keys, "removed": gone.len() }),
    )
}

/// Removes one: its manifest first, so that what is left of it is none.
async fn remove(store: &Store, location: &str) -> anyhow::Result<()> {
    for file in [FILE, KEYS, &format!("{DUMP}.zst"), &format!("{DUMP}.zst.age")] {
        store.delete(&format!("{location}/{file}")).await?;
    }
    Ok(())
}

async fn make(app: &App, store: &Arc<Store>, client: &Client<'_>) -> anyhow::Result<AdminManifest> {
    let made_at = app.clock.now().with_timezone(&Utc).trunc_subsecs(0);
    let location = manifest::location(&app.config.instance, made_at);
    let mut db = app.db.acquire().await?;
    let (migration, containers): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT max(version) FROM _sqlx_migrations WHERE success),
                (SELECT count(*) FROM container WHERE purged_at IS NULL)",
    )
    .fetch_one(&mut *db)
    .await?;
    drop(db);
    let object = dump(app, store, client, &location).await?;
    let keys = match key::recipient(&app.config)? {
        Some(recipient) => {
            let sealed = key::seal_keys(&app.config, &recipient)?;
            store.put(&format!("{location}/{KEYS}"), Bytes::from(sealed), "application/octet-stream").await?;
            true
        }
        None => {
            tracing::warn!(
                "There is no recovery key, so the backup of mydb_admin has no keys: make one with `db4sci recovery-key`"
            );
            false
        }
    };
    let manifest = AdminManifest {
        schema: if object.encryption.is_some() { SCHEMA } else { PLAIN_SCHEMA },
        instance: app.config.instance.to_string(),
        made_at,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        migration,
        containers,
        object,
        keys,
    };
    store
        .put(&format!("{location}/{FILE}"), Bytes::from(serde_json::to_vec_pretty(&manifest)?), "application/json")
        .await?;
    Ok(manifest)
}

/// To whom mydb_admin's own dump is encrypted where backups are: the same recipients, and the recovery key, with which
/// everything else is brought back.
fn seal(config: &Config) -> anyhow::Result<Option<Sealing>> {
    if config.backups.recipients.is_empty() {
        return Ok(None);
    }
    let mut recipients = config.backups.recipients.clone();
    recipients.extend(key::recipient(config)?.map(|r| r.to_string()));
    Ok(Sealing::to(&recipients, &Keys::of(&config.backups)))
}

async fn dump(app: &App, store: &Arc<Store>, client: &Client<'_>, location: &str) -> anyhow::Result<Object> {
    let backups = &app.config.backups;
    let seal = seal(&app.config)?;
    let file = if seal.is_some() { format!("{DUMP}.zst.age") } else { format!("{DUMP}.zst") };
    let keys = seal.as_ref().and_then(Sealing::once).unwrap_or_else(|| Keys::of(backups));
    let encryption = seal.is_some().then(|| AGE.to_owned());
    let key = format!("{location}/{file}");
    let run = crate::admin_db::new_id().to_string();
    let exec =
        client.script(dump_script("dumped pg_dump --format=custom --compress=0 --no-owner\n"), &[("DB4SCI_RUN", &run)]);
    let upload = store.begin(&key).await?;
    let passed = AtomicU64::new(0);
    let to = Into {
        runtime: app.runtime.as_ref(),
        store,
        key: &key,
        upload: &upload,
        how: How { level: backups.level, long: backups.long_distance, seal },
        passed: &passed,
    };
    let stored = async {
        let dumped = stream::dump(&to, &client.id, &exec).await?;
        store.complete(&key, &upload, &dumped.parts).await?;
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
        what: "mydb_admin, as an archive of pg_dump".to_owned(),
        dumped: dumped.plain,
        stored: dumped.stored,
        compression: "zstd".to_owned(),
        encryption,
    };
    // What can't be read back is none.
    let read = async {
        let input = stream::fetch(&From { store, key: &key, object: &object, keys: &keys }, Arc::default()).await?;
        let list = client.script("set -eu\npg_restore --list >/dev/null\ncat >/dev/null\n".to_owned(), &[]);
        stream::run(app.runtime.as_ref(), &client.id, &list, Some(input), &passed).await
    };
    if let Err(e) = read.await {
        store.delete(&key).await?;
        return Err(e.into());
    }
    Ok(object)
}
