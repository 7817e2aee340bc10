//! Edits an existing database. New limits of a running server are applied by a job.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::pinning::rebalance;
use super::{lifetime, pinning, power, quota};
use crate::admin_db::containers::input::ContainerEdit;
use crate::admin_db::containers::{Container, cores, expiry, input, states};
use crate::admin_db::jobs::payload::JobPayload;
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::notices::NoticeKind;
use crate::admin_db::{constraint, containers, jobs, log, notices};
use crate::app::App;
use crate::domain::backup_schedule::Policy;
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::quantity::{ByteSize, MilliCpus};
use crate::domain::state::ContainerState;
use crate::domain::user::User;
use crate::queue::cancel_backup::over_backup;
use crate::queue::refusal::RequestError;

/// How long a request waits until a running server has its new cores.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Validated changes; a field that is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct EditRequest {
    /// Contact for questions about it.
    pub contact: Option<String>,
    /// Department.
    pub department: Option<String>,
    /// Its purpose.
    pub description: Option<String>,
    /// The new owner. Only administrators may set it; the caller has checked that with `can`.
    pub owner: Option<User>,
    /// Schedule of its backups.
    pub backup_freq: Option<Policy>,
    /// Memory limit.
    pub memory: Option<ByteSize>,
    /// CPU limit.
    pub cpus: Option<MilliCpus>,
    /// The cores to pin it to.
    pub cores: Option<CpuRequest>,
    /// When it expires, if ever.
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

impl EditRequest {
    /// The changes compared with `c`, in words for the log; empty if there are none.
    fn differences(&self, c: &Container) -> Vec<String> {
        let mut found = Vec::new();
        let texts = [
            ("contact", &self.contact, &c.contact),
            ("department", &self.department, &c.department),
            ("description", &self.description, &c.description),
        ];
        for (name, wanted, present) in texts {
            if wanted.as_ref().is_some_and(|w| w != present) {
                found.push(name.to_owned());
            }
        }
        if let Some(owner) = self.owner.as_ref().filter(|o| o.id != c.account_id) {
            found.push(format!("owner {} → {}", c.owner, owner.username));
        }
        if let Some(policy) = self.backup_freq.as_ref().filter(|p| p.as_str() != c.backup_freq) {
            found.push(format!("backups {} → {}", c.backup_freq, policy.as_str()));
        }
        if let Some(memory) = self.memory.filter(|m| m.0 != c.memory_bytes) {
            found.push(format!("memory {} → {memory}", ByteSize(c.memory_bytes)));
        }
        if let Some(cpus) = self.cpus.filter(|m| m.0 != c.millicpus) {
            found.push(format!("CPUs {} → {cpus}", MilliCpus(c.millicpus)));
        }
        if let Some(request) = self.repins(c) {
            let text = |text: Option<&str>| text.unwrap_or("all").to_owned();
            found.push(format!("cores {} → {}", text(c.cpuset.as_deref()), text(request.to_text().as_deref())));
        }
        if let Some(end) = self.expires_at.filter(|end| *end != c.expires_at) {
            found.push(lifetime::change(c.expires_at, end));
        }
        found
    }

    /// The cores to pin `c` to, if they would change.
    fn repins(&self, c: &Container) -> Option<&CpuRequest> {
        self.cores.as_ref().filter(|r| r.to_text() != c.cpuset)
    }

    /// Whether the limits of `c` would change.
    fn resizes(&self, c: &Container) -> bool {
        self.memory.is_some_and(|m| m.0 != c.memory_bytes) || self.cpus.is_some_and(|m| m.0 != c.millicpus)
    }
}

/// Writes the changes, their log row and, if a running server gets new limits, the job that applies them, in one
/// transaction. Returns that job. If nothing changes, nothing is written.
///
/// # Errors
/// [`RequestError`]; nothing is written then. [`RequestError::Busy`] for new limits while a job is running,
/// [`RequestError::State`] for databases in the trash.
pub async fn edit(
    app: &App,
    c: &Container,
    changes: &EditRequest,
    actor: &Actor,
) -> Result<Option<Uuid>, RequestError> {
    over_backup(app, &[c], actor, || edit_once(app, c, changes, actor)).await
}

async fn edit_once(
    app: &App,
    c: &Container,
    changes: &EditRequest,
    actor: &Actor,
) -> Result<Option<Uuid>, RequestError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if changes.cores.is_some() {
        cores::lock(&mut tx).await?;
    }
    // The lock on the state serialises edits, so that none reverts the fields of another, and keeps the state from
    // changing while it decides about the job.
    let locked = states::lock(&mut tx, c.id).await?;
    let state = locked.ok_or(RequestError::Gone)?;
    if matches!(state, ContainerState::Deleting | ContainerState::Trashed) {
        return Err(RequestError::State(state));
    }
    let c = containers::by_id(&mut tx, c.id).await?.ok_or(RequestError::Gone)?;
    let differences = changes.differences(&c);
    if differences.is_empty() {
        return Ok(None);
    }
    let resizes = changes.resizes(&c);
    let edit = ContainerEdit {
        contact: changes.contact.as_ref().unwrap_or(&c.contact),
        department: changes.department.as_ref().unwrap_or(&c.department),
        description: changes.description.as_ref().unwrap_or(&c.description),
        account_id: changes.owner.as_ref().map_or(c.account_id, |o| o.id),
        backup_freq: changes.backup_freq.as_ref().map_or(c.backup_freq.as_str(), Policy::as_str),
        memory_bytes: changes.memory.map_or(c.memory_bytes, |m| m.0),
        millicpus: changes.cpus.map_or(c.millicpus, |m| m.0),
        now,
    };
    let before = quota::before(&mut tx, edit.account_id).await?;
    input::edit(&mut tx, c.id, &edit).await?;
    if let Some(end) = changes.expires_at.filter(|end| *end != c.expires_at) {
        expiry::set(&mut tx, c.id, end, now).await?;
    }
    before.check(app, &mut tx).await?;
    if resizes && c.active_job_id.is_some() {
        return Err(RequestError::Busy);
    }
    let repinned = changes.repins(&c);
    if let Some(request) = repinned {
        pinning::change(app, &mut tx, &c, request).await?;
    }
    if edit.memory_bytes > c.memory_bytes {
        notices::end(&mut tx, c.id, NoticeKind::OutOfMemory, now).await?;
    }
    let detail = format!("changed {}", differences.join(", "));
    let entry =
        LogEntry { action: "container.edit", container: Some((c.id, &c.name)), outcome: Outcome::Ok, detail: &detail };
    log::append(&mut tx, actor, &entry, now).await?;
    let mut job = None;
    if resizes && state == ContainerState::Running {
        let names = power::RESIZE.names();
        let new = jobs::NewJob {
            kind: power::RESIZE.kind.as_str(),
            container: Some(c.id),
            payload: JobPayload::of(actor),
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
    if repinned.is_some() {
        // The reconciler does it if the engine is slow.
        let _ = tokio::time::timeout(AT_ONCE, rebalance::changed(app, c.id)).await;
    }
    Ok(job)
}

#[cfg(test)]
pub(crate) mod tests {
    use sqlx::types::Json as Column;

    use super::*;
    use crate::domain::engine::EngineKind;
    use crate::domain::names::Username;
    use crate::domain::quantity::GIB;
    use crate::domain::user::Role;

    /// A container for tests.
    pub(crate) fn container() -> Container {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        Container {
            id: Uuid::from_u128(1),
            name: "lab-1".to_owned(),
            engine: EngineKind::Postgres,
            image: "docker.io/library/postgres:17".to_owned(),
            image_digest: None,
            server_version: Some("17.6".to_owned()),
            dbname: "lab".to_owned(),
            dbuser: "ada".to_owned(),
            account_id: Uuid::from_u128(2),
            owner: "ada".to_owned(),
            contact: "ada@example.org".to_owned(),
            department: "Genetics".to_owned(),
            description: "Reads of run 7".to_owned(),
            storage: "standard".to_owned(),
            memory_bytes: 512 * 1024 * 1024,
            millicpus: 1500,
            cpuset: None,
            cpuset_assigned: None,
            oom_kills: 0,
            oom_killed_at: None,
            backup_freq: "Daily".to_owned(),
            policy_at: at(0),
            extensions: Vec::new(),
            brought: false,
            restored_from: None,
            restored_only: None,
            cloned_from: None,
            source: None,
            cloned_at: None,
            origin: None,
            template_id: None,
            template_version: None,
            instance_name: String::new(),
            shared_bytes: None,
            docker_id: Some("secret-to-nobody-but-not-in-json".to_owned()),
            docker_name: "dev-lab-1".to_owned(),
            size_bytes: Some(40_000_000),
            size_at: None,
            created_by: "ada".to_owned(),
            created_at: at(0),
            started_at: Some(at(5)),
            expires_at: None,
            trashed_at: None,
            purge_after: None,
            purged_at: None,
            state: ContainerState::Running,
            last_state: ContainerState::Provisioning,
            changed_by: "ada".to_owned(),
            changed_at: at(6),
            failed_step: None,
            failed_reason: None,
            maintenance_note: None,
            ports: Column(vec![("postgres".to_owned(), 41001)]),
            active_job: None,
            active_job_id: None,
        }
    }

    #[test]
    fn unchanged_values_are_not_changes() {
        let c = container();
        let same = EditRequest {
            contact: Some(c.contact.clone()),
            memory: Some(ByteSize(c.memory_bytes)),
            cpus: Some(MilliCpus(c.millicpus)),
            ..EditRequest::default()
        };
        assert!(same.differences(&c).is_empty() && !same.resizes(&c));
        assert!(EditRequest::default().differences(&c).is_empty());
    }

    #[test]
    fn the_log_names_what_changed_and_only_limits_need_a_job() {
        let c = container();
        let owner = User {
            id: Uuid::from_u128(9),
            username: Username::parse("grace").unwrap(),
            role: Role::User,
            email: String::new(),
            department: String::new(),
        };
        let texts = EditRequest { description: Some(String::new()), owner: Some(owner), ..EditRequest::default() };
        assert_eq!(texts.differences(&c), ["description", "owner ada → grace"]);
        assert!(!texts.resizes(&c));
        let limits = EditRequest { memory: Some(ByteSize(GIB)), cpus: Some(MilliCpus(500)), ..EditRequest::default() };
        assert_eq!(limits.differences(&c), ["memory 512 MiB → 1 GiB", "CPUs 1.5 → 0.5"]);
        assert!(limits.resizes(&c));
    }
}
