//! Edit: what may be changed after the create. New limits of a running server are put in place by a job.

use uuid::Uuid;

use super::power;
use super::request::RequestError;
use crate::admin_db::containers::{self, Container, Edit};
use crate::admin_db::log::{self, Actor, Entry, Outcome};
use crate::admin_db::{constraint, jobs};
use crate::app::App;
use crate::domain::quantity::{Bytes, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::user::User;

/// Checked changes; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Whom to ask about it.
    pub contact: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Whose it will be. Only admins may; the caller has asked `can` for it.
    pub owner: Option<User>,
    /// Memory limit.
    pub memory: Option<Bytes>,
    /// CPU limit.
    pub cpus: Option<MilliCpus>,
}

impl Changes {
    /// What differs from `c`, in words for the log; empty where nothing does.
    fn differences(&self, c: &Container) -> Vec<String> {
        let mut found = Vec::new();
        let texts =
            [("contact", &self.contact, &c.contact), ("department", &self.department, &c.department), ("description", &self.description, &c.description)];
        for (name, wanted, present) in texts {
            if wanted.as_ref().is_some_and(|w| w != present) {
                found.push(name.to_owned());
            }
        }
        if let Some(owner) = self.owner.as_ref().filter(|o| o.id != c.account_id) {
            found.push(format!("owner {} → {}", c.owner, owner.username));
        }
        if let Some(memory) = self.memory.filter(|m| m.0 != c.memory_bytes) {
            found.push(format!("memory {} → {memory}", Bytes(c.memory_bytes)));
        }
        if let Some(cpus) = self.cpus.filter(|m| m.0 != c.millicpus) {
            found.push(format!("CPUs {} → {cpus}", MilliCpus(c.millicpus)));
        }
        found
    }

    /// Whether the limits of `c` would be others.
    fn resizes(&self, c: &Container) -> bool {
        self.memory.is_some_and(|m| m.0 != c.memory_bytes) || self.cpus.is_some_and(|m| m.0 != c.millicpus)
    }
}

/// Writes changes, their log row and, where a running server gets new limits, the job for it: all in
/// one transaction. Answers that job. What changes nothing writes nothing.
///
/// # Errors
/// [`RequestError`], with nothing written: [`RequestError::Busy`] for new limits while a job is under way.
pub async fn edit(app: &App, c: &Container, changes: &Changes, actor: &Actor) -> Result<Option<Uuid>, RequestError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // The state's lock lets one edit after the other through, so that neither undoes the other's
    // fields, and keeps the state still while it decides about the job.
    let locked: Option<ContainerState> = sqlx::query_scalar("SELECT state FROM state WHERE container_id = $1 FOR UPDATE")
        .bind(c.id)
        .fetch_optional(&mut *tx)
        .await?;
    let state = locked.ok_or(RequestError::Gone)?;
    let c = containers::by_id(&mut tx, c.id).await?.ok_or(RequestError::Gone)?;
    let differences = changes.differences(&c);
    if differences.is_empty() {
        return Ok(None);
    }
    let resizes = changes.resizes(&c);
    if resizes && c.active_job_id.is_some() {
        return Err(RequestError::Busy);
    }
    let edit = Edit {
        contact: changes.contact.as_ref().unwrap_or(&c.contact),
        department: changes.department.as_ref().unwrap_or(&c.department),
        description: changes.description.as_ref().unwrap_or(&c.description),
        account_id: changes.owner.as_ref().map_or(c.account_id, |o| o.id),
        memory_bytes: changes.memory.map_or(c.memory_bytes, |m| m.0),
        millicpus: changes.cpus.map_or(c.millicpus, |m| m.0),
    };
    containers::edit(&mut tx, c.id, &edit).await?;
    let detail = format!("changed {}", differences.join(", "));
    let entry = Entry { action: "container.edit", container: Some((c.id, &c.name)), outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, actor, &entry, now).await?;
    let mut job = None;
    if resizes && state == ContainerState::Running {
        let names = power::RESIZE.names();
        let new = jobs::NewJob {
            kind: power::RESIZE.kind,
            container: Some(c.id),
            payload: serde_json::json!({ "request_id": actor.request_id, "address": actor.address }),
            by: &actor.name,
            steps: &names,
        };
        let enqueued = jobs::enqueue(&mut tx, &new, now).await;
        job = Some(enqueued.map_err(|e| match constraint(&e) {
            Some("job_one_per_container") => RequestError::Busy,
            _ => e.into(),
        })?);
    }
    tx.commit().await?;
    if job.is_some() {
        app.wake.notify_one();
    }
    Ok(job)
}
