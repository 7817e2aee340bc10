//! Dumps a copy of the data. The database is frozen while its directory is copied, which takes almost no time if the
//! file system shares blocks. A sealed server on the copy recovers it, is counted, and is dumped while running or
//! stopped.

use std::sync::atomic::AtomicU64;

use secrecy::ExposeSecret;

use crate::backup::dump::context::{BackupContext, DumpSource};
use crate::backup::dump::store_parts;
use crate::backup::pipeline::transfer;
use crate::domain::password::Password;
use crate::domain::quantity::ByteSize;
use crate::engine::part::DumpMode;
use crate::manifest::{COPY, Manifest};
use crate::provision::exec::run_all;
use crate::provision::freeze;
use crate::provision::freeze::CopyCost;
use crate::provision::sealed_server::SealedServer;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// Makes the copy and dumps it. If this fails, the cleanup of the backup removes the copy.
///
/// # Errors
/// If there is no room for the copy, its server cannot recover it, or it cannot be dumped.
pub(crate) async fn dump(w: &StepContext, site: &BackupContext<'_>) -> Result<Manifest, StepError> {
    let app = &w.app;
    let sealed = site.sealed(app).await?;
    let how = freeze(w, site, &sealed).await?;
    w.progress(&format!("{how} Starting an isolated server on the copy.")).await;
    let id = sealed.launch(app).await?;
    let from = DumpSource { id: &id, plan: sealed.blueprint.plan() };
    let inventory = store_parts::look(app, site.engine, &from).await?;
    let mut manifest = site.draft(app, &inventory)?;
    COPY.clone_into(&mut manifest.source);
    manifest.notes.push(how);
    match site.engine.dump_mode() {
        DumpMode::Running => store_parts::all(w, site, &from, &inventory, &mut manifest).await?,
        DumpMode::Stopped => {
            w.progress("Counting what is in the copy").await;
            let databases: Vec<&str> = inventory.databases.iter().map(String::as_str).collect();
            for exec in site.engine.count_all(&from.plan, &databases, manifest.fingerprints) {
                let said = transfer::run(app.runtime.as_ref(), &id, &exec, None, &AtomicU64::new(0)).await?;
                manifest.counts.extend(said.counts);
            }
            let all: Vec<_> = std::iter::once(None).chain(databases.into_iter().map(Some)).collect();
            for command in site.engine.definitions_all(&from.plan, &all) {
                let told = transfer::definitions(app.runtime.as_ref(), &id, &command.exec, command.split).await?;
                manifest.definitions.extend(told);
            }
            // The copy contains the administrator's account. To keep its current password secret, the copy gets a
            // separate password, with which the restored server is administered.
            let once = Password::generate(&app.random);
            let adopt = site.engine.adopt(&from.plan, once.secret());
            run_all(app, &id, adopt.as_slice()).await?;
            sealed.stop(app).await?;
            let id = sealed.hold(app, true).await?;
            let from = DumpSource { id: &id, plan: sealed.blueprint.plan() };
            store_parts::all(w, site, &from, &inventory, &mut manifest).await?;
            match &site.seal {
                None => manifest.admin_password = Some(once.secret().expose_secret().to_owned()),
                Some(seal) => {
                    manifest.sealed_admin_password = Some(seal.text(once.secret()).map_err(StepError::Fail)?);
                }
            }
        }
    }
    sealed.remove(app).await?;
    Ok(manifest)
}

/// Copies the data. Returns a sentence that says for how long the database was paused.
async fn freeze(w: &StepContext, site: &BackupContext<'_>, sealed: &SealedServer) -> Result<String, StepError> {
    let (from, to) = (&site.blueprint, &sealed.blueprint.dir);
    let cost = CopyCost::of(&w.app, from, to).await?;
    let copy = freeze::copy(w, from, to, site.running.as_deref(), cost).await?;
    Ok(match copy.paused_ms {
        None => "The database was stopped; dumped from a copy of its data.".to_owned(),
        Some(ms) => format!("The database was paused for {ms} ms to copy its data ({}).", ByteSize(copy.bytes)),
    })
}
