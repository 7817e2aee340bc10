//! Copies of the backups of mydb_admin in the other targets, so that a portal can be rebuilt from any of them.

use bytes::Bytes;

use super::manifest::{self, AdminManifest, FILE, KEYS};
use crate::backup::second;
use crate::domain::names::InstanceId;
use crate::objects::{ObjectError, Store};
use crate::provision::flow::StepError;

/// Most bytes of the small objects.
const SMALL: u64 = 16 * 1024 * 1024;

/// Copies one from one target into another.
///
/// # Errors
/// Either store's; nothing of an unfinished upload is left then.
pub(super) async fn copy(
    instance: &InstanceId,
    from: &Store,
    to: &Store,
    made: &AdminManifest,
) -> Result<(), StepError> {
    let location = manifest::location(instance, made.made_at);
    let key = format!("{location}/{}", made.object.file);
    let upload = to.begin(&key).await?;
    let sent = async {
        let parts = second::pass(from, to, (&key, &upload), &made.object.stored).await?;
        Ok::<_, StepError>(to.complete(&key, &upload, &parts).await?)
    };
    if let Err(e) = sent.await {
        let _ = to.abort(&key, &upload).await;
        return Err(e);
    }
    // The manifest last: without it, it is none.
    for (file, kind) in [(KEYS, "application/octet-stream"), (FILE, "application/json")] {
        match from.read(&format!("{location}/{file}"), SMALL).await {
            Ok(content) => to.put(&format!("{location}/{file}"), Bytes::from(content), kind).await?,
            Err(ObjectError::NotFound { .. }) if file == KEYS => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}
