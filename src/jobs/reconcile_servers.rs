//! The reconciler: compares the container engine with `state`, whatever happened in between.
//!
//! It takes no input and is idempotent. Servers that should run but do not are restarted with increasing delays; all
//! other differences are shown and logged, and nothing is removed or adopted.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::admin_db::backups::findings;
use crate::admin_db::containers::states::RestartCounters;
use crate::admin_db::containers::{Container, snapshots, states};
use crate::admin_db::log::{Actor, LogEntry, Outcome};
use crate::admin_db::templates::versions;
use crate::admin_db::{backups, containers, jobs, log, seeds, spares};
use crate::app::App;
use crate::bootstrap;
use crate::domain::state::{ContainerState, Event};
use crate::jobs::memory_kills;
use crate::provision::container::find;
use crate::provision::exec::last_lines;
use crate::provision::firewall;
use crate::provision::pinning::rebalance;
use crate::provision::power::START;
use crate::provision::request;
use crate::queue::refusal::RequestError;
use crate::runtime::Observed;

/// The actor in the log.
pub const ACTOR: &str = "reconciler";
/// Number of failures within [`WINDOW`] after which a container is marked failed.
const MOST_FAILURES: i32 = 5;
const WINDOW: Duration = Duration::minutes(10);

/// What a run found and did.
#[derive(Debug, Default, Serialize)]
pub struct ReconcileReport {
    /// Number of containers of this instance in the engine.
    pub observed: usize,
    /// Number of living containers in mydb_admin.
    pub expected: usize,
    /// Names of restarted containers.
    pub restarted: Vec<String>,
    /// Names of containers marked failed.
    pub failed: Vec<String>,
    /// Number of current differences.
    pub findings: usize,
}

struct Run<'a> {
    app: &'a Arc<App>,
    now: DateTime<Utc>,
    report: ReconcileReport,
}

/// Compares once.
///
/// # Errors
/// If the engine or mydb_admin cannot be queried. A missing answer leads to no conclusions.
pub async fn reconcile(app: &Arc<App>) -> anyhow::Result<ReconcileReport> {
    let now = app.clock.now();
    // The engine is listed first: a container created in between is then in the second list and not considered unknown.
    let observed = app.runtime.list(&app.config.instance).await?;
    let mut db = app.db.acquire().await?;
    let rows = containers::living(&mut db).await?;
    drop(db);
    let mut run = Run { app, now, report: ReconcileReport::default() };
    run.report.observed = observed.len();
    run.report.expected = rows.len();
    for c in &rows {
        let found = observed.iter().find(|o| c.docker_id.as_ref() == Some(&o.id) || o.name == c.docker_name);
        run.compare(c, found).await?;
    }
    if !observed.is_empty() {
        firewall::keep(app).await;
    }
    if let Err(e) = rebalance::keep(app).await {
        tracing::warn!("Could not check the cores of the databases: {e}");
    }
    run.unknown_containers(&rows, &observed).await?;
    run.orphan_directories(&rows).await?;
    let mut db = app.db.acquire().await?;
    for gone in findings::forget_unseen(&mut db, now).await? {
        let detail = format!("{}: resolved", gone.detail);
        let entry = LogEntry { action: "finding.resolved", container: None, outcome: Outcome::Ok, detail: &detail };
        log::append(&mut db, &Actor::portal(ACTOR), &entry, now).await?;
    }
    run.report.findings = findings::list(&mut db).await?.len();
    Ok(run.report)
}

impl Run<'_> {
    async fn compare(&mut self, c: &Container, found: Option<&Observed>) -> anyhow::Result<()> {
        if c.active_job.is_some() || agree(c, found) {
            // The running job is the reason for the difference.
            return Ok(());
        }
        let Some((c, found)) = self.look_again(c.id).await? else { return Ok(()) };
        let found = found.as_ref();
        match (c.state, found) {
            (ContainerState::Running, Some(o)) if o.status == "paused" => {
                let detail = format!("{} is paused, and no job is copying its data, so it does not respond", c.name);
                self.note(&o.name, "paused", &detail, Some(&c)).await?;
                // Its job died, or someone paused it manually. The start resumes it; as a job, because a copy of its data
                // may begin at this moment. It is repeated until it works: a frozen database is worse than any attempt.
                self.start_now(&c).await
            }
            (ContainerState::Running, Some(o)) => {
                memory_kills::seen(self.app, &c, o).await?;
                let detail = format!("{} should be running but is {}", c.name, o.status);
                self.note(&o.name, "stopped", &detail, Some(&c)).await?;
                self.start_again(&c, found).await
            }
            (ContainerState::Running, None) => {
                let detail = format!("{} should be running but its container is missing; its data is kept", c.name);
                self.note(&c.docker_name, "missing", &detail, Some(&c)).await?;
                self.start_again(&c, None).await
            }
            (ContainerState::Requested | ContainerState::Provisioning | ContainerState::Deleting, _) => {
                // No code leaves a transitional state without a job, so a person must investigate.
                let detail = format!("{} is {} but no job is working on it", c.name, c.state);
                self.note(&c.docker_name, "stuck", &detail, Some(&c)).await
            }
            (ContainerState::Failed, Some(o)) => {
                let detail = format!("{} failed and should not be running, but its container is", c.name);
                self.note(&o.name, "running", &detail, Some(&c)).await
            }
            (state, Some(o)) => {
                let detail = format!("{} is {state} but its container is running: it was started manually", c.name);
                self.note(&o.name, "running", &detail, Some(&c)).await
            }
            _ => Ok(()),
        }
    }

    /// Checks a difference again, because the two lists are from different moments. Returns `None` if it has
    /// disappeared, or if a job is changing the container or has just changed it.
    async fn look_again(&self, id: Uuid) -> anyhow::Result<Option<(Container, Option<Observed>)>> {
        let Some(before) = self.row(id).await? else { return Ok(None) };
        let found = match find(self.app, &before).await {
            Ok(found) => found,
            Err(e) if e.may_pass() => anyhow::bail!(e),
            // A container of someone else has its name.
            Err(_) => None,
        };
        let still = |c: &Container| {
            c.active_job.is_none()
                && (c.changed_at, c.started_at, &c.docker_id)
                    == (before.changed_at, before.started_at, &before.docker_id)
        };
        let now = self.row(id).await?.filter(still);
        Ok(now.map(|c| (c, found)).filter(|(c, found)| !agree(c, found.as_ref())))
    }

    async fn row(&self, id: Uuid) -> anyhow::Result<Option<Container>> {
        let mut db = self.app.db.acquire().await?;
        Ok(containers::by_id(&mut db, id).await?)
    }

    /// Restarts a container, unless it has failed too often or its delay is not over.
    async fn start_again(&mut self, c: &Container, found: Option<&Observed>) -> anyhow::Result<()> {
        let mut db = self.app.db.acquire().await?;
        let Some(before) = states::restarts(&mut db, c.id).await? else { return Ok(()) };
        let waits = before.next_start_at.is_some_and(|at| {
            // A delay longer than any the portal sets means that the clock was set back.
            at > self.now && at - self.now <= Duration::minutes(5)
        });
        if waits {
            return Ok(());
        }
        let next = count_failure(before, self.now);
        states::set_restarts(&mut db, c.id, next).await?;
        drop(db);
        if next.failures >= MOST_FAILURES {
            return self.give_up(c, found).await;
        }
        self.start_now(c).await
    }

    /// Enqueues a start.
    async fn start_now(&mut self, c: &Container) -> anyhow::Result<()> {
        match request::act(self.app, c, &START, &Actor::portal(ACTOR)).await {
            Ok(_) => self.report.restarted.push(c.name.clone()),
            // The owner acted first.
            Err(RequestError::Busy | RequestError::State(_) | RequestError::Gone) => {}
            Err(e) => return Err(e.into()),
        }
        Ok(())
    }

    async fn give_up(&mut self, c: &Container, found: Option<&Observed>) -> anyhow::Result<()> {
        let lines = match found {
            Some(o) => last_lines(self.app, &o.id, 15).await,
            None => "(the container no longer exists)".to_owned(),
        };
        let mut db = self.app.db.acquire().await?;
        let tried = jobs::of_container(&mut db, c.id, 1).await?.into_iter().next().filter(|j| j.created_by == ACTOR);
        drop(db);
        let tried = tried.and_then(|j| j.error).map(|e| format!(" The last start failed: {e}")).unwrap_or_default();
        let why = format!(
            "The server exited {MOST_FAILURES} times within {} minutes and will not be restarted \
             automatically.{tried}\nLast log lines:\n{lines}",
            WINDOW.num_minutes()
        );
        let mut tx = self.app.db.begin().await?;
        let failure = Some(("Keep it running", why.as_str()));
        match states::apply(&mut tx, c.id, Event::Fail, ACTOR, self.now, failure).await {
            Ok(_) => {}
            Err(states::TransitionError::Db(e)) => return Err(e.into()),
            // Someone changed the state after it was read. Their state is kept.
            Err(_) => return Ok(()),
        }
        states::set_restarts(&mut tx, c.id, RestartCounters { failures: 0, failures_since: None, next_start_at: None })
            .await?;
        let entry = LogEntry {
            action: "container.failed",
            container: Some((c.id, &c.name)),
            outcome: Outcome::Failed,
            detail: &why,
        };
        log::append(&mut tx, &Actor::portal(ACTOR), &entry, self.now).await?;
        tx.commit().await?;
        self.report.failed.push(c.name.clone());
        Ok(())
    }

    async fn unknown_containers(&mut self, rows: &[Container], observed: &[Observed]) -> anyhow::Result<()> {
        let own = format!("{}-{}", self.app.config.instance, bootstrap::NAME);
        let helper = format!("{}-helper-", self.app.config.instance);
        let mut db = self.app.db.acquire().await?;
        let spares = spares::all(&mut db).await?;
        drop(db);
        let mut known: HashSet<&str> =
            rows.iter().flat_map(|c| [c.docker_name.as_str(), c.docker_id.as_deref().unwrap_or_default()]).collect();
        known.extend(spares.iter().map(|spare| spare.docker_name.as_str()));
        for o in observed {
            if o.name == own
                || o.name.starts_with(&helper)
                || known.contains(o.name.as_str())
                || known.contains(o.id.as_str())
            {
                continue;
            }
            if self.app.runtime.inspect(&o.id).await?.is_none() {
                // After the list was made, a job removed the container, and its database was deleted permanently.
                continue;
            }
            let detail = format!("{} has this portal's label but is unknown to the portal", o.name);
            self.note(&o.name, "unknown", &detail, None).await?;
        }
        Ok(())
    }

    /// Directories on the tiers that belong to no container, living or deleted permanently.
    async fn orphan_directories(&mut self, rows: &[Container]) -> anyhow::Result<()> {
        let mut found = Vec::new();
        for tier in &self.app.config.storage {
            let base = tier.path.join(self.app.config.instance.as_str());
            let Ok(mut entries) = tokio::fs::read_dir(&base).await else { continue };
            while let Ok(Some(entry)) = entries.next_entry().await {
                found.push(entry.path());
            }
        }
        // Queried after listing the directories: the row that explains a directory is written before it is made and
        // removed after it.
        let mut known: HashSet<String> = rows.iter().map(|c| c.id.to_string()).collect();
        let mut db = self.app.db.acquire().await?;
        known.extend(backups::listing::under_way(&mut db).await?.iter().map(ToString::to_string));
        known.extend(snapshots::all(&mut db).await?.iter().map(|s| s.id.to_string()));
        known.extend(seeds::all(&mut db).await?.iter().map(|s| s.id.to_string()));
        known.extend(spares::all(&mut db).await?.iter().map(|s| s.id.to_string()));
        known.extend(versions::existing(&mut db).await?.iter().map(|v| v.id.to_string()));
        drop(db);
        for path in found {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with('.') || known.contains(&name) || self.is_living(&name).await? {
                continue;
            }
            // It was being removed when it was listed.
            if tokio::fs::symlink_metadata(&path).await.is_ok() {
                let path = path.display().to_string();
                self.note(&path, "directory", &format!("{path} does not belong to any known database"), None).await?;
            }
        }
        Ok(())
    }

    /// Whether the name of a directory is the id of a container, perhaps of one created after the rows were read.
    async fn is_living(&self, name: &str) -> anyhow::Result<bool> {
        let Ok(id) = name.parse() else { return Ok(false) };
        Ok(self.row(id).await?.is_some_and(|c| c.purged_at.is_none()))
    }

    async fn note(&mut self, subject: &str, kind: &str, detail: &str, c: Option<&Container>) -> anyhow::Result<()> {
        let mut db = self.app.db.acquire().await?;
        if findings::note(&mut db, subject, kind, detail, c.map(|c| c.id), self.now).await? {
            tracing::warn!(subject, kind, "Found a difference: {detail}");
            let entry = LogEntry {
                action: "finding.new",
                container: c.map(|c| (c.id, c.name.as_str())),
                outcome: Outcome::Failed,
                detail,
            };
            log::append(&mut db, &Actor::portal(ACTOR), &entry, self.now).await?;
        }
        Ok(())
    }
}

/// Whether the container in the engine is as its state requires.
fn agree(c: &Container, found: Option<&Observed>) -> bool {
    match c.state {
        ContainerState::Running => found.is_some_and(|o| o.running && o.status != "paused"),
        ContainerState::Stopped | ContainerState::Failed | ContainerState::Trashed => !found.is_some_and(|o| o.running),
        ContainerState::Requested | ContainerState::Provisioning | ContainerState::Deleting => false,
        ContainerState::Purged => true,
    }
}

/// Counts a failure: within the window failures add up and the delay doubles (2, 4, 8 … s); after it, counting starts
/// over.
fn count_failure(before: RestartCounters, now: DateTime<Utc>) -> RestartCounters {
    let fresh = before.failures_since.is_none_or(|since| now - since > WINDOW || since > now);
    let failures = if fresh { 1 } else { before.failures + 1 };
    let wait = Duration::seconds(1i64 << failures.clamp(1, 8));
    RestartCounters {
        failures,
        failures_since: if fresh { Some(now) } else { before.failures_since },
        next_start_at: Some(now + wait),
    }
}

#[cfg(test)]
mod tests {
    use crate::jobs::reconcile_servers::*;

    #[test]
    fn failures_add_up_within_the_window_and_are_reset_after_it() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut r = RestartCounters { failures: 0, failures_since: None, next_start_at: None };
        for i in 1..=6 {
            r = count_failure(r, now + Duration::minutes(i64::from(i)));
            assert_eq!(r.failures, i);
        }
        assert_eq!(r.next_start_at, Some(now + Duration::minutes(6) + Duration::seconds(64)));
        assert_eq!(count_failure(r, now + Duration::minutes(12)).failures, 1);
        // Setting the clock back by an hour must not freeze the count either.
        assert_eq!(count_failure(r, now - Duration::hours(1)).failures, 1);
    }
}
