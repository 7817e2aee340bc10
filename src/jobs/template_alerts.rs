//! Raises notices about templates that could not be imported.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::admin_db::jobs::Job;
use crate::admin_db::templates::versions;
use crate::admin_db::{notices, templates};
use crate::domain::job_kind::JobKind;
use crate::domain::short_reason;

/// Raises a notice that the import of a job failed, unless its template has been deleted.
pub(super) async fn failed(tx: &mut PgConnection, job: &Job, why: &str, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    if job.kind() != Some(JobKind::ImportTemplate) {
        return Ok(());
    }
    let Some(version) = versions::of_job(&mut *tx, job.id).await? else { return Ok(()) };
    let Some(t) = templates::by_id(&mut *tx, version.template_id).await? else { return Ok(()) };
    let current = match t.current_version {
        Some(id) => versions::by_id(&mut *tx, id).await?,
        None => None,
    };
    let in_use = match current {
        Some(current) => format!("Version {} is still in use.", current.number),
        None => "No database can be made from it.".to_owned(),
    };
    let text = format!("{} {in_use}", short_reason::line(why));
    notices::import_failed(tx, t.id, &text, now).await.map(|_| ())
}
