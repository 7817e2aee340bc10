//! Seeds: data directories that an image initialised once. A new database starts with a copy of one, which takes
//! milliseconds, whereas the image would need seconds to create the same data again.
//!
//! A seed belongs to an engine, a digest of the image, a configuration and a tier. Its administrator has a password
//! that only the portal knows. It remains valid in a copy until the accounts are set up ([`super::rotate_password`]), which
//! gives the administrator of the copy its own password. Until then the copy contains nothing of anyone's, so an
//! interrupted attempt starts over with another copy.

use std::time::Duration;

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{container, data_directory, template_copy};
use crate::admin_db::containers::credentials;
use crate::admin_db::containers::credentials::{Credential, CredentialKind};
use crate::admin_db::seeds::Seed;
use crate::admin_db::{image_tools, seeds};
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::catalog::CatalogImage;
use crate::config::{Config, Tier};
use crate::domain::job_kind::JobKind;
use crate::engine::ServerCert;
use crate::provision::exec::ask;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::DataDir;

/// Timeout for the first answer of a server that was started in advance.
const SPARE_ANSWERS: Duration = Duration::from_secs(10);

/// Changed whenever seeds are made differently, so that seeds of older portals are not copied.
const FORM: &str = "1";

/// Everything a seed of `image` with this digest depends on. Passwords, certificates and the memory limit are not part
/// of a seed, so they are not included.
pub fn fingerprint(config: &Config, image: &CatalogImage, digest: &str) -> Result<String, StepError> {
    let tier = config.storage.first().ok_or_else(|| StepError::Fail("No storage tier is configured.".to_owned()))?;
    let any = Blueprint::of_seed(config, image, tier, Uuid::nil(), SecretString::default())?;
    let files = crate::catalog::config_files(&config.catalog, image.engine)
        .map_err(|e| StepError::Fail(format!("Cannot read the configuration files: {e:#}.")))?;
    let none = ServerCert { cert: String::new(), key: SecretString::default(), authority: String::new() };
    let recipe = image.engine.engine().recipe(&any.plan(), &files, &none);
    let place = (image.engine.as_str(), digest, &image.volume, &image.data, image.uid, image.gid);
    let all = format!("{FORM} {place:?} {:?} {:?} {files:?}", recipe.env, recipe.cmd);
    Ok(hex::encode(Sha256::digest(all)))
}

/// Encrypts the password of a seed.
pub(crate) fn seal(app: &App, password: &SecretString, context: &str) -> Result<Vec<u8>, StepError> {
    let sealed = app.sealer.seal(password, context);
    sealed.map_err(|e| StepError::Fail(format!("Could not encrypt the password: {e:#}.")))
}

/// The complete seed for a container, with the administrator's password in it.
async fn find(app: &App, b: &Blueprint) -> Result<Option<(Seed, SecretString)>, StepError> {
    let Some(image) = app.runtime.image(&b.reference).await? else { return Ok(None) };
    of(app, &b.image, &b.tier, &image.digest).await
}

/// The administrator's password in the seed of an image on a tier; `None` if there is no complete seed.
pub(super) async fn password_of(
    app: &App,
    image: &CatalogImage,
    tier: &Tier,
    digest: &str,
) -> Result<Option<SecretString>, StepError> {
    Ok(of(app, image, tier, digest).await?.map(|(_, password)| password))
}

async fn of(
    app: &App,
    image: &CatalogImage,
    tier: &Tier,
    digest: &str,
) -> Result<Option<(Seed, SecretString)>, StepError> {
    let fingerprint = fingerprint(&app.config, image, digest)?;
    let mut db = app.db.acquire().await?;
    let Some(seed) = seeds::whole(&mut db, &tier.name, &fingerprint).await? else { return Ok(None) };
    match app.sealer.open(&seed.sealed, &Seed::context(seed.id)) {
        Ok(password) => Ok(Some((seed, password))),
        Err(e) => {
            seeds::fail(&mut db, seed.id, &format!("The portal's sealing key cannot decrypt its password: {e}."))
                .await?;
            Ok(None)
        }
    }
}

/// Copies a seed into the directory of `b` and returns the administrator's password in it. Returns `None` if there is
/// no seed or it cannot be copied; the image then initialises the data.
pub async fn copy_into(app: &App, b: &Blueprint) -> Result<Option<SecretString>, StepError> {
    let Some((seed, password)) = find(app, b).await? else { return Ok(None) };
    let from = DataDir::new(&b.tier, &app.config.instance, seed.id);
    if let Err(e) = app.files.copy(&from, &b.dir, &b.reference, &b.image.volume).await {
        tracing::warn!(image = seed.image, tier = seed.tier, "Could not copy prepared data: {e}");
        let mut db = app.db.acquire().await?;
        seeds::fail(&mut db, seed.id, &format!("Could not copy it: {e}")).await?;
        drop(db);
        app.files.remove(&b.dir, &b.reference).await?;
        return Ok(None);
    }
    Ok(Some(password))
}

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
        None => copy_into(app, &b).await?,
    };
    let mut db = app.db.acquire().await?;
    credentials::take(&mut db, c.id, CredentialKind::Seed).await?;
    if let Some(password) = &copied {
        let sealed = seal(app, password, &CredentialKind::Seed.context(c.id))?;
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

/// Resumes the server that was started in advance for this database, if there is one, and checks that it works. Otherwise
/// the database starts with another copy of the seed.
async fn from_spare(w: &StepContext) -> Result<bool, StepError> {
    let (app, c) = (&w.app, w.container().await?);
    let found = container::find(app, &c).await?.filter(|found| found.status == "paused");
    let Some(found) = found.filter(|found| c.docker_id.as_deref() == Some(&found.id)) else { return Ok(false) };
    app.runtime.unpause(&found.id).await?;
    let b = w.blueprint().await?;
    let why = match ask(app, &found.id, &c.engine.engine().probe(&b.plan()), SPARE_ANSWERS).await {
        Ok(said) if said.code == 0 => {
            let mut db = app.db.acquire().await?;
            let digest = c.image_digest.as_deref().unwrap_or_default();
            // Otherwise the next steps wait for another answer, and look up the programs in the image.
            if image_tools::get(&mut db, digest).await?.is_some() {
                w.note_answer(&found, said.stdout.trim());
            }
            return Ok(true);
        }
        Ok(said) => said.stderr,
        Err(e) => e.to_string(),
    };
    tracing::warn!(container.name = c.name, "The server started in advance does not respond: {}", why.trim());
    Ok(false)
}

/// Jobs in which the image initialises the data if there is no seed.
const IMAGE_MAKES: [JobKind; 3] = [JobKind::Create, JobKind::Restore, JobKind::Load];

/// Starts over if an attempt was interrupted whose data cannot be trusted: a copy of a seed whose administrator may have
/// either password or, if the accounts are not set up yet (`initialising`), data that the image was initialising.
pub(super) async fn complete(w: &StepContext, initialising: bool) -> Result<(), StepError> {
    if !is_copy(w).await? {
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

/// Whether the data is a copy of a seed whose accounts are not set up yet.
async fn is_copy(w: &StepContext) -> Result<bool, StepError> {
    let mut db = w.app.db.acquire().await?;
    Ok(credentials::get(&mut db, w.container_id()?, CredentialKind::Seed).await?.is_some())
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

/// Records that the accounts are set up, after the whole copy has been written to disk: a server assumes that the data
/// it was started on is there.
pub async fn settle(w: &StepContext) -> Result<(), StepError> {
    if !is_copy(w).await? {
        return Ok(());
    }
    w.app.files.sync(&w.blueprint().await?.dir).await?;
    let mut db = w.app.db.acquire().await?;
    credentials::take(&mut db, w.container_id()?, CredentialKind::Seed).await?;
    w.changed();
    Ok(())
}
