//! Copies of the backups of mydb_admin in the other targets, so that a portal can be rebuilt from any of them.

use bytes::Bytes;

use crate::backup::retention::cleanup;
use crate::backup::{replicate, sign};
use crate::domain::names::InstanceId;
use crate::manifest::admin;
use crate::manifest::admin::{AdminManifest, FILE, KEYS};
use crate::objects::{ObjectError, Store};
use crate::queue::step_error::StepError;
use crate::secrets::{Sealer, Signer};

/// Copies one from one target into another: the dump as it lies in the first, compared with the manifest on its way, and
/// the small objects as they were written there.
///
/// # Errors
/// Either store's; nothing of an unfinished upload is left then.
pub(super) async fn copy(
    instance: &InstanceId,
    from: &Store,
    to: &Store,
    (made, small, signers): (&AdminManifest, &SmallObjects, &Signers),
) -> Result<(), StepError> {
    replicate::elsewhere(instance, from, to).await?;
    // What an earlier one had begun when its portal was killed.
    cleanup::give_up(to, &admin::beginning(instance), &[]).await?;
    let location = admin::location(instance, made.made_at);
    let key = format!("{location}/{}", made.object.file);
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
        to.put(&format!("{location}/{KEYS}"), keys.clone(), "application/octet-stream").await?;
    }
    // The manifest last: without it, it is none.
    Ok(signers.put(to, &location, &small.manifest).await?)
}

/// The small objects of a backup, as they were written.
pub(crate) struct SmallObjects {
    /// The manifest.
    pub(crate) manifest: Bytes,
    /// The keys, encrypted to the recovery key.
    pub(crate) keys: Option<Bytes>,
}

/// Whose signatures a manifest gets.
pub(crate) struct Signers {
    /// The sealing key's.
    pub(crate) sealing: Sealer,
    /// The recovery key's, where one is registered.
    pub(crate) recovery: Option<Signer>,
}

impl Signers {
    /// Signs a manifest below `location`, and writes it: its existence is what makes a backup of the rest.
    pub(crate) async fn put(&self, store: &Store, location: &str, manifest: &Bytes) -> Result<(), ObjectError> {
        sign::put(store, location, manifest, self.sealing.manifests(), self.recovery.as_ref()).await?;
        store.put(&format!("{location}/{FILE}"), manifest.clone(), "application/json").await
    }
}
