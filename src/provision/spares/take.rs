//! Takes a spare for a new database, in the transaction that writes its rows.

use sqlx::PgConnection;

use super::fingerprint;
use crate::admin_db::spares;
use crate::admin_db::spares::{Spare, SpareWish};
use crate::app::App;
use crate::catalog::CatalogImage;
use crate::domain::quantity::{ByteSize, MilliCpus};

/// A spare of this image on a tier with these limits, locked until the transaction ends; `None` if there is none.
pub(crate) async fn find(
    app: &App,
    tx: &mut PgConnection,
    (image, tier): (&CatalogImage, &str),
    (memory, cpus): (ByteSize, MilliCpus),
) -> Result<Option<Spare>, sqlx::Error> {
    if app.config.databases.spares.is_empty() {
        return Ok(None);
    }
    let Some(digest) = app.images.digest(&image.image) else { return Ok(None) };
    // A configuration file that cannot be read is reported by the job.
    let Ok(fingerprint) = fingerprint(&app.config, image, &digest) else { return Ok(None) };
    let wish = SpareWish {
        image: &image.image,
        tier,
        digest: &digest,
        fingerprint: &fingerprint,
        memory_bytes: memory.0,
        millicpus: cpus.0,
    };
    spares::lock(tx, &wish).await
}
