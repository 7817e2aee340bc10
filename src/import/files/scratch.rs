//! Hidden directories beside the data directories, for what must be complete in files before it can be loaded: objects of
//! backup targets, and the files of a dump that consists of several.

use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::config::{Config, Tier};

/// Prefix of their names. The reconciler ignores names that begin with a dot.
const BEGINNING: &str = ".dump-";

/// The directory for the dump with this id. It may not exist.
pub fn dir(config: &Config, tier: &Tier, id: Uuid) -> PathBuf {
    tier.path.join(config.instance.as_str()).join(format!("{BEGINNING}{id}"))
}

/// Creates it, empty.
///
/// # Errors
/// If that is not possible.
pub async fn begin(config: &Config, tier: &Tier, id: Uuid) -> std::io::Result<PathBuf> {
    remove(config, tier, id).await?;
    let dir = dir(config, tier, id);
    tokio::fs::create_dir_all(&dir).await?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tokio::fs::set_permissions(&dir, private).await?;
    Ok(dir)
}

/// Removes it; it may already be gone.
///
/// # Errors
/// If that is not possible.
pub async fn remove(config: &Config, tier: &Tier, id: Uuid) -> std::io::Result<()> {
    match tokio::fs::remove_dir_all(dir(config, tier, id)).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Removes those that were abandoned for this long: of loads that nobody tried again after the portal had been killed.
pub fn sweep(config: &Config, needed: &[Uuid], age: Duration) {
    for tier in &config.storage {
        let Ok(entries) = std::fs::read_dir(tier.path.join(config.instance.as_str())) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(id) = name.strip_prefix(BEGINNING).and_then(|id| id.parse::<Uuid>().ok()) else { continue };
            let touched = entry.metadata().and_then(|about| about.modified()).ok();
            let old = touched.and_then(|at| at.elapsed().ok()).is_some_and(|since| since > age);
            if old && !needed.contains(&id) {
                tracing::info!(directory = %entry.path().display(), "Removed the files of an abandoned load");
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    }
}
