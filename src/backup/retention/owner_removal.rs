//! Deletes backups of a permanently deleted database at its owner's request. Locked backups and those being read are
//! kept; the retention policy does not apply.

use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::jobs::payload::JobPayload;
use crate::admin_db::log::Actor;
use crate::app::App;
use crate::backup::retention::prune::{KeptBecause, Remover};
use crate::domain::job_kind::JobKind;
use crate::domain::job_rules::{Blame, Cancel, JobRules, Pool};
use crate::queue::context::StepContext;
use crate::queue::enqueue::enqueue_with;
use crate::queue::flow::{Flow, Step};
use crate::queue::refusal::RequestError;
use crate::queue::step_error::StepError;

/// Deletes the backups that the job names.
pub static REMOVE: Flow = Flow {
    kind: JobKind::RemoveBackups,
    title: "Delete backups",
    rules: JobRules::of(Pool::Long).cancel(Cancel::Always).blame(Blame::Nobody),
    steps: &[Step::new("Delete the backups from their targets", |w| Box::pin(remove(w)))],
};

/// Enqueues the deletion of backups of a permanently deleted database.
///
/// # Errors
/// [`RequestError::State`] if the database still exists, [`RequestError::Busy`] if a deletion is already running.
pub async fn request(app: &App, c: &Container, backups: Vec<Uuid>, actor: &Actor) -> Result<Uuid, RequestError> {
    if c.purged_at.is_none() {
        return Err(RequestError::State(c.state));
    }
    let detail = backups.iter().map(Uuid::to_string).collect::<Vec<_>>().join(", ");
    let payload = JobPayload { remove: backups, ..JobPayload::of(actor) };
    let mut tx = app.db.begin().await?;
    let job = enqueue_with(app, &mut tx, &REMOVE, (c.id, &c.name), actor, (&detail, payload)).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(job)
}

async fn remove(w: &StepContext) -> Result<(), StepError> {
    let app = &w.app;
    let actor = Actor { name: w.job.created_by.clone(), ..Actor::default() };
    let remover = Remover { config: &app.config, stores: &app.stores, actor: &actor, now: app.clock.now() };
    let ids = &w.job.payload.remove;
    let (mut kept, mut away) = (Vec::new(), false);
    let mut db = app.db.acquire().await?;
    for (n, id) in ids.iter().enumerate() {
        w.progress(&format!("{n} of {}", ids.len())).await;
        match remover.remove_for_owner(&mut db, *id).await {
            Ok(()) => {}
            Err(KeptBecause::Db(e)) => return Err(e.into()),
            Err(e) => {
                away |= matches!(&e, KeptBecause::Store(e) if e.is_transient());
                kept.push(format!("The backup {id} was not deleted: {e}"));
            }
        }
    }
    drop(db);
    w.progress(&format!("{} deleted", ids.len() - kept.len())).await;
    match (kept.is_empty(), away) {
        (true, _) => Ok(()),
        (false, true) => Err(StepError::Retry(kept.join("\n"))),
        (false, false) => Err(StepError::Fail(kept.join("\n"))),
    }
}
