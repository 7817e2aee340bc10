//! Level 2: what was stored is read back as far as the engine's own tool wants it, and that tool must know it. That all of
//! it arrived, and how it ends, was seen when it was stored.

use super::head;
use super::site::Site;
use crate::admin_db::backups;
use crate::provision::flow::{StepError, Work};

/// Lists every object of the backup with the engine's own tool, in the database's container or another of its image.
///
/// # Errors
/// If one is not what its dump was.
pub(super) async fn list(w: &Work) -> Result<(), StepError> {
    let site = Site::of(w).await?;
    let mut db = w.app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, site.row.id).await?;
    drop(db);
    let manifest = manifest.ok_or_else(|| StepError::Fail("The draft of the manifest is gone.".to_owned()))?;
    let sealed = site.sealed(&w.app).await?;
    let (id, plan) = match site.live() {
        Some(id) => (id.to_owned(), site.plan()),
        // Its tools may need more memory than a server that is in use leaves.
        None => (sealed.hold(&w.app, false).await?, sealed.blueprint.plan()),
    };
    for object in &manifest.objects {
        let exec = site.describes.list(&plan, &object.part());
        let key = site.key(&object.file);
        let seen = head::run(w.app.runtime.as_ref(), (site.store, &key, object), &id, &exec).await;
        seen.map_err(|e| match e {
            StepError::Fail(why) => StepError::Fail(format!("{} does not read back as a dump: {why}", object.file)),
            other @ StepError::Retry(_) => other,
        })?;
    }
    sealed.remove_container(&w.app).await?;
    w.say(&format!("{} objects are what they should be", manifest.objects.len())).await;
    Ok(())
}
