//! The initial data of a new server: that of a server started in advance, a copy of a template or of a seed, or an empty
//! directory that the image initialises.

use std::time::Duration;

use super::{container, data_directory, rotate_password, seed, template_copy};
use crate::admin_db::containers::credentials;
use crate::admin_db::containers::credentials::{Credential, CredentialKind};
use crate::domain::job_kind::JobKind;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// Timeout for setting up the accounts in a server that was started in advance.
const SPARE_LIMIT: Duration = Duration::from_secs(10);

/// Prepares the data directory of a new database: a copy of a seed, or an empty one that the image initialises.
pub async fn prepare(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let c = w.container().await?;
    let b = w.blueprint().await?;
    if from_spare(w).await? {
        w.progress("From a server that was started in advance").await;
        return Ok(());
    }
    // A container of an earlier attempt must not run on the data that is copied.
    container::remove(w).await?;
    // If this step is interrupted before the password is recorded, it is not done and copies again.
    let copied = match template_copy::copy_into(w, &c, &b).await? {
        Some(password) => Some(password),
        None => seed::copy_into(app, &b).await?,
    };
    let mut db = app.db.acquire().await?;
    credentials::take(&mut db, c.id, CredentialKind::Seed).await?;
    if let Some(password) = &copied {
        let sealed = seed::seal(app, password, &CredentialKind::Seed.context(c.id))?;
        let username = c.engine.engine().admin_user().to_owned();
        let credential = Credential { username, sealed, generated: true };
        credentials::insert(&mut db, c.id, CredentialKind::Seed, &credential, app.clock.now()).await?;
    }
    drop(db);
    w.changed();
    data_directory::prepare(app, &b).await?;
    if c.template_version.is_none() {
        let how = if copied.is_some() { "From prepared data" } else { "The image will initialise the data" };
        w.progress(how).await;
    }
    Ok(())
}

/// Resumes the server that was started in advance for this database, if there is one, and sets up the accounts in it at
/// once: that takes a single command, after which the owner can sign in, and proves that the server works. If it does not,
/// the database starts with another copy of the seed.
async fn from_spare(w: &StepContext) -> Result<bool, StepError> {
    let (app, c) = (&w.app, w.container().await?);
    let found = container::find(app, &c).await?.filter(|found| found.status == "paused");
    let Some(found) = found.filter(|found| c.docker_id.as_deref() == Some(&found.id)) else { return Ok(false) };
    app.runtime.unpause(&found.id).await?;
    let set_up = tokio::time::timeout(SPARE_LIMIT, rotate_password::set(w));
    let why = match set_up.await {
        Ok(Ok(())) => {
            w.note_accounts(&found);
            if let Some(version) = &c.server_version {
                w.note_answer(&found, version);
            }
            return Ok(true);
        }
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("It did not respond within {} s.", SPARE_LIMIT.as_secs()),
    };
    tracing::warn!(container.name = c.name, "The server started in advance does not work: {why}");
    Ok(false)
}

/// Jobs in which the image initialises the data if there is no seed.
const IMAGE_MAKES: [JobKind; 3] = [JobKind::Create, JobKind::Restore, JobKind::Load];

/// Starts over if an attempt was interrupted whose data cannot be trusted: a copy of a seed whose administrator may have
/// either password or, if the accounts are not set up yet (`initialising`), data that the image was initialising.
pub(super) async fn complete(w: &StepContext, initialising: bool) -> Result<(), StepError> {
    if !seed::is_copy(w).await? {
        if !(initialising && was_initialising(w).await?) {
            return Ok(());
        }
        w.progress("The server ended while its data was being initialised; starting over").await;
    }
    container::remove(w).await?;
    let b = w.blueprint().await?;
    w.app.files.remove(&b.dir, &b.reference).await?;
    prepare(w).await
}

/// Whether the image was initialising the data when its container ended with the portal. What it left can look complete
/// but lack the administrator, for which the next start would wait in vain.
async fn was_initialising(w: &StepContext) -> Result<bool, StepError> {
    let c = w.container().await?;
    if c.started_at.is_some() || !w.job.kind().is_some_and(|kind| IMAGE_MAKES.contains(&kind)) {
        return Ok(false);
    }
    let found = container::find(&w.app, &c).await?;
    Ok(!found.is_some_and(|f| f.running || f.status == "created"))
}
