//! Copies backups of mydb_admin to the other targets, so that a portal can be rebuilt from any of them.

use bytes::Bytes;

use crate::backup::retention::cleanup;
use crate::backup::{replicate, sign};
use crate::domain::names::InstanceId;
use crate::domain::object_keys;
use crate::manifest::admin::{AdminManifest, FILE, KEYS};
use crate::objects::{ObjectError, Store};
use crate::queue::step_error::StepError;
use crate::secrets::{Sealer, Signer};

/// Copies a backup from one target to another: the dump as stored in the first, compared with the manifest during the
/// transfer, and the small objects as they were written there.
///
/// # Errors
/// Errors of either store. Unfinished uploads are removed.
pub(super) async fn copy(
    instance: &InstanceId,
    from: &Store,
    to: &Store,
    (made, small, signers): (&AdminManifest, &SmallObjects, &Signers),
) -> Result<(), StepError> {
    replicate::elsewhere(instance, from, to).await?;
    // Removes what an earlier attempt had begun when its portal was killed.
    cleanup::give_up(to, &object_keys::of_admin_backups(instance), &[]).await?;
    let location = object_keys::admin_backup(instance, made.made_at);
    let key = object_keys::file(&location, &made.object.file);
    let upload = to.begin(&key).await?;
    let sent = async {
        let parts = replicate::pass(from, to, (&key, &upload), &made.object.stored).await?;
        Ok::<_, StepError>(to.complete(&key, &upload, (&parts, made.object.stored.bytes)).await?)
    };
    if let Err(e) = sent.await {
        let _ = to.abort(&key, &upload).await;
        return Err(e);
    }
    if let Some(keys) = &small.keys {
        to.put(&object_keys::file(&location, KEYS), keys.clone(), "application/octet-stream").await?;
    }
    // The manifest is written last: without it, the backup does not exist.
    Ok(signers.put(to, &location, &small.manifest).await?)
}

/// The small objects of a backup, as written to the first target.
pub(crate) struct SmallObjects {
    /// The manifest.
    pub(crate) manifest: Bytes,
    /// The keys, encrypted for the recovery key.
    pub(crate) keys: Option<Bytes>,
}

/// The keys that sign a manifest.
pub(crate) struct Signers {
    /// The sealing key.
    pub(crate) sealing: Sealer,
    /// The recovery key, if one is registered.
    pub(crate) recovery: Option<Signer>,
}

impl Signers {
    /// Signs a manifest and writes both below `location`. Only the manifest turns the other objects into a backup.
    pub(crate) async fn put(&self, store: &Store, location: &str, manifest: &Bytes) -> Result<(), ObjectError> {
        sign::put(store, location, manifest, self.sealing.manifests(), self.recovery.as_ref()).await?;
        store.put(&object_keys::file(location, FILE), manifest.clone(), "application/json").await
    }
}
