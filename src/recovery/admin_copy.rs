//! Copies of the backups of mydb_admin in the other targets, so that a portal can be rebuilt from any of them.

use bytes::Bytes;

use super::admin_backup::remove;
use super::keep;
use super::manifest::{self, AdminManifest, FILE, KEYS};
use crate::app::App;
use crate::backup::second;
use crate::objects::{ObjectError, Store};
use crate::provision::flow::StepError;

/// Most bytes of the small objects.
const SMALL: u64 = 16 * 1024 * 1024;

/// Copies one into every target that gets copies, and removes there what is not kept.
///
/// # Errors
/// The first one's that fails, when all were tried.
pub(super) async fn copy(app: &App, from: &Store, made: &AdminManifest) -> anyhow::Result<usize> {
    let (mut copied, mut failed) = (0, None);
    for name in &app.config.backups.copies {
        let Some(to) = app.stores.get(name) else { continue };
        match into(app, from, to, made).await {
            Ok(()) => copied += 1,
            Err(e) => failed = failed.or(Some(anyhow::anyhow!("no copy in the target “{name}” could be made: {e}"))),
        }
    }
    failed.map_or(Ok(copied), Err)
}

async fn into(app: &App, from: &Store, to: &Store, made: &AdminManifest) -> Result<(), StepError> {
    let location = manifest::location(&app.config.instance, made.made_at);
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
    let there = manifest::list(to, &app.config.instance).await?;
    for location in keep::goes(&there, app.clock.now()) {
        remove(to, &location).await?;
    }
    Ok(())
}
