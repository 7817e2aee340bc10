//! Checks privileges in a server whose accounts were restored with its data: nobody may have more than in the backup,
//! and only the portal may administer the server.

use std::sync::atomic::AtomicU64;

use super::compare::limited;
use super::definitions::{Closeness, differences};
use super::server_handle::ServerHandle;
use crate::app::App;
use crate::backup::pipeline::transfer;
use crate::manifest::Manifest;
use crate::queue::step_error::StepError;

/// Last sentence of such a finding.
const MEANS: &str = "The restored data may come from a compromised server.";

/// Rejects a server in which an account may do more than the owner of its database.
pub async fn nobody_gained(app: &App, server: &ServerHandle<'_>) -> Result<(), StepError> {
    let Some(exec) = server.engine.gained(&server.spec) else { return Ok(()) };
    let said = transfer::run(app.runtime.as_ref(), server.id, &exec, None, &AtomicU64::new(0)).await?;
    refused(said.faults)
}

/// Rejects that, and accounts that differ from the manifest or are not in it. A missing account gives nobody more
/// privileges; it is compared later like everything else.
pub(super) async fn as_before(app: &App, manifest: &Manifest, server: &ServerHandle<'_>) -> Result<(), StepError> {
    nobody_gained(app, server).await?;
    let known = manifest.wanted.as_ref().map_or(&manifest.definitions, |wanted| &wanted.accounts);
    let exec = server.engine.definitions(&server.spec, None);
    let Some(exec) = exec.filter(|_| !known.is_empty()) else { return Ok(()) };
    let split = server.engine.split(&server.spec, None);
    let now = transfer::definitions(app.runtime.as_ref(), server.id, &exec, split).await?;
    let then = known.iter().filter(|then| {
        then.database.is_empty() && now.iter().any(|now| (&now.kind, &now.name) == (&then.kind, &then.name))
    });
    refused(differences(&then.cloned().collect::<Vec<_>>(), &now, Closeness::Text))
}

fn refused(found: Vec<String>) -> Result<(), StepError> {
    if found.is_empty() {
        return Ok(());
    }
    Err(StepError::Fail(format!("{} {MEANS}", limited(found).join(" "))))
}
