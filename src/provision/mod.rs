//! Making, starting, stopping and deleting containers: step lists with undo, to be read top to bottom.
//!
//! A request only writes rows ([`request`]); the steps run as jobs.

pub mod blueprint;
pub mod container;
pub mod create;
pub mod edit;
pub mod egress;
pub mod images;
pub mod power;
mod quota;
pub(crate) mod readiness;
pub mod request;
pub mod rollback;
pub mod rotate;
pub mod sealed_server;
pub mod seed;
pub mod seed_builder;
pub mod server;
pub mod swap;

use std::path::Path;

use anyhow::Context;

use crate::domain::names::InstanceId;
use crate::engine::EngineKind;

/// The network of an instance's containers.
pub fn network_name(instance: &InstanceId) -> String {
    format!("{instance}-databases")
}

/// The network of those whose image may reach others (`egress = true` in the catalog).
pub fn open_network_name(instance: &InstanceId) -> String {
    format!("{instance}-databases-open")
}

/// The files of `dbconfig/<engine>/`, by name. Read anew for every container, so that an edit takes effect with the next one.
///
/// # Errors
/// If the directory or a file can't be read.
pub fn config_files(catalog: &Path, engine: EngineKind) -> anyhow::Result<Vec<(String, String)>> {
    let dir = catalog.parent().unwrap_or(Path::new(".")).join(engine.as_str());
    let entries = std::fs::read_dir(&dir).with_context(|| format!("can't read {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if path.is_file() && !name.starts_with('.') && name != "README.md" {
            let text = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
            files.push((name, text));
        }
    }
    files.sort();
    Ok(files)
}
