//! Gives containers the cores in their rows, and evens out the use of the cores when a database is stopped or removed.

use uuid::Uuid;

use super::{bring, machine};
use crate::admin_db::containers;
use crate::admin_db::containers::cores;
use crate::admin_db::notices;
use crate::admin_db::notices::NoticeKind;
use crate::app::App;
use crate::domain::cpu_set::CpuSet;
use crate::domain::cpu_set::balance::{self, PinnedTo};
use crate::domain::cpu_set::request::CpuRequest;
use crate::provision::container::find;
use crate::queue::step_error::StepError;

/// How often a change is repeated because the row has changed meanwhile.
const TRIES: usize = 5;

/// Changes the container of a database so that it has the cores in its row.
async fn apply(app: &App, id: Uuid) -> Result<(), StepError> {
    let mut applied = None;
    for _ in 0..TRIES {
        let mut db = app.db.acquire().await?;
        let read = containers::by_id(&mut db, id).await?.filter(|c| c.purged_at.is_none());
        drop(db);
        let Some(c) = read else { return Ok(()) };
        let is_pinned = c.cpuset.is_some();
        let wanted = c.cpuset_assigned.as_deref().filter(|_| is_pinned).and_then(|text| CpuSet::parse(text).ok());
        // Another request may have changed the row, and the container, while this one was changing the container.
        if applied.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let running = find(app, &c).await?.filter(|found| found.running);
        if let Some(found) = running {
            bring(app, &found, &wanted.clone().unwrap_or_default()).await?;
        }
        if !is_pinned {
            let mut tx = app.db.begin().await?;
            cores::lock(&mut tx).await?;
            if cores::get(&mut tx, id).await?.is_some_and(|row| !row.request.is_pinned()) {
                cores::release(&mut tx, id).await?;
            }
            tx.commit().await?;
        }
        applied = Some(wanted);
    }
    Ok(())
}

/// Moves databases whose cores are chosen automatically to less used ones, as few as possible.
async fn rebalance(app: &App) -> Result<(), StepError> {
    let mut tx = app.db.begin().await?;
    if cores::assigned(&mut tx).await?.is_empty() {
        return Ok(());
    }
    let Ok(machine) = machine(app).await else { return Ok(()) };
    cores::lock(&mut tx).await?;
    let rows = cores::assigned(&mut tx).await?;
    let (mut pinned, mut missing) = (Vec::new(), Vec::new());
    for row in rows.into_iter().filter(|row| row.request.is_pinned()) {
        let Some(set) = row.assigned else { continue };
        let wanted = match &row.request {
            CpuRequest::Set(asked) => asked.check(machine.online()).err().map(|e| {
                missing.push((row.id, e));
                asked.len()
            }),
            request => request.wanted(),
        };
        pinned.push(PinnedTo { id: row.id, set, wanted });
    }
    let moves = balance::rebalance(&machine, &pinned);
    for (id, cores) in &moves {
        cores::assign(&mut tx, *id, Some(cores)).await?;
        if let Some((_, why)) = missing.iter().find(|(other, _)| other == id) {
            let why = format!("{why} Therefore, the server runs on {cores}. Choose other cores.");
            notices::raise(&mut tx, *id, NoticeKind::CoresChanged, (None, &why), app.clock.now()).await?;
        }
        tracing::info!(container = %id, "Moved a database to the cores {cores}");
    }
    tx.commit().await?;
    for (id, _) in moves {
        apply_or_log(app, id).await;
    }
    Ok(())
}

async fn apply_or_log(app: &App, id: Uuid) {
    if let Err(e) = apply(app, id).await {
        tracing::warn!(container = %id, "Could not change the cores of a database; trying again later: {e}");
    }
}

/// Applies the changed pinning of a database, and makes room for it. Failures are logged, because the reconciler repeats it.
pub(crate) async fn changed(app: &App, id: Uuid) {
    apply_or_log(app, id).await;
    released(app).await;
}

/// Evens out the use of the cores after a server was stopped or removed. Failures are logged, like those of [`changed`].
pub(crate) async fn released(app: &App) {
    if let Err(e) = rebalance(app).await {
        tracing::warn!("Could not rebalance the cores; trying again later: {e}");
    }
}

/// Makes all containers have the cores in their rows, and evens out their use.
///
/// # Errors
/// If mydb_admin cannot be queried.
pub(crate) async fn keep(app: &App) -> Result<(), StepError> {
    let mut db = app.db.acquire().await?;
    cores::release_idle(&mut db).await?;
    drop(db);
    rebalance(app).await?;
    let mut db = app.db.acquire().await?;
    let rows = cores::assigned(&mut db).await?;
    drop(db);
    for row in rows {
        apply_or_log(app, row.id).await;
    }
    Ok(())
}
