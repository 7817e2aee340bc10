//! Cleans up targets after failed or cancelled backups.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::backups;
use crate::admin_db::backups::{BackupStatus, open_uploads};
use crate::backup::retention::prune::{KeptBecause, Remover};
use crate::domain::object_keys;
use crate::objects::{ObjectError, Store};

/// Aborts all uploads under a key prefix, and those that were recorded.
pub async fn give_up(store: &Store, place: &str, begun: &[(String, String)]) -> Result<(), ObjectError> {
    let open = match store.uploads(place).await {
        Err(e) if !e.is_transient() => {
            // Some credentials have all permissions but this one.
            tracing::warn!("Could not list open uploads below {place}: {e}");
            Vec::new()
        }
        open => open?,
    };
    for (key, upload) in begun.iter().chain(&open).filter(|(_, upload)| !upload.is_empty()) {
        store.abort(key, upload).await?;
    }
    Ok(())
}

/// Aborts all uploads and deletes all objects under the key prefix of one backup. `begun` are the recorded uploads; the
/// store knows more of them if a portal died between starting one and recording it.
pub async fn clear(store: &Store, location: &str, begun: &[(String, String)]) -> Result<(), ObjectError> {
    let place = format!("{location}/");
    give_up(store, &place, begun).await?;
    for object in store.list(&place).await? {
        store.delete(&object.key).await?;
    }
    Ok(())
}

impl Remover<'_> {
    /// Removes what a failed or cancelled backup left while its target was unavailable.
    ///
    /// # Errors
    /// [`KeptBecause`]; the next run tries again.
    pub async fn clear_failed(&self, db: &mut PgConnection, id: Uuid) -> Result<(), KeptBecause> {
        let ended = |b: &backups::Backup| matches!(b.status, BackupStatus::Failed | BackupStatus::Cancelled);
        let Some(b) = backups::by_id(db, id).await?.filter(ended) else { return Ok(()) };
        let target = b.target.clone().unwrap_or_default();
        let store = self.stores.get(&target).ok_or(KeptBecause::NoTarget(target))?;
        let begun = open_uploads::of_backup(db, id).await?;
        clear(store, &object_keys::backup(&self.config.instance, b.container_id, id), &begun).await?;
        Ok(open_uploads::forget(db, id).await?)
    }
}
