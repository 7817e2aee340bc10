//! Keeps mydb_admin running, and the states of the catalog's images current.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::admin_db::switches;
use crate::app::App;
use crate::runtime::RuntimeError;
use crate::runtime::image_states::ImageState;

/// Time between two checks of mydb_admin.
const LOOK: Duration = Duration::from_secs(2);
/// Time between two checks of the images.
const IMAGES: Duration = Duration::from_secs(300);

/// Runs until `stop`. Both checks run independently: a registry that does not respond must not delay the restart of
/// mydb_admin.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let both = async { tokio::join!(keep_images(&app), keep_admin_db(&app)) };
    stop.run_until_cancelled(both).await;
}

async fn keep_images(app: &App) {
    loop {
        refresh(app).await;
        tokio::time::sleep(IMAGES).await;
    }
}

async fn keep_admin_db(app: &App) {
    let mut lost = false;
    loop {
        match look(app).await {
            Ok(banner) => {
                app.set_read_only(banner);
                if lost {
                    tracing::info!("mydb_admin is responding again");
                }
                lost = false;
            }
            Err(e) => {
                if !lost {
                    tracing::error!("mydb_admin is not responding: {e}");
                }
                lost = true;
                if let Err(e) = app.revive_admin_db().await {
                    tracing::warn!("Could not restart mydb_admin: {e:#}");
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn look(app: &App) -> Result<Option<String>, sqlx::Error> {
    let mut db = app.db.acquire().await?;
    switches::read_only(&mut db).await
}

/// Checks every image of the catalog: first which ones are on this host, which is fast, then the registries for the
/// others.
pub async fn refresh(app: &App) {
    let mut absent = Vec::new();
    for image in app.catalog.images() {
        let reference = app.config.image_reference(&image.image);
        match app.runtime.image(&reference).await {
            Ok(Some(found)) => {
                app.images.set(&image.image, ImageState::Present { digest: found.digest, size: found.size });
            }
            Ok(None) => absent.push((image.image.clone(), reference)),
            // The engine is unavailable. That says nothing about the image, and pages show it elsewhere.
            Err(e) => tracing::debug!(image = image.image, "Could not look up an image: {e}"),
        }
    }
    for (image, reference) in absent {
        let state = match app.runtime.pullable(&reference).await {
            Ok(()) => ImageState::Pullable,
            Err(RuntimeError::ImageUnavailable { cause, .. }) => ImageState::Unavailable(format!(
                "{reference} is not on this machine and cannot be pulled from its registry ({})",
                cause.trim().trim_end_matches('.')
            )),
            Err(e) => {
                tracing::debug!(image, "Could not query a registry: {e}");
                continue;
            }
        };
        app.images.set(&image, state);
    }
}
