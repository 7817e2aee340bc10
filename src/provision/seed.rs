//! Seeds: data directories that an image initialised once. A new database begins with a copy of one, which takes
//! milliseconds, where the image would need seconds to make the same again.
//!
//! A seed is of one engine, digest of the image and configuration, on one tier. The administrator in it has a password that
//! only the portal knows; it is in force in a copy until the accounts are set ([`super::rotate`]), which gives the
//! administrator its own. Until then nothing in the copy is anybody's, so an attempt that was cut short begins with a new one.

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{container, data_directory};
use crate::admin_db::containers::credentials;
use crate::admin_db::containers::credentials::{Credential, CredentialKind};
use crate::admin_db::seeds;
use crate::admin_db::seeds::Seed;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::catalog::CatalogImage;
use crate::config::Config;
use crate::domain::job_kind::JobKind;
use crate::engine::ServerCert;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::DataDir;

/// Changes when what is made, or how, does: no copy is taken of what an older portal made.
const FORM: &str = "1";

/// What a seed of `image` depends on, where the engine has it by this digest. Passwords, certificates and the limit of
/// memory are not in a seed, so they don't count.
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

/// Seals the password of a seed.
pub(super) fn seal(app: &App, password: &SecretString, context: &str) -> Result<Vec<u8>, StepError> {
    let sealed = app.sealer.seal(password, context);
    sealed.map_err(|e| StepError::Fail(format!("Could not encrypt the password: {e:#}.")))
}

/// The whole seed for what a container is to be on, with the administrator's password in it.
async fn find(app: &App, b: &Blueprint) -> Result<Option<(Seed, SecretString)>, StepError> {
    let Some(image) = app.runtime.image(&b.reference).await? else { return Ok(None) };
    let fingerprint = fingerprint(&app.config, &b.image, &image.digest)?;
    let mut db = app.db.acquire().await?;
    let Some(seed) = seeds::whole(&mut db, &b.tier.name, &fingerprint).await? else { return Ok(None) };
    match app.sealer.open(&seed.sealed, &Seed::context(seed.id)) {
        Ok(password) => Ok(Some((seed, password))),
        Err(e) => {
            seeds::fail(&mut db, seed.id, &format!("The portal's sealing key cannot decrypt its password: {e}."))
                .await?;
            Ok(None)
        }
    }
}

/// Copies a seed into the directory of `b`, and answers the administrator's password in it; `None` where there is none,
/// or it can't be copied: then the image makes the data.
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

/// Makes the data directory of a new database: a copy of a seed, or an empty one that the image fills.
pub async fn prepare(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let c = w.container().await?;
    let b = w.blueprint().await?;
    // One that an attempt before left must not run on what is copied over.
    container::remove(w).await?;
    // Cut short before the password is noted, this step is not done, and copies once more.
    let copied = copy_into(app, &b).await?;
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
    if copied.is_some() {
        w.progress("From prepared data").await;
    }
    Ok(())
}

/// Begins again with a new copy where an attempt was cut short whose administrator may have either password.
pub(super) async fn copy_again(w: &StepContext) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    let begun = credentials::get(&mut db, w.container_id()?, CredentialKind::Seed).await?.is_some();
    drop(db);
    if !begun {
        return Ok(());
    }
    container::remove(w).await?;
    let b = w.blueprint().await?;
    w.app.files.remove(&b.dir, &b.reference).await?;
    prepare(w).await
}

/// Jobs whose data the image makes where there is no seed.
const IMAGE_MAKES: [JobKind; 3] = [JobKind::Create, JobKind::Restore, JobKind::Load];

/// Begins again where the image was making the data and its container ended with the portal: what it left can look made
/// and lack the administrator, for which the next start would wait in vain.
pub(super) async fn initialise_again(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    if c.started_at.is_some() || !w.job.kind().is_some_and(|kind| IMAGE_MAKES.contains(&kind)) {
        return Ok(());
    }
    let mut db = w.app.db.acquire().await?;
    let begun = credentials::get(&mut db, c.id, CredentialKind::Seed).await?.is_some();
    drop(db);
    let found = container::find(&w.app, &c).await?;
    if begun || found.is_some_and(|f| f.running || f.status == "created") {
        return Ok(());
    }
    w.progress("The server ended while its data was being initialised; starting over").await;
    container::remove(w).await?;
    let b = w.blueprint().await?;
    w.app.files.remove(&b.dir, &b.reference).await?;
    prepare(w).await
}

/// Notes that the accounts are set, once all of the copy is on the disk: a server trusts that what it was started on is.
pub async fn settle(w: &StepContext) -> Result<(), StepError> {
    let c = w.container().await?;
    let mut db = w.app.db.acquire().await?;
    if credentials::get(&mut db, c.id, CredentialKind::Seed).await?.is_none() {
        return Ok(());
    }
    let b = w.blueprint().await?;
    w.app.files.sync(&b.dir).await?;
    credentials::take(&mut db, c.id, CredentialKind::Seed).await?;
    w.changed();
    Ok(())
}
