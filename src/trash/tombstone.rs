//! The record of a deletion, stored next to the backups of the database: `<instance>/<container id>/deleted.json`. It
//! keeps a rebuild that has only the bucket from recovering databases that their owners deleted.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::admin_db::backups::tombstones;
use crate::admin_db::backups::tombstones::PendingTombstone;
use crate::app::App;
use crate::backup::sign::{AcceptedSigners, Provenance, Signature};
use crate::domain::object_keys;
use crate::objects::{ObjectError, Store};
use crate::queue::step_error::StepError;
use crate::recovery_key;

/// Version of the format.
const SCHEMA: u32 = 1;
/// Maximum size of a record in bytes.
const LONGEST: u64 = 64 * 1024;

/// The record of a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// Version of the format.
    pub schema: u32,
    /// Instance id of the portal.
    pub instance: String,
    /// Key of the database.
    pub container: Uuid,
    /// Name of the database.
    pub name: String,
    /// When it was moved to the trash, or deleted permanently without that.
    pub deleted_at: DateTime<Utc>,
    /// The portal's signature of all fields above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl Tombstone {
    /// The text that is signed.
    fn content(&self) -> String {
        let Self { schema, instance, container, name, deleted_at, .. } = self;
        json!(["db4sci deletion", schema, instance, container, name, deleted_at]).to_string()
    }

    fn is_signed(&self, by: &[AcceptedSigners<'_>]) -> bool {
        self.signature.as_ref().is_some_and(|s| s.judge(self.content().as_bytes(), by) == Provenance::Ours)
    }
}

/// The deletion record of a database, if there is one. A record that cannot be read does not count, and neither does
/// one that this portal did not sign unless `unsigned`: recovering one database too many does no harm.
pub(crate) async fn read(
    store: &Store,
    instance: &str,
    container: Uuid,
    by: &[AcceptedSigners<'_>],
    unsigned: bool,
) -> Result<Option<Tombstone>, ObjectError> {
    let counts = |m: &Tombstone| m.container == container && m.instance == instance && (unsigned || m.is_signed(by));
    match store.read(&object_keys::tombstone(instance, container), LONGEST).await {
        Ok(text) => Ok(serde_json::from_slice(&text).ok().filter(counts)),
        Err(ObjectError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Writes or removes all outstanding records in every target. Unavailable targets are retried in the next run.
pub async fn settle(app: &App) -> anyhow::Result<Value> {
    let mut db = app.db.acquire().await?;
    let due = tombstones::due(&mut db, None).await?;
    drop(db);
    let (mut done, mut error) = (0, None);
    for one in &due {
        match tell(app, one).await {
            Ok(()) => done += 1,
            Err(e) => error = Some(e.to_string()),
        }
    }
    Ok(match error {
        None => json!({ "noted": done }),
        Some(e) => json!({ "noted": done, "error": format!("Could not record deletions in a target: {e}") }),
    })
}

/// The same for one database, when it has been deleted or restored from the trash. An unavailable target does not delay
/// that.
pub async fn note(app: &App, container: Uuid) -> Result<(), StepError> {
    let mut db = app.db.acquire().await?;
    let due = tombstones::due(&mut db, Some(container)).await?;
    drop(db);
    for one in &due {
        if let Err(e) = tell(app, one).await {
            tracing::warn!(container.name = one.name, "The deletion will be recorded in the targets later: {e}");
        }
    }
    Ok(())
}

async fn tell(app: &App, due: &PendingTombstone) -> Result<(), StepError> {
    let instance = app.config.instance.as_str();
    let key = object_keys::tombstone(instance, due.id);
    for store in app.stores.all() {
        match due.deleted_at {
            Some(deleted_at) => {
                let (instance, name) = (instance.to_owned(), due.name.clone());
                let mut mark =
                    Tombstone { schema: SCHEMA, instance, container: due.id, name, deleted_at, signature: None };
                let recovery = recovery_key::signer(&app.config);
                let (content, sealing) = (mark.content(), app.sealer.manifests());
                mark.signature = Some(Signature::of(content.as_bytes(), sealing, recovery.as_ref()));
                let text = serde_json::to_vec_pretty(&mark)
                    .map_err(|e| StepError::Fail(format!("Cannot record a deletion: {e}.")))?;
                store.put(&key, Bytes::from(text), "application/json").await?;
            }
            None => store.delete(&key).await?,
        }
    }
    let mut db = app.db.acquire().await?;
    Ok(tombstones::set(&mut db, due.id, due.deleted_at).await?)
}
