//! Level 2: what was stored is read back as far as the engine's own tool wants it, and that tool must know it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::dump::Site;
use super::stream;
use crate::admin_db::backups;
use crate::provision::flow::{StepError, Work};

/// Most bytes of a dump that are read back: a table of contents of a million entries fits.
const LOOK: usize = 256 * 1024 * 1024;

/// Lists every object of the backup with the engine's own tool, in the database's container.
///
/// # Errors
/// If one is not what its dump was.
pub(super) async fn list(w: &Work) -> Result<(), StepError> {
    let site = Site::of(w).await?;
    let mut db = w.app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, site.row.id).await?;
    drop(db);
    let manifest = manifest.ok_or_else(|| StepError::Fail("The draft of the manifest is gone.".to_owned()))?;
    for object in &manifest.objects {
        let input =
            stream::beginning(stream::fetch(site.store, &site.key(&object.file), object, Arc::default()).await?, LOOK);
        let exec = site.describes.list(&site.plan(), &object.part());
        let passed = AtomicU64::new(0);
        stream::run(w.app.runtime.as_ref(), &site.docker_id, &exec, Some(input), &passed).await.map_err(
            |e| match e {
                StepError::Fail(why) => StepError::Fail(format!("{} does not read back as a dump: {why}", object.file)),
                other @ StepError::Retry(_) => other,
            },
        )?;
    }
    w.say(&format!("{} objects are what they should be", manifest.objects.len())).await;
    Ok(())
}
