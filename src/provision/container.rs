//! Finds, creates, starts, stops and removes the container of a database in the engine. Shared by all flows.

use super::data_directory::{prepare, refuse_foreign_data};
use super::{firewall, pinning};
use crate::admin_db::containers;
use crate::admin_db::containers::ports::PortOwner;
use crate::admin_db::containers::{Container, ports};
use crate::app::App;
use crate::blueprint::Blueprint;
use crate::domain::quantity::ByteSize;
use crate::queue::context::StepContext;
use crate::queue::step_error::StepError;
use crate::runtime::{ContainerSpec, Observed, Publish, RuntimeError};

/// The engine's container of `c`, if it exists. A container of this name with another instance's label belongs to
/// someone else and is not touched.
///
/// # Errors
/// If the engine cannot be queried, or someone else's container has the name.
pub async fn find(app: &App, c: &Container) -> Result<Option<Observed>, StepError> {
    let by_id = match &c.docker_id {
        Some(id) => app.runtime.inspect(id).await?,
        None => None,
    };
    let found = match by_id {
        Some(found) => Some(found),
        None => app.runtime.inspect(&c.docker_name).await?,
    };
    match found {
        Some(other) if other.instance != app.config.instance.as_str() => Err(StepError::Fail(format!(
            "The container engine has a container named {} that does not belong to this portal. Remove or rename it.",
            other.name
        ))),
        found => Ok(found),
    }
}

/// The engine's id of a database's running container.
///
/// # Errors
/// [`StepError::Retry`] if it is not running.
pub async fn running(app: &App, c: &Container) -> Result<String, StepError> {
    let found = find(app, c).await?.filter(|f| f.running);
    found.map(|f| f.id).ok_or_else(|| StepError::Retry("The container is not running.".to_owned()))
}

/// Finds or creates the engine's container, with its files copied in. It is not started, but may already be running.
pub async fn ensure(work: &StepContext) -> Result<String, StepError> {
    let app = &work.app;
    if pinning::settle(app, &*work.container().await?).await? {
        work.changed();
    }
    let c = work.container().await?;
    let blueprint = work.blueprint().await?;
    refuse_foreign_data(app, &c, &blueprint).await?;
    let mut found = find(app, &c).await?;
    let recipe = blueprint.recipe(app)?;
    let differs = |f: &Observed| {
        let reserved = app.config.databases.reservation(ByteSize(c.memory_bytes)).map_or(0, |bytes| bytes.0);
        f.limits.is_some_and(|l| l != (c.memory_bytes, c.millicpus))
            || f.shm.is_some_and(|s| s != recipe.shm.0)
            || f.reservation.is_some_and(|r| r != reserved)
            || f.cores.as_ref().is_some_and(|cores| *cores != blueprint.cores)
    };
    if let Some(old) = found.take_if(|f| !f.running && differs(f)) {
        // Its limits were changed while it was stopped, or an older portal created it. Servers read their settings at
        // the start.
        app.runtime.remove(&old.id).await?;
    }
    if let Some(found) = found {
        if found.status == "created" && c.docker_id.as_deref() != Some(found.id.as_str()) {
            // The id is recorded after the files have been copied in. A portal that was killed did not get that far.
            app.runtime.copy_in(&found.id, &recipe.files).await?;
        }
        note_id(work, &c, &found.id).await?;
        if found.running {
            // One that was started in advance is not pinned yet.
            pinning::bring(app, &found, &blueprint.cores).await?;
        }
        return Ok(found.id);
    }
    prepare(app, &blueprint).await?;
    let id = create(app, &blueprint, &c.docker_name).await?;
    note_id(work, &c, &id).await?;
    Ok(id)
}

/// Creates the engine's container with this name, with its files copied in. Its ports are published.
pub(super) async fn create(app: &App, b: &Blueprint, name: &str) -> Result<String, StepError> {
    let (recipe, open) = (b.recipe(app)?, b.image.egress);
    let network = match open {
        true => crate::domain::names::open_network_name(&app.config.instance),
        false => crate::domain::names::network_name(&app.config.instance),
    };
    app.runtime.ensure_network(&network, &app.config.instance).await?;
    if !open {
        firewall::ensure(app, &b.reference).await;
    }
    let publish = b.image.engine.engine().ports().iter().filter_map(|p| {
        let (_, port) = b.ports().iter().find(|(purpose, _)| purpose == p.purpose)?;
        Some(Publish { address: app.config.databases.bind, port: *port, inside: p.inside(*port) })
    });
    let mut spec = ContainerSpec { publish: publish.collect(), ..b.spec(app, &recipe, name, network) };
    if !open {
        let names = firewall::no_names(&app.config).await;
        spec.mounts.push(names.map_err(|e| StepError::Fail(format!("Cannot write a file for the container: {e}.")))?);
    }
    let id = match app.runtime.create(&spec).await {
        // The engine is still creating it for a portal that was killed, or for a call that timed out.
        Err(e @ RuntimeError::Conflict { .. }) => return Err(StepError::Retry(e.to_string())),
        made => made?,
    };
    app.runtime.copy_in(&id, &recipe.files).await?;
    Ok(id)
}

async fn note_id(work: &StepContext, c: &Container, id: &str) -> Result<(), StepError> {
    if c.docker_id.as_deref() != Some(id) {
        let mut db = work.app.db.acquire().await?;
        containers::record::set_docker_id(&mut db, c.id, Some(id)).await?;
        work.changed();
    }
    Ok(())
}

/// Starts the engine's container. If another program uses a port, the port is marked and replaced, and the container is
/// created again with the new one.
pub async fn start(work: &StepContext) -> Result<(), StepError> {
    let app = &work.app;
    loop {
        let id = ensure(work).await?;
        match app.runtime.start(&id).await {
            Ok(()) => return Ok(()),
            Err(RuntimeError::PortTaken { port }) => {
                let c = work.container().await?;
                if !c.ports.iter().any(|(_, p)| *p == port) {
                    return Err(StepError::Retry(format!("Port {port} is in use by another program.")));
                }
                work.progress(&format!("Port {port} is in use by another program; taking another")).await;
                // The port is part of the container's configuration, so the container is created again. The data is
                // kept.
                app.runtime.remove(&id).await?;
                replace_port(app, &c, port).await?;
                work.changed();
            }
            Err(e) => return Err(e.into()),
        }
    }
}

async fn replace_port(app: &App, c: &Container, port: u16) -> Result<(), StepError> {
    let now = app.clock.now();
    let purpose = c.ports.iter().find(|(_, p)| *p == port).map(|(purpose, _)| purpose.clone()).unwrap_or_default();
    let mut tx = app.db.begin().await?;
    containers::record::set_docker_id(&mut tx, c.id, None).await?;
    ports::mark_occupied(&mut tx, port, "another program is listening on it", now).await?;
    let taken = ports::take(&mut tx, &app.config.databases.ports, PortOwner::Container(c.id), &purpose, now).await?;
    if taken.is_none() {
        return Err(StepError::Fail(format!("Port {port} is in use by another program, and no other port is free.")));
    }
    tx.commit().await?;
    Ok(())
}

/// Stops the engine's container within its grace period.
pub async fn stop(work: &StepContext) -> Result<(), StepError> {
    let c = work.container().await?;
    if let Some(found) = find(&work.app, &c).await?
        && found.running
    {
        // The image's own stop timeout was set when the container was created; this is its upper limit.
        work.app.runtime.stop(&found.id, 60).await?;
    }
    Ok(())
}

/// Removes the engine's container. The data is kept.
pub async fn remove(work: &StepContext) -> Result<(), StepError> {
    let c = work.container().await?;
    if let Some(found) = find(&work.app, &c).await? {
        work.app.runtime.remove(&found.id).await?;
        drop(work.app.shells.take(&found.id));
    }
    let mut db = work.app.db.acquire().await?;
    containers::record::set_docker_id(&mut db, c.id, None).await?;
    work.changed();
    Ok(())
}
