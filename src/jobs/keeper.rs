//! Keeps what this portal itself needs: mydb_admin answering, and the images' states fresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::admin_db::settings;
use crate::app::App;
use crate::provision::images;

/// Time between looks at mydb_admin.
const LOOK: Duration = Duration::from_secs(2);
/// Time between looks at the images.
const IMAGES: Duration = Duration::from_secs(300);

/// Looks until `stop`.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut lost = false;
    let mut images_at: Option<Instant> = None;
    loop {
        if images_at.is_none_or(|at| at.elapsed() > IMAGES) {
            images::refresh(&app).await;
            images_at = Some(Instant::now());
        }
        match look(&app).await {
            Ok(banner) => {
                app.set_read_only(banner);
                if lost {
                    tracing::info!("mydb_admin answers again");
                }
                lost = false;
            }
            Err(e) => {
                if !lost {
                    tracing::error!("mydb_admin does not answer: {e}");
                }
                lost = true;
                if let Err(e) = app.revive_admin_db().await {
                    tracing::warn!("mydb_admin could not be started again: {e:#}");
                }
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn look(app: &App) -> Result<Option<String>, sqlx::Error> {
    let mut db = app.db.acquire().await?;
    settings::read_only(&mut db).await
}
