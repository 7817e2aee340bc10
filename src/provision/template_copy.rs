//! Copies a version of a template as the data of a new database.

use secrecy::SecretString;

use crate::admin_db::containers::Container;
use crate::admin_db::templates::versions;
use crate::admin_db::templates::versions::TemplateVersion;
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::quantity::{ByteSize, MIB};
use crate::provision::freeze::CopyCost;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::storage::{DataDir, measured};

/// Free space in bytes that must remain on a tier.
const RESERVE: i64 = 256 * MIB;

/// Copies the version that a new container is made from into its directory, and returns the administrator's password in
/// it. `None` if the container is made from no template.
///
/// # Errors
/// If the version no longer exists, or there is no room for a copy.
pub(super) async fn copy_into(
    w: &StepContext,
    c: &Container,
    b: &Blueprint,
) -> Result<Option<SecretString>, StepError> {
    let Some(id) = c.template_version else { return Ok(None) };
    let app = &w.app;
    let mut db = app.db.acquire().await?;
    let version = versions::by_id(&mut db, id).await?.filter(TemplateVersion::is_usable);
    drop(db);
    let version = version.ok_or_else(|| {
        StepError::Fail(
            "This version of the template no longer exists. Delete this database and create it again.".into(),
        )
    })?;
    let password = admin_password(app, &version)?;
    let from = DataDir::new(&b.tier, &app.config.instance, id);
    let shared = app.files.shares_blocks(&from, &b.dir, &b.reference).await?;
    let bytes = version.bytes.unwrap_or(0);
    CopyCost { bytes, shared, free: measured(b.tier.path.clone()).await?.free }.check(RESERVE)?;
    w.progress(&format!("Copying {} from version {} of the template", ByteSize(bytes), version.number)).await;
    app.files.copy(&from, &b.dir, &b.reference, &b.image.volume).await?;
    Ok(Some(password))
}

/// The administrator's password in the data of a version.
///
/// # Errors
/// [`StepError::Fail`] if it was sealed with another key.
pub(crate) fn admin_password(app: &App, version: &TemplateVersion) -> Result<SecretString, StepError> {
    let sealed = version.sealed.as_deref().unwrap_or_default();
    app.sealer.open(sealed, &TemplateVersion::context(version.id)).map_err(|e| {
        StepError::Fail(format!("The portal's sealing key cannot decrypt the password of this template: {e}."))
    })
}
