//! Level 2: reads back as much of the stored data as the engine's own tool needs to recognise it. The upload has already
//! verified that everything arrived, and how the data ends.

use crate::admin_db::backups;
use crate::backup::dump::context::{BackupContext, DumpSource};
use crate::backup::pipeline::peek;
use crate::backup::pipeline::transfer::ObjectSource;
use crate::encryption::Identities;
use crate::manifest::Object;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// Checks a stored object with the engine's own tool in the container `from`.
pub(crate) async fn read_back(
    w: &StepContext,
    site: &BackupContext<'_>,
    from: &DumpSource<'_>,
    object: &Object,
    keys: &Identities,
) -> Result<(), StepError> {
    let key = site.key(&object.file);
    let stored = ObjectSource { store: site.store, key: &key, object, keys, verified: None };
    let exec = site.engine.list(&from.plan, &object.part());
    let done = peek::run(w.app.runtime.as_ref(), &stored, from.id, &exec).await;
    done.map(|_| ()).map_err(|e| {
        if e.may_pass() { e } else { e.with_message(|why| format!("{} is not readable as a dump: {why}", object.file)) }
    })
}

/// Lists every object of the backup with the engine's own tool, in the container of the database or in another one of
/// its image.
pub(crate) async fn list(w: &StepContext) -> Result<(), StepError> {
    let site = BackupContext::of(w).await?;
    let mut db = w.app.db.acquire().await?;
    let manifest = backups::manifest(&mut db, site.row.id).await?;
    drop(db);
    let manifest = manifest.ok_or_else(|| StepError::Fail("The draft of the manifest no longer exists.".to_owned()))?;
    let keys = Identities::of(&w.app.config.backups);
    if !manifest.opens(&keys) {
        // Each object was read back after its upload, with an ephemeral key that has been discarded since.
        w.progress(&format!("{} objects verified during upload", manifest.objects.len())).await;
        return Ok(());
    }
    let sealed = site.sealed(&w.app).await?;
    let (id, plan) = match site.live() {
        Some(id) => (id.to_owned(), site.plan()),
        // The tools may need more memory than a server in use leaves.
        None => (sealed.hold(&w.app, false).await?, sealed.blueprint.plan()),
    };
    let from = DumpSource { id: &id, plan };
    for object in &manifest.objects {
        read_back(w, &site, &from, object, &keys).await?;
    }
    sealed.remove_container(&w.app).await?;
    w.progress(&format!("{} objects verified", manifest.objects.len())).await;
    Ok(())
}
