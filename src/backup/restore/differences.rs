//! Keeps restored data that differs from the backup: almost everything is better than nothing. A notice lists the
//! differences, so that nobody considers it complete.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::jobs::payload::JobNotes;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::notices::NoticeKind;
use crate::admin_db::{backups, jobs, log, notices};
use crate::backup::compare::{Comparison, limited};
use crate::backup::restore::source::BackupSource;
use crate::manifest::Manifest;
use crate::notify;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;

/// Records in the job what its restore skipped, for the step that compares.
pub(crate) async fn remember(w: &StepContext, source: &BackupSource<'_>) -> Result<(), StepError> {
    let found = JobNotes {
        second_attempt: source.second().map(Into::into),
        left_out: Some(source.left_out()),
        ..JobNotes::default()
    };
    let mut db = w.app.db.acquire().await?;
    Ok(jobs::add_notes(&mut db, w.job.id, &found).await?)
}

/// Loads what an earlier step recorded into a source.
pub(crate) async fn recall(w: &StepContext, source: &BackupSource<'_>) -> Result<(), StepError> {
    let mut db = w.app.db.acquire().await?;
    let Some(job) = jobs::by_id(&mut db, w.job.id).await? else { return Ok(()) };
    if let Some(why) = job.payload.notes.second_attempt {
        source.begin_again(why);
    }
    job.payload.notes.left_out.into_iter().flatten().for_each(|sentence| source.leave_out(sentence));
    Ok(())
}

/// Adds what was skipped to a failure: it may be the reason for a difference.
pub(crate) fn with_reasons(source: &BackupSource<'_>, e: StepError) -> StepError {
    let left_out = source.left_out();
    if left_out.is_empty() { e } else { e.with_message(|why| format!("{why}\n{}", limited(left_out).join("\n"))) }
}

/// One text of several findings. Those that quote a server do not end as sentences do.
fn sentences(findings: &[String]) -> String {
    let ended = |text: &String| if text.ends_with(['.', '!', '?', '…']) { text.clone() } else { format!("{text}.") };
    findings.iter().map(ended).collect::<Vec<_>>().join(" ")
}

/// The differences between a restored database and its backup.
///
/// # Errors
/// With the differences in the data, unless a second attempt was made and reports what it skipped.
fn differences(source: &BackupSource<'_>, found: &Comparison) -> Result<Vec<String>, StepError> {
    if source.second().is_none() || source.left_out().is_empty() {
        found.same_content()?;
    }
    Ok(limited(source.left_out().into_iter().chain(found.differences()).collect()))
}

/// Decides whether a restored database is kept, notifies its owner and the administrators of differences from the
/// backup, and returns the message of the step.
///
/// # Errors
/// With the differences that make the database useless, and errors of mydb_admin.
pub(crate) async fn keep(w: &StepContext, source: &BackupSource<'_>, found: &Comparison) -> Result<String, StepError> {
    let differences = differences(source, found)?;
    let (id, now) = (w.container_id()?, w.app.clock.now());
    let mut tx = w.app.db.begin().await?;
    if differences.is_empty() {
        notices::restored(&mut tx, id, now).await?;
        tx.commit().await?;
        return Ok(found.sentence());
    }
    let told = sentences(&differences);
    raise(w, &mut tx, &source.manifest, &told).await?;
    tx.commit().await?;
    notify::tell(&w.app);
    Ok(format!("The restored database is kept, but differs from the backup: {told}"))
}

/// Once the data of a backup has replaced that of a database: ends the notice about the previous data, and raises one
/// about what the restore left out. A backup without definitions was compared less thoroughly, so it ends nothing.
pub(crate) async fn replaced(w: &StepContext, backup: Uuid) -> Result<(), StepError> {
    let mut tx = w.app.db.begin().await?;
    let Some(manifest) = backups::manifest(&mut tx, backup).await? else { return Ok(()) };
    let job = jobs::by_id(&mut tx, w.job.id).await?;
    let left_out = job.and_then(|job| job.payload.notes.left_out).unwrap_or_default();
    if !left_out.is_empty() || !manifest.definitions.is_empty() {
        notices::restored(&mut tx, w.container_id()?, w.app.clock.now()).await?;
    }
    if !left_out.is_empty() {
        raise(w, &mut tx, &manifest, &sentences(&limited(left_out))).await?;
        notify::tell(&w.app);
    }
    Ok(tx.commit().await?)
}

/// Raises a notice about the differences between a database and the backup in its data, and logs them.
async fn raise(w: &StepContext, db: &mut PgConnection, of: &Manifest, told: &str) -> Result<(), StepError> {
    let (id, now) = (w.container_id()?, w.app.clock.now());
    let at = of.started_at.format("%Y-%m-%d %H:%M UTC");
    let text =
        format!("It was restored from the backup of {} from {at}, but differs from it: {told}", of.container.name);
    notices::raise(db, id, NoticeKind::RestoreDiffers, (Some(of.backup), &text), now).await?;
    let name = w.container().await?.name.clone();
    let entry =
        LogEntry { action: "restore.differs", container: Some((id, &name)), outcome: Outcome::Failed, detail: &text };
    Ok(log::append(db, &Actor::portal("backups"), &entry, now).await?)
}
