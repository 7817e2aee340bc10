//! Level 2: what was stored is read back as far as the engine's own tool wants it, and that tool must know it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::site::Site;
use super::stream;
use crate::admin_db::backups;
use crate::provision::flow::{StepError, Work};

/// Bytes of a dump that are read back, and if those are too few, as where a table of contents has a million entries.
/// That all of it arrived, and how it ends, was seen when it was stored.
const LOOKS: [usize; 2] = [8 * 1024 * 1024, 256 * 1024 * 1024];

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
        let look = async |most: usize| {
            let whole = object.dumped.bytes < most as u64;
            let input = stream::fetch(site.store, &site.key(&object.file), object, Arc::default()).await?;
            let mut exec = site.describes.list(&plan, &object.part());
            exec.env.push(("DB4SCI_WHOLE".to_owned(), if whole { "1" } else { "0" }.into()));
            let passed = AtomicU64::new(0);
            let input = stream::beginning(input, most);
            stream::run(w.app.runtime.as_ref(), &id, &exec, Some(input), &passed).await.map(|_| ())
        };
        let [little, much] = LOOKS;
        let seen = match look(little).await {
            Err(StepError::Fail(_)) if object.dumped.bytes >= little as u64 => look(much).await,
            seen => seen,
        };
        seen.map_err(|e| match e {
            StepError::Fail(why) => StepError::Fail(format!("{} does not read back as a dump: {why}", object.file)),
            other @ StepError::Retry(_) => other,
        })?;
    }
    sealed.remove_container(&w.app).await?;
    w.say(&format!("{} objects are what they should be", manifest.objects.len())).await;
    Ok(())
}
