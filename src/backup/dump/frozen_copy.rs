//! Dumps a copy of the data. The database is frozen while its directory is copied, which takes almost no time if the
//! file system shares blocks. A sealed server on the copy recovers it, is counted, and is dumped while running or
//! stopped.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use secrecy::ExposeSecret;

use crate::backup::dump::context::{BackupContext, DumpSource};
use crate::backup::dump::store_parts;
use crate::backup::pipeline::transfer;
use crate::domain::password::Password;
use crate::domain::quantity::{ByteSize, MIB};
use crate::engine::part::DumpMode;
use crate::manifest::{COPY, Manifest};
use crate::provision::exec::run_all;
use crate::provision::sealed_server::SealedServer;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::measured;

/// Free space in bytes that must remain on a tier besides the copy.
const RESERVE: i64 = 512 * MIB;

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
            for database in &inventory.databases {
                let exec = site.engine.count(&from.plan, database, manifest.fingerprints);
                let said = transfer::run(app.runtime.as_ref(), &id, &exec, None, &AtomicU64::new(0)).await?;
                manifest.counts.extend(said.counts);
            }
            for database in std::iter::once(None).chain(inventory.databases.iter().map(|name| Some(name.as_str()))) {
                if let Some(exec) = site.engine.definitions(&from.plan, database) {
                    let split = site.engine.split(&from.plan, database);
                    let told = transfer::definitions(app.runtime.as_ref(), &id, &exec, split).await?;
                    manifest.definitions.extend(told);
                }
            }
            // The copy contains the administrator's account. To keep its current password secret, the copy gets a
            // password of its own, with which the restored server is administered.
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

/// Copies the data while a running server is paused. Returns a sentence that says for how long.
async fn freeze(w: &StepContext, site: &BackupContext<'_>, sealed: &SealedServer) -> Result<String, StepError> {
    let app = &w.app;
    let (from, to, image) = (&site.blueprint.dir, &sealed.blueprint.dir, &sealed.blueprint.reference);
    let volume = &site.blueprint.image.volume;
    if from.base != to.base {
        return Err(StepError::Fail(
            "The database's storage tier is unavailable, so its data cannot be copied.".to_owned(),
        ));
    }
    let shares = app.files.shares_blocks(from, to, image).await?;
    let bytes = app.files.usage(from, image).await?;
    let has = measured(site.blueprint.tier.path.clone()).await?;
    let needed = if shares { RESERVE } else { bytes.saturating_add(RESERVE) };
    if has.free < needed {
        return Err(StepError::Fail(format!(
            "Not enough disk space for the copy to dump: {} free, {} needed.",
            ByteSize(has.free),
            ByteSize(needed)
        )));
    }
    let Some(id) = &site.running else {
        app.files.copy(from, to, image, volume).await?;
        return Ok("The database was stopped; dumped from a copy of its data.".to_owned());
    };
    w.progress(&format!("Pausing the database to copy {}", ByteSize(bytes))).await;
    let begin = Instant::now();
    app.runtime.pause(id).await?;
    let copied = app.files.copy(from, to, image, volume).await;
    // Unpaused whether the copy succeeded or not.
    app.runtime.unpause(id).await?;
    let frozen = begin.elapsed().as_millis();
    copied?;
    Ok(format!("The database was paused for {frozen} ms while {} were copied.", ByteSize(bytes)))
}
