//! Seeds: data directories that an image initialised once. A new database starts with a copy of one, which takes
//! milliseconds, whereas the image would need seconds to create the same data again.
//!
//! A seed belongs to an engine, a digest of the image, a configuration and a tier. Its administrator has a password
//! that only the portal knows. It remains valid in a copy until the accounts are set up ([`super::rotate_password`]), which
//! gives the administrator of the copy its own password. Until then the copy contains nobody's data, so an
//! interrupted attempt starts over with another copy.

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::admin_db::containers::credentials;
use crate::admin_db::containers::credentials::CredentialKind;
use crate::admin_db::seeds;
use crate::admin_db::seeds::Seed;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::catalog::CatalogImage;
use crate::config::{Config, Tier};
use crate::engine::ServerCert;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::DataDir;

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

/// Whether the data is a copy of a seed whose accounts are not set up yet.
pub(super) async fn is_copy(w: &StepContext) -> Result<bool, StepError> {
    let mut db = w.app.db.acquire().await?;
    Ok(credentials::get(&mut db, w.container_id()?, CredentialKind::Seed).await?.is_some())
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
