//! The backups of mydb_admin on `/admin/backups`.

use axum::response::Response;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::admin_db::backups::admin_backups;
use crate::admin_db::backups::admin_backups::AdminBackup;
use crate::admin_db::backups::schedule;
use crate::app::App;
use crate::domain::duration::duration_text;
use crate::queue::enqueue::enqueue_portal;
use crate::queue::refusal::RequestError;
use crate::recovery::admin_backup::BACK_UP;
use crate::recovery_key;
use crate::web::context::{Context, to};
use crate::web::error::AppError;
use crate::web::pages::admin::facts::error_of;
use crate::web::urls;
use crate::web::views::admin::backups::{OwnBackups, OwnRow};
use crate::web::views::{Flash, Moment, Size};

/// Maximum number of them on the page.
const MOST: i64 = 5;
/// Name of the scheduled task that makes them.
const WORK: &str = "admin backup";

/// The section of the page that lists them.
pub(crate) async fn section(app: &App, db: &mut PgConnection, now: DateTime<Utc>) -> Result<OwnBackups, sqlx::Error> {
    let every = app.config.backups.admin_every;
    let found = admin_backups::newest(db, MOST).await?;
    let work = schedule::list(db).await?.into_iter().find(|w| w.name == WORK);
    let mut trouble = Vec::new();
    if let Some(error) = work.as_ref().and_then(error_of) {
        trouble.push(format!("The last attempt failed: {error}"));
    }
    match recovery_key::recipient(&app.config) {
        Ok(Some(_)) => {}
        Ok(None) => trouble.push(
            "There is no recovery key, so no backup contains the keys that decrypt its secrets. Create one with \
             “db4sci recovery-key” and store it away from this host."
                .to_owned(),
        ),
        Err(e) => trouble.push(format!("The public part of the recovery key is unusable: {e:#}.")),
    }
    let row = |s: &AdminBackup| OwnRow {
        made: Moment::new(s.made_at, now),
        location: s.location.clone(),
        target: s.target.clone(),
        size: Size::new(u64::try_from(s.bytes).unwrap_or(0)),
        keys: s.keys,
    };
    let milliseconds = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
    Ok(OwnBackups {
        every: (!every.is_zero()).then(|| duration_text(milliseconds)),
        next: work.filter(|_| !every.is_zero()).map(|w| Moment::new(w.next_run, now)),
        possible: app.stores.first().is_some(),
        trouble,
        rows: found.iter().map(row).collect(),
    })
}

/// `POST /admin/backups/admin-db`: backs up mydb_admin now.
pub async fn now(ctx: Context) -> Result<Response, AppError> {
    if ctx.app().stores.first().is_none() {
        return Ok(to("/admin/backups", Some(Flash::warn(RequestError::NoTarget.to_string()))));
    }
    match enqueue_portal(ctx.app(), &BACK_UP, &ctx.actor()).await {
        Ok(job) => Ok(to(&urls::job(job), None)),
        Err(RequestError::Busy) => {
            Ok(to("/admin/backups", Some(Flash::warn("This is already running. Reload this page in a moment."))))
        }
        Err(e) => Err(e.into()),
    }
}
