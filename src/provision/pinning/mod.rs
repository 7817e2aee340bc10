//! Pins servers to cores: chooses the cores, in the transaction that writes the rows, and changes running containers.
//!
//! `cpuset` of a row is what its owner asks for, `cpuset_assigned` the cores of its server from the request to start it until
//! it is stopped. A lock is held while cores are chosen, so that simultaneous requests count each other. Containers are changed after
//! the commit; the reconciler repeats what was interrupted.

pub mod rebalance;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::admin_db::containers::Container;
use crate::admin_db::containers::cores;
use crate::admin_db::containers::cores::PinnedRow;
use crate::admin_db::notices;
use crate::admin_db::notices::NoticeKind;
use crate::app::App;
use crate::domain::cpu_set::CpuSet;
use crate::domain::cpu_set::balance::{self, CoreUse};
use crate::domain::cpu_set::request::CpuRequest;
use crate::domain::cpu_set::topology::Topology;
use crate::domain::state::ContainerState;
use crate::queue::step_error::StepError;
use crate::runtime::{Observed, RuntimeError, topology};
use crate::tasks;

/// The cores of this machine and which of them belong together.
///
/// # Errors
/// A sentence that says that they cannot be read.
pub async fn machine(app: &App) -> Result<Topology, String> {
    let (dir, map) = (app.config.databases.system_dir.clone(), app.config.databases.cpu_map.clone());
    let read = tasks::blocking(move || topology::read(&dir, map.as_deref())).await;
    let why = match read {
        Ok(Ok(topology)) => return Ok(topology),
        Ok(Err(e)) => e.to_string(),
        Err(e) => e.to_string(),
    };
    tracing::warn!("Could not read the cores of this machine: {why}");
    Err("The portal cannot read the cores of its machine, so databases cannot be pinned to them.".to_owned())
}

/// The default pinning of a new database.
pub async fn usual(app: &App) -> CpuRequest {
    let wanted = app.config.databases.pin_cores;
    if wanted == 0 {
        return CpuRequest::Unpinned;
    }
    let most = machine(app).await.map_or(0, |machine| machine.largest());
    CpuRequest::of_number(wanted.min(u16::try_from(most).unwrap_or(u16::MAX)))
}

/// The cores for a server, and a sentence if they are not what was asked for. Cores that are as wanted are kept.
fn choose(machine: &Topology, row: &PinnedRow, others: &CoreUse) -> (CpuSet, Option<String>) {
    let current = row.assigned.clone().unwrap_or_default();
    let automatic = |wanted: usize| match machine.fits(&current, wanted) {
        true => current.clone(),
        false => balance::least_used(machine, others, wanted, &current),
    };
    match &row.request {
        CpuRequest::Unpinned => (CpuSet::default(), None),
        CpuRequest::Set(set) => match set.check(machine.online()) {
            Ok(()) => (set.clone(), None),
            Err(e) => {
                let cores = automatic(set.len());
                let why = format!("{e} Therefore, the server runs on {cores} instead of {set}. Choose other cores.");
                (cores, Some(why))
            }
        },
        CpuRequest::Auto(wanted) => {
            let cores = automatic(usize::from(*wanted));
            let why = (cores.len() < usize::from(*wanted)).then(|| {
                format!(
                    "Only {} of the cores of this machine belong together. Therefore, the server runs on {cores} \
                     instead of {wanted} cores.",
                    cores.len()
                )
            });
            (cores, why)
        }
    }
}

/// How often each core is taken by databases other than `id`.
async fn taken_by_others(tx: &mut PgConnection, id: Uuid) -> Result<CoreUse, sqlx::Error> {
    let rows = cores::assigned(tx).await?;
    Ok(rows.iter().filter(|row| row.id != id && row.request.is_pinned()).filter_map(|r| r.assigned.as_ref()).collect())
}

/// Chooses the cores of a server and records them, and a notice if they are not what was asked for. The caller holds the lock.
async fn assign(app: &App, tx: &mut PgConnection, row: &PinnedRow, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    let (chosen, why) = match machine(app).await {
        Ok(machine) => choose(&machine, row, &taken_by_others(&mut *tx, row.id).await?),
        Err(why) => (CpuSet::default(), Some(why)),
    };
    cores::assign(&mut *tx, row.id, Some(&chosen)).await?;
    match why {
        Some(why) => notices::raise(tx, row.id, NoticeKind::CoresChanged, (None, &why), now).await.map(|_| ()),
        None => notices::end(tx, row.id, NoticeKind::CoresChanged, now).await,
    }
}

/// Chooses the cores of a new database. The caller holds the lock if there is something to choose.
pub(super) async fn pin_new(
    app: &App,
    tx: &mut PgConnection,
    id: Uuid,
    request: &CpuRequest,
) -> Result<(), sqlx::Error> {
    if !request.is_pinned() {
        return Ok(());
    }
    cores::set_request(&mut *tx, id, request).await?;
    let row = PinnedRow { id, request: request.clone(), assigned: None };
    assign(app, tx, &row, app.clock.now()).await
}

/// Changes what the owner of a database asks for, and its cores if its server has some. The caller holds the lock.
pub(super) async fn change(
    app: &App,
    tx: &mut PgConnection,
    c: &Container,
    request: &CpuRequest,
) -> Result<(), sqlx::Error> {
    cores::set_request(&mut *tx, c.id, request).await?;
    let Some(row) = cores::get(&mut *tx, c.id).await? else { return Ok(()) };
    let runs = row.assigned.is_some() || !matches!(c.state, ContainerState::Stopped | ContainerState::Failed);
    if request.is_pinned() && runs {
        return assign(app, tx, &row, app.clock.now()).await;
    }
    // A server that is no longer pinned keeps its cores until its container has been changed.
    notices::end(tx, c.id, NoticeKind::CoresChanged, app.clock.now()).await
}

/// Whether a server has the cores that were asked for.
fn is_as_wanted(machine: &Topology, request: &CpuRequest, assigned: Option<&CpuSet>) -> bool {
    match (request, assigned) {
        (CpuRequest::Unpinned, assigned) => assigned.is_none(),
        (CpuRequest::Set(set), Some(assigned)) => set == assigned && set.check(machine.online()).is_ok(),
        (CpuRequest::Auto(wanted), Some(assigned)) => {
            assigned.len() == usize::from(*wanted) && machine.fits(assigned, usize::from(*wanted))
        }
        (CpuRequest::Set(_) | CpuRequest::Auto(_), None) => false,
    }
}

/// Makes sure that a server that is about to start has cores, and that these exist: the machine may be another one than at
/// its last start. Returns whether the row was changed.
///
/// # Errors
/// If mydb_admin cannot be queried.
pub(super) async fn settle(app: &App, c: &Container) -> Result<bool, StepError> {
    if c.cpuset.is_none() && c.cpuset_assigned.is_none() {
        return Ok(false);
    }
    let request = CpuRequest::stored(c.cpuset.as_deref());
    let assigned = c.cpuset_assigned.as_deref().and_then(|text| CpuSet::parse(text).ok());
    if request.is_pinned()
        && machine(app).await.is_ok_and(|machine| is_as_wanted(&machine, &request, assigned.as_ref()))
    {
        return Ok(false);
    }
    let mut tx = app.db.begin().await?;
    cores::lock(&mut tx).await?;
    let Some(row) = cores::get(&mut tx, c.id).await? else { return Ok(false) };
    if row.request.is_pinned() {
        assign(app, &mut tx, &row, app.clock.now()).await?;
    } else {
        cores::release(&mut tx, c.id).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Gives a container in the engine these cores, or all if there are none, unless it has them.
pub(super) async fn bring(app: &App, found: &Observed, wanted: &CpuSet) -> Result<(), StepError> {
    let current = found.cores.clone().unwrap_or_default();
    if current == *wanted {
        return Ok(());
    }
    let target = match wanted.is_empty() {
        true => machine(app).await.map_err(StepError::Retry)?.online().clone(),
        false => wanted.clone(),
    };
    if current == target {
        return Ok(());
    }
    match app.runtime.set_cores(&found.id, &target).await {
        // It was removed meanwhile. The next one is created with the cores in the row.
        Err(RuntimeError::NotFound { .. }) => Ok(()),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> CpuSet {
        CpuSet::parse(text).unwrap()
    }

    fn chosen(machine: &Topology, request: &str, assigned: Option<&str>) -> (String, String) {
        let row =
            PinnedRow { id: Uuid::nil(), request: CpuRequest::parse(request).unwrap(), assigned: assigned.map(set) };
        let (cores, why) = choose(machine, &row, &[set("0")].iter().collect());
        (cores.to_string(), why.unwrap_or_default())
    }

    #[test]
    fn a_server_gets_the_requested_cores_or_a_reason() {
        let t = Topology::new(set("0-3"), &[set("0-1"), set("2-3")]);
        assert_eq!(chosen(&t, "", Some("1")), (String::new(), String::new()));
        assert_eq!(chosen(&t, "0-2", None), ("0-2".to_owned(), String::new()));
        assert_eq!(chosen(&t, "2", None), ("2-3".to_owned(), String::new()));
        assert_eq!(chosen(&t, "2", Some("0-1")), ("0-1".to_owned(), String::new()), "what fits is kept");
        let (cores, why) = chosen(&t, "7-8", None);
        assert_eq!(cores, "2-3");
        assert!(
            why.starts_with("This machine has no core 7-8.") && why.contains("runs on 2-3 instead of 7-8"),
            "{why}"
        );
        assert_eq!(chosen(&t, "7-8", Some("0-1")).0, "0-1", "a second start changes nothing");
        let (cores, why) = chosen(&t, "4", None);
        assert_eq!(cores, "2-3");
        assert!(why.contains("Only 2 of the cores"), "{why}");
    }

    #[test]
    fn only_cores_that_match_the_request_are_kept() {
        let t = Topology::new(set("0-3"), &[set("0-1"), set("2-3")]);
        for (request, assigned, fine) in [
            ("0-2", Some("0-2"), true),
            ("0-2", Some("0-1"), false),
            ("0-2", None, false),
            ("2", Some("2-3"), true),
            ("2", Some("1-2"), false),
            ("4", Some("0-1"), false),
            ("7-7", Some("7"), false),
            ("", None, true),
            ("", Some("1"), false),
        ] {
            let request = CpuRequest::parse(request).unwrap();
            assert_eq!(is_as_wanted(&t, &request, assigned.map(set).as_ref()), fine, "{request:?} {assigned:?}");
        }
    }
}
